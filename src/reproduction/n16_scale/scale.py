"""Notebook 16: the figures and tables of the benchmark (`make bench`), and where the pipeline's time goes."""

import json

import numpy as np
import pandas as pd
from matplotlib.pyplot import setp
from matplotlib.ticker import LogLocator

from reproduction.n16_scale.measured import OURS, figure_of, growth, load, missing, ratios, spread, table_of
from reproduction.tables import say
from twophase.infra import plots
from twophase.infra.config import root

COLOURS = (plots.BLUE, plots.ORANGE, plots.GREEN, plots.RED, plots.GREY)
MARKERS = "osD^v"
GROWTH_FROM = 2500  # models; of fewer, constant costs hide the growth
LONGEST = 12  # stages in the figure
PROXIES = {
    "logme": "LogME", "h_score": "H-score, shrunk", "h_score_plain": "H-score, plain", "knn": "kNN", "leep": "LEEP",
    "nleep": "N-LEEP",
}  # fmt: skip
# Why `score` differs where `comparable` does not, and why there is nothing to compare where that is empty.
DIFFERENCES = {
    "logme": "its fixed point stops after 11 steps; where D > N it counts D - N weights too many (compared in N dimensions)",
    "h_score": "its between-class covariance is divided by N - 1, the features' own by N",
    "h_score_plain": "it always shrinks the covariance",
    "knn": "of tied classes it takes the lowest, ours the nearest's; of two classes it gives F1 (compared: one neighbour)",
}
METHODS = {"2PH": plots.BLUE, "SH": plots.ORANGE, "ASHA": plots.GREEN, "BF": plots.GREY}
SIZE = ["proxy", "n", "d", "classes"]  # what tells one comparison of proxies from another


def answer():
    """The headline of each part: growth, proxies, training, and the whole."""
    parts = {name: load(name) for name in ("clustering", "proxies", "trainer", "end_to_end")}
    if gone := [name for name, raw in parts.items() if raw is None]:
        return say("**Answer.** Not measured here yet:", missing(*gone))
    grown, times = exponents.__wrapped__(parts["clustering"]), ratios(parts["proxies"], SIZE)["ratio"]
    loops = ratios(parts["trainer"], ["domain", "model", "dataset"])["ratio"]
    whole = end_to_end.__wrapped__(parts["end_to_end"]).xs("2PH", level="side")["speed-up"]
    sampled = grown.loc["sampled"]
    return say(
        f"**Answer.** Clustering is no obstacle: a sampled clustering of {sampled['largest n']:,.0f} models takes "
        f"{sampled['seconds']:.0f} seconds, an exact one of {grown.loc['exact', 'largest n']:,.0f} takes "
        f"{grown.loc['exact', 'seconds']:.0f} and grows like n^{grown.loc['exact', 'time: exponent']:.1f}. Proxy scores take "
        f"{times.min():.2f} to {times.max():.2f} times as long as elsewhere (median {times.median():.2f}), the training loop "
        f"{loops.min():.2f} to {loops.max():.2f} times as long as `transformers.Trainer`. From end to end the two phases are "
        f"{whole.min():.0f} to {whole.max():.0f} times faster than brute force. A hub is out of reach for another reason: its "
        "matrix has to be trained."
    )


def machines():
    """What each part was measured on, one sentence per machine."""
    path = root() / "results" / "bench" / "machine.json"
    kinds: dict[str, list[str]] = {}
    for part, facts in (json.loads(path.read_text()) if path.is_file() else {}).items():
        load = f"{part} ({facts.pop('load_at_start'):.2f})"
        versions = ", ".join(f"{name} {version}" for name, version in facts.pop("packages").items() if version)
        machine = "{processor}, {cores} cores, {memory_gib} GiB, {system}, Python {python}, ".format(**facts) + versions
        kinds.setdefault(machine, []).append(load)
    rows = [f"{machine}. Parts, with the load when each began: {', '.join(parts)}." for machine, parts in kinds.items()]
    return say("\n\n".join(rows) or missing("machine"))


