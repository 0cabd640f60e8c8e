"""Notebook 16: the figures and tables of the benchmark (`make bench`), and where the pipeline's time goes."""

import functools
import json
from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.ticker import LogLocator
from scipy.stats import linregress, t

from reproduction.tables import save_figure, save_table, say
from twophase.infra import plots
from twophase.infra.config import root

COLOURS = (plots.BLUE, plots.ORANGE, plots.GREEN, plots.RED, plots.GREY)
MARKERS = "osD^v"
OURS = "twophase"
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


def load(name: str) -> pd.DataFrame | None:
    """The raw measurements `results/bench/<name>.csv`; None where that part has not been run."""
    path = root() / "results" / "bench" / f"{name}.csv"
    return pd.read_csv(path) if path.is_file() else None


def missing(*names: str) -> str:
    """What to run where a part's file is not there."""
    return f"{' and '.join(f'`results/bench/{name}.csv`' for name in names)}: not there; run `make bench`."


def table_of(part: str, name: str | None = None) -> Callable:
    """Makes of a function of a part's measurements one without arguments; its table is empty where they are not there.

    Args:
        part: file of the measurements.
        name: under which the table is saved, empty or not; None for one that is only shown.
    """

    def mark(made: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[], pd.DataFrame]:
        @functools.wraps(made)
        def table() -> pd.DataFrame:
            raw = load(part)
            found = pd.DataFrame() if raw is None else made(raw)
            return save_table(found, name, "bench") if name else found

        return table

    return mark


def figure_of(*parts: str) -> Callable:
    """Makes of a function that draws parts' measurements one without arguments, and saves the figure by its name.

    Where a file is missing the figure says so, so that the stage ends all the same.
    """

    def mark(drawn: Callable) -> Callable:
        @functools.wraps(drawn)
        def figure():
            raw = [load(part) for part in parts]
            with plots.style():
                if all(table is not None for table in raw):
                    made = drawn(*raw)
                else:
                    made, (axis,) = plots.panels(1, height=0.6)
                    axis.set_axis_off()
                    axis.text(0.5, 0.5, missing(*parts).replace("`", ""), ha="center", va="center")
                return save_figure(made, drawn.__name__, "bench")

        return figure

    return mark


def machines():
    """What each part was measured on, a sentence a machine."""
    path = root() / "results" / "bench" / "machine.json"
    kinds: dict[str, list[str]] = {}
    for part, facts in (json.loads(path.read_text()) if path.is_file() else {}).items():
        versions = ", ".join(f"{name} {version}" for name, version in facts["packages"].items() if version)
        machine = (
            f"{facts['processor']}, {facts['cores']} cores, {facts['memory_gib']} GiB, {facts['system']}, "
            f"Python {facts['python']}, {versions}"
        )
        kinds.setdefault(machine, []).append(f"{part} ({facts['load_at_start']:.2f})")
    rows = [f"{machine}. Parts, with the load when each began: {', '.join(parts)}." for machine, parts in kinds.items()]
    return say("\n\n".join(rows) or missing("machine"))


def _medians(raw: pd.DataFrame) -> pd.DataFrame:
    """By what was timed and n: seconds, peak memory (MB), clusters, singletons."""
    return raw.groupby(["what", "n"], sort=False)[["seconds", "peak_mb", "clusters", "singletons"]].median()


