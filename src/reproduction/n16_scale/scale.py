"""Notebook 16: the figures of the benchmark (`make bench`), and where the pipeline's time goes."""

import json

import numpy as np
import pandas as pd

from reproduction.bench.sides import ratios
from reproduction.tables import save_table, say
from twophase.infra import plots
from twophase.infra.config import root

COLOURS = (plots.BLUE, plots.ORANGE, plots.GREEN, plots.RED, plots.GREY)
MARKERS = "osD^v"
OURS = "twophase"
PROXIES = {
    "logme": "LogME", "h_score": "H-score, shrunk", "h_score_plain": "H-score, plain", "knn": "kNN", "leep": "LEEP",
    "nleep": "N-LEEP",
}  # fmt: skip
# Why `score` differs where `comparable` does not, and why there is nothing to compare where it is empty.
DIFFERENCES = {
    "logme": "its fixed point stops after 11 steps; where D > N it counts D - N weights too many (compared in N dimensions)",
    "h_score": "its between-class covariance is divided by N - 1, the features' own by N",
    "h_score_plain": "it always shrinks the covariance",
    "knn": "of tied classes it takes the lowest, ours the nearest's; of two classes it gives F1 (compared: one neighbour)",
    "leep": "", "nleep": "",
}  # fmt: skip
METHODS = {"2PH": plots.BLUE, "SH": plots.ORANGE, "ASHA": plots.GREEN, "BF": plots.GREY}


def load(name: str) -> pd.DataFrame | None:
    """The raw measurements ``results/bench/<name>.csv``; None where that part has not been run."""
    path = root() / "results" / "bench" / f"{name}.csv"
    return pd.read_csv(path) if path.is_file() else None


def missing(*names: str) -> str:
    """What to run where a part's file is not there."""
    return f"{' and '.join(f'`results/bench/{name}.csv`' for name in names)}: not there; run `make bench`."


def machines():
    """What each part was measured on, a sentence a machine."""
    path = root() / "results" / "bench" / "machine.json"
    found = json.loads(path.read_text()) if path.is_file() else {}
    kinds: dict[str, list[str]] = {}
    for part, facts in found.items():
        versions = ", ".join(f"{name} {version}" for name, version in facts["packages"].items() if version)
        kinds.setdefault(
            f"{facts['processor']}, {facts['cores']} cores, {facts['memory_gib']} GiB, {facts['system']}, "
            f"Python {facts['python']}, {versions}", []
        ).append(f"{part} ({facts['load_at_start']:.2f})")  # fmt: skip
    rows = [f"{machine}. Parts, with the load when each began: {', '.join(parts)}." for machine, parts in kinds.items()]
    return say("\n\n".join(rows) or missing("machine"))


def _blank(name: str, *files: str):
    """A figure that says which file is missing, so that the stage ends all the same."""
    with plots.style():
        figure, (axis,) = plots.panels(1, height=0.6)
        axis.set_axis_off()
        axis.text(0.5, 0.5, missing(*files).replace("`", ""), ha="center", va="center")
        return plots.save(figure, name, "bench")


def growth() -> pd.DataFrame | None:
    """Medians by what was timed and n: seconds, peak memory (MB), clusters, singletons."""
    raw = load("clustering")
    if raw is None:
        return None
    return raw.groupby(["part", "what", "n"], sort=False)[["seconds", "peak_mb", "clusters", "singletons"]].median()


def exponents(least: int = 2500) -> pd.DataFrame:
    """Growth of time, memory and clusters as n to some power (`bench.clustering.growth`), from ``least`` models on.

    Returns:
        By what was timed: exponent of seconds with its 95 % interval, of memory, of clusters; the largest n, and seconds,
        memory (MB), clusters and singletons there.
    """
    raw = load("clustering")
    if raw is None:
        return save_table(pd.DataFrame(), "table_growth", "bench")
    from reproduction.bench.clustering import growth as fitted

    time, memory, clusters = (fitted(raw, quantity, least) for quantity in ("seconds", "peak_mb", "clusters"))
    table = time.rename(columns={"exponent": "time: exponent"}).drop(columns="points")
    table["memory: exponent"], table["clusters: exponent"] = memory["exponent"], clusters["exponent"]
    last = growth().reset_index("part", drop=True).reset_index("n").groupby("what").last()
    return save_table(table.join(last.rename(columns={"n": "largest n"})), "table_growth", "bench")


def agreement_of_samples() -> pd.DataFrame:
    """Clusters from a sample against average linkage of all models: adjusted Rand index, and regret of recall by them."""
    raw = load("agreement")
    if raw is None:
        return pd.DataFrame()
    shown = {
        "ari": "adjusted Rand index", "ari_of_sample": "of the sample with itself", "clusters_exact": "clusters, exact",
        "clusters_sampled": "sampled", "regret_exact": "regret, exact", "regret_change": "change by sampling", "low": "low",
        "high": "high",
    }  # fmt: skip
    return raw.set_index(["source", "n", "share"])[list(shown)].rename(columns=shown)