def _medians(raw: pd.DataFrame) -> pd.DataFrame:
    """By what was timed and n: seconds, peak memory (MB), clusters, singletons."""
    return raw.groupby(["what", "n"], sort=False)[["seconds", "peak_mb", "clusters", "singletons"]].median()


@table_of("clustering", "table_growth")
def exponents(raw: pd.DataFrame) -> pd.DataFrame:
    """Growth as n to some power, from `GROWTH_FROM` models on, by what was timed.

    Columns: exponent of seconds with its 95 % interval, of memory, of clusters; the largest n, and what `_medians` has there.
    """
    many = raw[raw["n"] >= GROWTH_FROM]
    table = growth(many, "seconds").rename(columns={"exponent": "time: exponent"})
    for name, quantity in (("memory", "peak_mb"), ("clusters", "clusters")):
        table[f"{name}: exponent"] = growth(many, quantity)["exponent"]
    return table.join(_medians(raw).reset_index("n").groupby("what").last().rename(columns={"n": "largest n"}))


@table_of("agreement")
def agreement_of_samples(raw: pd.DataFrame) -> pd.DataFrame:
    """Clusters from a sample against average linkage of all models: adjusted Rand index, and regret of recall by them."""
    shown = {
        "ari": "adjusted Rand index", "ari_of_sample": "of the sample with itself", "clusters_exact": "clusters, exact",
        "clusters_sampled": "sampled", "regret_exact": "regret, exact", "regret_change": "change by sampling",
    }  # fmt: skip
    return raw.set_index(["source", "n", "share"])[[*shown, "low", "high"]].rename(columns=shown)


@figure_of("agreement")
def figure_samples(raw: pd.DataFrame):
    """Adjusted Rand index of sampled and exact clusters against the share sampled; grey, of the sample with itself."""
    names = {key: f"{key[0]}, {key[1]:,} models" for key, _ in raw.groupby(["source", "n"], sort=False)}
    figure, axes = plots.panels(len(names), columns=4, height=1.9, sharex=True, sharey=True)
    for axis, (key, here) in zip(axes, raw.groupby(["source", "n"], sort=False), strict=True):
        axis.plot(
            here["share"],
            here["ari_of_sample"],
            "s--",
            ms=3,
            color=plots.GREY,
            label="average linkage with itself, on the sample",
        )
        axis.plot(here["share"], here["ari"], "o-", ms=3, color=plots.BLUE, label="sampled with exact, all models")
        axis.set(xscale="log", ylim=(0, 1.05), xlabel="share of models sampled")
        axis.set_title(names[key].replace(", ", "\n", 1).replace("_", " "))
        axis.set_xticks([0.0625, 0.125, 0.25, 0.5], ["1/16", "1/8", "1/4", "1/2"])
        axis.minorticks_off()
    axes[0].set(ylabel="adjusted Rand index")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


@figure_of("clustering")
def figure_growth(raw: pd.DataFrame):
    """Seconds and peak memory against the number of models, one line for each thing that was timed."""
    figure, axes = plots.panels(2, columns=2, height=2.6)
    for axis, (column, label) in zip(axes, {"seconds": "seconds", "peak_mb": "peak memory (MB)"}.items(), strict=True):
        for number, (what, line) in enumerate(_medians(raw)[column].groupby("what", sort=False)):
            style = {"marker": MARKERS[number % 5], "color": COLOURS[number % 5], "ls": "-" if number < 5 else "--"}
            axis.plot(line.index.get_level_values("n"), line, ms=3, label=what, **style)
        axis.set(xscale="log", yscale="log", xlabel="models", ylabel=label)
        axis.minorticks_off()
    axes[1].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes[1].yaxis.set_major_formatter("{x:g}")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return figure


@table_of("proxies", "table_proxy_times")
def proxy_times(raw: pd.DataFrame) -> pd.DataFrame:
    """Median time ratio ours / other by proxy and size, with quartiles."""
    return ratios(raw, SIZE).rename(index=PROXIES, level="proxy")