def growth(raw: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """Exponents b of quantity = a * n^b, by least squares of the logarithms over the sizes of each `what`.

    Args:
        raw: a row a measurement, with `what`, `n` and the quantity.
        quantity: "seconds", "peak_mb", "clusters" or "singletons".

    Returns:
        what -> exponent, low, high (95 %, t distribution); without three sizes it is not a number.
    """
    rows = {}
    for what, here in raw[raw[quantity] > 0].groupby("what"):
        rows[what] = dict.fromkeys(("exponent", "low", "high"), np.nan)
        if here["n"].nunique() >= 3:
            line = linregress(np.log(here["n"]), np.log(here[quantity]))
            width = t.ppf(0.975, len(here) - 2) * line.stderr
            rows[what] = {"exponent": line.slope, "low": line.slope - width, "high": line.slope + width}
    return pd.DataFrame(rows).T.rename_axis("what")


@table_of("clustering", "table_growth")
def exponents(raw: pd.DataFrame) -> pd.DataFrame:
    """Growth of time, memory and clusters as n to some power, from `GROWTH_FROM` models on.

    Returns:
        By what was timed: exponent of seconds with its 95 % interval, of memory, of clusters; the largest n, and seconds,
        memory (MB), clusters and singletons there.
    """
    many = raw[raw["n"] >= GROWTH_FROM]
    table = growth(many, "seconds").rename(columns={"exponent": "time: exponent"})
    table["memory: exponent"] = growth(many, "peak_mb")["exponent"]
    table["clusters: exponent"] = growth(many, "clusters")["exponent"]
    return table.join(_medians(raw).reset_index("n").groupby("what").last().rename(columns={"n": "largest n"}))


@table_of("agreement")
def agreement_of_samples(raw: pd.DataFrame) -> pd.DataFrame:
    """Clusters from a sample against average linkage of all models: adjusted Rand index, and regret of recall by them."""
    shown = {
        "ari": "adjusted Rand index", "ari_of_sample": "of the sample with itself", "clusters_exact": "clusters, exact",
        "clusters_sampled": "sampled", "regret_exact": "regret, exact", "regret_change": "change by sampling", "low": "low",
        "high": "high",
    }  # fmt: skip
    return raw.set_index(["source", "n", "share"])[list(shown)].rename(columns=shown)


@figure_of("clustering")
def figure_growth(raw: pd.DataFrame):
    """Seconds and peak memory against the number of models, a line for each thing that was timed."""
    figure, axes = plots.panels(2, columns=2, height=2.6)
    kinds = list(_medians(raw).groupby("what", sort=False))
    for axis, (column, label) in zip(axes, (("seconds", "seconds"), ("peak_mb", "peak memory (MB)")), strict=True):
        for number, (what, group) in enumerate(kinds):
            line = group[column].droplevel("what")
            style = {"marker": MARKERS[number % 5], "color": COLOURS[number % 5], "ls": "-" if number < 5 else "--"}
            axis.plot(line.index, line, ms=3, label=what, **style)
        axis.set(xscale="log", yscale="log", xlabel="models", ylabel=label)
        axis.minorticks_off()
    axes[1].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes[1].yaxis.set_major_formatter("{x:g}")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return figure


def ratios(raw: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Each other side against ours: median and quartiles of the ratio of seconds ours / other, repeat by repeat.

    Args:
        raw: a row a measurement, with `side`, `repeat`, `seconds` and the columns of `by`.
        by: what tells one comparison from another.

    Returns:
        By `by`: against (the other side), ours and other (median seconds), ratio (median of the repeats' ratios), its
        quartiles `low` and `high`, and repeats.
    """
    wide = raw.pivot_table(index=[*by, "repeat"], columns="side", values="seconds", sort=False)
    rows = []
    for other in wide.columns.drop(OURS):
        for key, group in wide[[OURS, other]].dropna().groupby(level=by, sort=False):
            low, middle, high = (group[OURS] / group[other]).quantile([0.25, 0.5, 0.75])
            medians = {"against": other, "ours": group[OURS].median(), "other": group[other].median()}
            spread = {"ratio": middle, "low": low, "high": high, "repeats": len(group)}
            rows.append(dict(zip(by, key, strict=True)) | medians | spread)
    return pd.DataFrame(rows).set_index(by)


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
    for axis in axes[-3:]:
        axis.set(xlabel="examples x dimensions")
    for axis in axes[::3]:
        axis.set(ylabel="time, ours / other")
    return figure


def _rates(raw: pd.DataFrame) -> pd.DataFrame:
    """Measurements of throughput with cells a second; the first, which starts the workers, is left out."""
    return raw[raw["repeat"] > 0].assign(rate=lambda table: table["cells"] / table["seconds"])


@table_of("throughput", "table_throughput")
def speed_up(raw: pd.DataFrame) -> pd.DataFrame:
    """Cells a second by number of workers, and the speed-up over one, repeat by repeat with quartiles."""
    wide = _rates(raw).pivot_table(index=["domain", "repeat"], columns="workers", values="rate", sort=False)
    rows = {}
    for count in wide.columns:
        for domain, group in wide.groupby(level="domain", sort=False):
            low, middle, high = (group[count] / group[1]).quantile([0.25, 0.5, 0.75])
            spread = {"speed-up": middle, "low": low, "high": high, "repeats": len(group)}
            rows[domain, count] = {"cells a second": group[count].median()} | spread
    return pd.DataFrame(rows).T.rename_axis(["domain", "workers"]).sort_index()


@table_of("trainer", "table_trainer")
def against_trainer(raw: pd.DataFrame) -> pd.DataFrame:
    """Our training loop against transformers.Trainer: time ratio by cell with quartiles, and mean test accuracies."""
    cell = ["domain", "model", "dataset"]
    tests = raw.pivot_table(index=cell, columns="side", values="test")
    tests = tests.rename(columns=lambda side: "accuracy, ours" if side == OURS else "accuracy, other")
    return ratios(raw, cell).join(tests)


def _bars(axis, table: pd.DataFrame, colours: tuple, labels: list[str]) -> None:
    """A group of bars a row, a bar a column."""
    places = np.arange(len(table))
    for number, (column, label) in enumerate(zip(table, labels, strict=True)):
        axis.barh(places + 0.4 * number, table[column], height=0.38, color=colours[number], label=label)
    axis.set_yticks(places + 0.2, list(table.index))


@figure_of("throughput", "trainer")
def figure_training(cells: pd.DataFrame, loops: pd.DataFrame):
    """Cells a second with one worker and two; and seconds a cell of our loop and of Trainer."""
    figure, (left, right) = plots.panels(2, columns=2, height=2.3)
    for place, (domain, group) in enumerate(_rates(cells).groupby("domain", sort=False)):
        left.scatter(group["workers"] + 0.1 * place - 0.05, group["rate"], s=9, color=COLOURS[place], label=domain)
        one = group.loc[group["workers"] == 1, "rate"].median()
        counts = sorted(group["workers"].unique())
        left.plot(counts, [one * count for count in counts], color=COLOURS[place], lw=0.8, ls=":")
    left.set(xlabel="workers (dotted: in proportion)", ylabel="cells a second", ylim=(0, None), xticks=counts)
    left.legend(loc="upper left")
    middles = loops.groupby(["model", "side"], sort=False)["seconds"].median().unstack("side")
    _bars(right, middles, COLOURS, list(middles))
    right.set(xlabel="seconds a cell (median)", ylim=(len(middles) - 0.2, -1.4))
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
    """Accuracy of the model selected against the seconds that its selection took, a point a repeat."""
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
    whole = table.loc[["all"]]
    return pd.concat([table.drop(index="all").sort_values(table.columns[0], ascending=False), whole])


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