def figure_growth():
    """Seconds and peak memory against the number of models, a line for each thing that was timed."""
    table = growth()
    if table is None:
        return _blank("figure_growth", "clustering")
    from matplotlib.ticker import LogLocator

    with plots.style():
        figure, axes = plots.panels(2, columns=2, height=2.6)
        kinds = list(table.groupby(level=["part", "what"], sort=False))
        for axis, (column, label) in zip(axes, (("seconds", "seconds"), ("peak_mb", "peak memory (MB)")), strict=True):
            for number, ((_, what), group) in enumerate(kinds):
                line = group[column].droplevel(["part", "what"])
                axis.plot(line.index, line, marker=MARKERS[number % 5], ms=3, color=COLOURS[number % 5],
                          ls="-" if number < 5 else "--", label=what)  # fmt: skip
            axis.set(xscale="log", yscale="log", xlabel="models", ylabel=label)
            axis.minorticks_off()
        axes[1].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes[1].yaxis.set_major_formatter("{x:g}")
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
        return plots.save(figure, "figure_growth", "bench")


def proxy_times() -> pd.DataFrame:
    """Median time ratio ours / other by proxy and size, with quartiles."""
    raw = load("proxies")
    if raw is None:
        return save_table(pd.DataFrame(), "table_proxy_times", "bench")
    table = ratios(raw, ["proxy", "n", "d", "classes"], OURS)
    table["proxy"] = table["proxy"].map(PROXIES)
    return save_table(table.set_index(["proxy", "n", "d", "classes"]), "table_proxy_times", "bench")


def agreement() -> pd.DataFrame:
    """Largest difference between both scores by proxy: as each is used, and by one definition; and what differs."""
    raw = load("proxies")
    if raw is None:
        return pd.DataFrame()
    rows = {}
    for proxy, group in raw.groupby("proxy", sort=False):
        (other,) = set(group["side"]) - {OURS}
        wide = group.groupby(["n", "d", "classes", "side"])[["score", "comparable"]].median().unstack("side")
        far = {name: (wide[name][OURS] - wide[name][other]).abs() for name in ("score", "comparable")}
        rows[PROXIES[proxy]] = {
            "against": other, "as used": far["score"].max(), "by one definition": far["comparable"].max(),
            "sizes compared": f"{far['comparable'].notna().sum()} of {len(wide)}", "what differs": DIFFERENCES[proxy],
        }  # fmt: skip
    return pd.DataFrame(rows).T.rename_axis("proxy")


def figure_proxies():
    """Time ratios against examples x dimensions: below one, ours is faster."""
    raw = load("proxies")
    if raw is None:
        return _blank("figure_proxies", "proxies")
    table = ratios(raw, ["proxy", "n", "d", "classes"], OURS)
    with plots.style():
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
        return plots.save(figure, "figure_proxies", "bench")


def speed_up() -> pd.DataFrame:
    """Cells a second by number of workers, and the speed-up over one, repeat by repeat with quartiles."""
    raw = load("throughput")
    if raw is None:
        return save_table(pd.DataFrame(), "table_throughput", "bench")
    raw = raw[raw["repeat"] > 0].assign(rate=lambda table: table["cells"] / table["seconds"])
    wide = raw.pivot_table(index=["domain", "repeat"], columns="workers", values="rate", sort=False)
    rows = {}
    for count in wide.columns:
        for domain, group in wide.groupby(level="domain", sort=False):
            low, middle, high = (group[count] / group[1]).quantile([0.25, 0.5, 0.75])
            rows[domain, count] = {"cells a second": group[count].median(), "speed-up": middle, "low": low, "high": high,
                                   "repeats": len(group)}  # fmt: skip
    table = pd.DataFrame(rows).T.rename_axis(["domain", "workers"]).sort_index()
    return save_table(table, "table_throughput", "bench")


def against_trainer() -> pd.DataFrame:
    """Our training loop against transformers.Trainer: time ratio by cell with quartiles, and mean test accuracies."""
    raw = load("trainer")
    if raw is None:
        return save_table(pd.DataFrame(), "table_trainer", "bench")
    table = ratios(raw, ["domain", "model", "dataset"], OURS)
    tests = raw.pivot_table(index=["domain", "model", "dataset"], columns="side", values="test")
    tests = tests.rename(columns=lambda side: "accuracy, ours" if side == OURS else "accuracy, other")
    return save_table(table.set_index(tests.index.names).join(tests), "table_trainer", "bench")