@table_of("proxies")
def agreement(raw: pd.DataFrame) -> pd.DataFrame:
    """Largest difference between both scores by proxy: as each is used, and by one definition; and what differs."""
    rows = {}
    for proxy, group in raw.groupby("proxy", sort=False):
        (other,) = set(group["side"]) - {OURS}
        wide = group.groupby([*SIZE[1:], "side"])[["score", "comparable"]].median().unstack("side")
        far = {name: (wide[name][OURS] - wide[name][other]).abs() for name in ("score", "comparable")}
        rows[PROXIES[proxy]] = {
            "against": other,
            "as used": far["score"].max(),
            "by one definition": far["comparable"].max(),
            "sizes compared": f"{far['comparable'].notna().sum()} of {len(wide)}",
            "what differs": DIFFERENCES.get(proxy, ""),
        }
    return pd.DataFrame(rows).T.rename_axis("proxy")


@figure_of("proxies")
def figure_proxies(raw: pd.DataFrame):
    """Time ratios against examples x dimensions: below one, ours is faster."""
    table = ratios(raw, SIZE).reset_index()
    figure, axes = plots.panels(len(PROXIES), columns=3, height=1.7, sharex=True, sharey=True)
    for axis, (proxy, title) in zip(axes, PROXIES.items(), strict=True):
        here = table[table["proxy"] == proxy]
        bars = [here["ratio"] - here["low"], here["high"] - here["ratio"]]
        axis.errorbar(here["n"] * here["d"], here["ratio"], yerr=bars, fmt="o", ms=3, lw=1, color=plots.BLUE)
        axis.axhline(1, color=plots.RED, lw=0.8, ls="--")
        axis.set(xscale="log", title=title)
        axis.minorticks_off()
    axes[0].set(ylim=(0, None))
    setp(axes[-3:], xlabel="examples x dimensions")
    setp(axes[::3], ylabel="time, ours / other")
    return figure


def _rates(raw: pd.DataFrame) -> pd.DataFrame:
    """Measurements of throughput with cells per second; the first, which starts the workers, is left out."""
    return raw[raw["repeat"] > 0].assign(rate=lambda table: table["cells"] / table["seconds"])


@table_of("throughput", "table_throughput")
def speed_up(raw: pd.DataFrame) -> pd.DataFrame:
    """Cells a second by number of workers, and the speed-up over one, repeat by repeat with quartiles."""
    wide = _rates(raw).pivot_table(index=["domain", "repeat"], columns="workers", values="rate", sort=False)
    rows = {}
    for count in wide.columns:
        for domain, group in wide.groupby(level="domain", sort=False):
            rows[domain, count] = {"cells per second": group[count].median()}
            rows[domain, count] |= spread(group[count] / group[1], "speed-up")
    return pd.DataFrame(rows).T.rename_axis(["domain", "workers"]).sort_index()


@table_of("trainer", "table_trainer")
def against_trainer(raw: pd.DataFrame) -> pd.DataFrame:
    """Our training loop against transformers.Trainer: time ratio by cell with quartiles, and mean test accuracies."""
    cell = ["domain", "model", "dataset"]
    sides = np.where(raw["side"] == OURS, "accuracy, ours", "accuracy, other")
    return ratios(raw, cell).join(raw.pivot_table(index=cell, columns=sides, values="test"))


def _bars(axis, table: pd.DataFrame, colours: tuple, labels: list[str]) -> None:
    """One group of bars per row, one bar per column."""
    places = np.arange(len(table))
    for number, (column, label) in enumerate(zip(table, labels, strict=True)):
        axis.barh(places + 0.4 * number, table[column], height=0.38, color=colours[number], label=label)
    axis.set_yticks(places + 0.2, list(table.index))