def figure_training():
    """Cells a second with one worker and two; and seconds a cell of our loop and of Trainer."""
    cells, loops = load("throughput"), load("trainer")
    if cells is None or loops is None:
        return _blank("figure_training", "throughput", "trainer")
    cells = cells[cells["repeat"] > 0].assign(rate=cells["cells"] / cells["seconds"])
    with plots.style():
        figure, (left, right) = plots.panels(2, columns=2, height=2.3)
        for place, (domain, group) in enumerate(cells.groupby("domain", sort=False)):
            left.scatter(group["workers"] + 0.1 * place - 0.05, group["rate"], s=9, color=COLOURS[place], label=domain)
            one = group.loc[group["workers"] == 1, "rate"].median()
            counts = sorted(group["workers"].unique())
            left.plot(counts, [one * count for count in counts], color=COLOURS[place], lw=0.8, ls=":")
        left.set(xlabel="workers (dotted: in proportion)", ylabel="cells a second", ylim=(0, None), xticks=counts)
        left.legend(loc="upper left")
        middles = loops.groupby(["model", "side"], sort=False)["seconds"].median().unstack("side")
        places = np.arange(len(middles))
        for number, side in enumerate(middles.columns):
            right.barh(places + 0.4 * number, middles[side], height=0.38, color=COLOURS[number], label=side)
        right.set_yticks(places + 0.2, list(middles.index))
        right.set(xlabel="seconds a cell (median)", ylim=(len(middles) - 0.2, -1.4))
        right.legend(loc="upper right", ncols=2)
        return plots.save(figure, "figure_training", "bench")


def end_to_end() -> pd.DataFrame:
    """By target and method: seconds, speed-up over brute force, epochs, seconds training alone, test accuracy, winner."""
    raw = load("end_to_end")
    if raw is None:
        return save_table(pd.DataFrame(), "table_end_to_end", "bench")
    whole = raw[raw["side"] == "BF"].set_index(["target", "repeat"])["seconds"]
    times = raw.set_index(["target", "repeat"]).index.map(whole).to_numpy() / raw["seconds"]
    grouped = raw.assign(times=times).groupby(["domain", "target", "side"], sort=False)
    table = grouped[["seconds", "times", "epochs", "trained", "test"]].mean()
    table["winners"] = grouped["winner"].agg(lambda names: ", ".join(dict.fromkeys(names)))
    return save_table(table.rename(columns={"times": "speed-up"}), "table_end_to_end", "bench")


def figure_end_to_end():
    """Accuracy of the model selected against the seconds that its selection took, a point a repeat."""
    raw = load("end_to_end")
    if raw is None:
        return _blank("figure_end_to_end", "end_to_end")
    targets = list(raw["target"].unique())
    with plots.style():
        figure, axes = plots.panels(len(targets), columns=len(targets), height=2.3)
        for axis, target in zip(axes, targets, strict=True):
            here = raw[raw["target"] == target]
            for mark, (side, colour) in zip(MARKERS, METHODS.items(), strict=False):
                points = here[here["side"] == side]
                axis.scatter(points["seconds"], points["test"], color=colour, marker=mark, s=16, label=side)
            axis.set(title=f"{target} ({here['domain'].iloc[0]})", xlabel="seconds", xlim=(0, None))
        axes[0].set(ylabel="test accuracy")
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
        return plots.save(figure, "figure_end_to_end", "bench")


def stages() -> pd.DataFrame:
    """Seconds of the pipeline's stages, domains added, longest first, before and after; "all" is the time of the whole."""
    raw = load("stages")
    if raw is None:
        return save_table(pd.DataFrame(), "table_stages", "bench")
    raw["stage"] = raw["stage"].str.replace(r"@.*", "", regex=True)
    table = raw.pivot_table(index="stage", columns="when", values="seconds", aggfunc="sum")
    table = table.reindex(columns=[when for when in ("before", "after") if when in table])
    whole = table.loc[["all"]]
    table = pd.concat([table.drop(index="all").sort_values(table.columns[0], ascending=False), whole])
    return save_table(table, "table_stages", "bench")


def figure_stages(shown: int = 12):
    """The longest stages as bars, before and after."""
    table = stages()
    if table.empty:
        return _blank("figure_stages", "stages")
    longest = table.drop(index="all").head(shown)
    places = np.arange(len(longest))
    with plots.style():
        figure, (axis,) = plots.panels(1, height=2.8, width=0.7 * plots.PAGE)
        for number, when in enumerate(table.columns):
            axis.barh(places + 0.4 * number, longest[when], height=0.38, color=(plots.GREY, plots.BLUE)[number],
                      label=f"{when}: {table.loc['all', when] / 60:.1f} minutes")  # fmt: skip
        axis.set_yticks(places + 0.2, list(longest.index))
        axis.set(xlabel="seconds, both domains", ylim=(len(longest), -0.6))
        axis.legend(loc="lower right")
        return plots.save(figure, "figure_stages", "bench")