@figure_of("throughput", "trainer")
def figure_training(cells: pd.DataFrame, loops: pd.DataFrame):
    """Cells a second with one worker and two; and seconds per cell of our loop and of Trainer."""
    figure, (left, right) = plots.panels(2, columns=2, height=2.3)
    for place, (domain, group) in enumerate(_rates(cells).groupby("domain", sort=False)):
        left.scatter(group["workers"] + 0.1 * place - 0.05, group["rate"], s=9, color=COLOURS[place], label=domain)
        one = group.loc[group["workers"] == 1, "rate"].median()
        counts = sorted(group["workers"].unique())
        left.plot(counts, [one * count for count in counts], color=COLOURS[place], lw=0.8, ls=":")
    left.set(xlabel="workers (dotted: in proportion)", ylabel="cells per second", ylim=(0, None), xticks=counts)
    left.legend(loc="upper left")
    middles = loops.groupby(["model", "side"], sort=False)["seconds"].median().unstack("side")
    _bars(right, middles, COLOURS, list(middles))
    right.set(xlabel="seconds per cell (median)", ylim=(len(middles) - 0.2, -1.4))
    right.legend(loc="upper right", ncols=2)
    return figure


@table_of("end_to_end", "table_end_to_end")
def end_to_end(raw: pd.DataFrame) -> pd.DataFrame:
    """By target and method: seconds, speed-up over brute force, epochs, seconds training alone, test accuracy, winner."""
    whole = raw[raw["side"] == "BF"].set_index(["target", "repeat"])["seconds"]
    times = raw.set_index(["target", "repeat"]).index.map(whole).to_numpy() / raw["seconds"]
    grouped = raw.assign(times=times).groupby(["domain", "target", "side"], sort=False)
    table = grouped[["seconds", "times", "epochs", "trained", "test"]].mean()
    table["winners"] = grouped["winner"].agg(lambda names: ", ".join(dict.fromkeys(names)))
    return table.rename(columns={"times": "speed-up"})


@figure_of("end_to_end")
def figure_end_to_end(raw: pd.DataFrame):
    """Accuracy of the model selected against the seconds that its selection took, one point per repeat."""
    targets = list(raw["target"].unique())
    figure, axes = plots.panels(len(targets), columns=len(targets), height=2.3)
    for axis, target in zip(axes, targets, strict=True):
        here = raw[raw["target"] == target]
        for mark, (side, colour) in zip(MARKERS, METHODS.items(), strict=False):
            points = here[here["side"] == side]
            axis.scatter(points["seconds"], points["test"], color=colour, marker=mark, s=16, label=side)
        axis.set(title=f"{target} ({here['domain'].iloc[0]})", xlabel="seconds", xlim=(0, None))
    axes[0].set(ylabel="test accuracy")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


@table_of("stages", "table_stages")
def stages(raw: pd.DataFrame) -> pd.DataFrame:
    """Seconds of the pipeline's stages, domains added, longest first, before and after; "all" is the time of the whole."""
    raw["stage"] = raw["stage"].str.replace(r"@.*", "", regex=True)
    table = raw.pivot_table(index="stage", columns="when", values="seconds", aggfunc="sum")
    table = table.reindex(columns=[when for when in ("before", "after") if when in table])
    return pd.concat([table.drop(index="all").sort_values(table.columns[0], ascending=False), table.loc[["all"]]])


@figure_of("stages")
def figure_stages(raw: pd.DataFrame):
    """The longest stages as bars, before and after."""
    table = stages.__wrapped__(raw)  # not saved once more
    longest = table.drop(index="all").head(LONGEST)
    figure, (axis,) = plots.panels(1, height=2.8, width=0.7 * plots.PAGE)
    labels = [f"{when}: {seconds / 60:.1f} minutes" for when, seconds in table.loc["all"].items()]
    _bars(axis, longest, (plots.GREY, plots.BLUE), labels)
    axis.set(xlabel="seconds, both domains", ylim=(len(longest), -0.6))
    axis.legend(loc="lower right")
    return figure
