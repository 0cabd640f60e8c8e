"""What the notebooks compute, held against the committed records of the default run."""

import shutil
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.text import Text
from safetensors.torch import save_file
from sklearn.metrics import silhouette_score

from reproduction import claims, evidence, paper
from reproduction import n00_method as method
from reproduction import n01_models as models
from reproduction import n03_recall as recall
from reproduction import n04_convergence as convergence
from reproduction import n05_fine_selection as fine_selection
from reproduction import n06_end_to_end as end_to_end
from reproduction import n07_released_code as released
from reproduction import tables as report
from reproduction.n02_clustering import clustering, silhouettes
from reproduction.n17_beyond import checks, compared
from twophase.errors import UserError
from twophase.records import TrainingRecords
from twophase.selection import brute_force
from twophase.trends import mine, trend_of

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def cv():
    before = pytest.MonkeyPatch()
    before.chdir(ROOT)
    yield evidence.load("cv")
    before.undo()


SHAPES = {"cv": (30, 21, 4, 4), "nlp": (40, 21, 4, 5)}
APART, FIRST_EPOCH = {"cv": 19, "nlp": 17}, {"cv": 0.7, "nlp": 0.6}


def test_committed_records_are_the_papers_shape(each):
    shape = (len(each.models), len(each.benchmarks), len(each.targets), each.records.epochs)
    assert shape == SHAPES[each.domain]
    assert each.incomplete == []


def test_the_zoo_discriminates(each, monkeypatch):
    """The four criteria, on the benchmark datasets of the committed records."""
    monkeypatch.setattr(models, "save_table", lambda table, *_: table)
    quality = models.zoo_quality(each)
    assert (quality["ratio"] >= 3).sum() >= APART[each.domain]
    assert (quality["best"] - quality["chance"]).min() >= 0.05
    assert quality["first_epoch"].mean() >= FIRST_EPOCH[each.domain]
    assert models.regimes(each).loc[each.benchmarks, each.benchmarks].to_numpy().min() < 0
    assert quality["best_model"].nunique() > 1


def test_some_proxy_knows_something_on_most_datasets(each):
    known = recall.compare_proxies(each).loc[each.benchmarks] >= 0.4
    assert known.mean().max() > 0.5


def test_a_benchmark_dataset_as_target_is_left_out_of_everything(cv):
    for target in ("digits", "surfaces"):
        assert target not in cv.matrix(target).index and target not in cv.known(target).datasets()
        frame = cv.records.frame.copy()
        frame.loc[frame["dataset"] == target, "val"] = 0.5
        frame.loc[(frame["dataset"] == target) & frame["test"].notna(), "test"] = 0.5
        spoiled = evidence.Evidence("cv", TrainingRecords.from_frame(frame), cv.params, cv.results)
        assert spoiled.recall(target).equals(cv.recall(target))
        assert spoiled.clusters(target).labels.equals(cv.clusters(target).labels)


def test_targets_never_change_clusters_or_prior(cv):
    frame = cv.records.frame.copy()
    frame.loc[frame["role"] == "target", "val"] = 0.5
    frame.loc[(frame["role"] == "target") & frame["test"].notna(), "test"] = 0.5
    spoiled = evidence.Evidence("cv", TrainingRecords.from_frame(frame), cv.params, cv.results)
    for target in cv.targets:
        assert spoiled.recall(target).equals(cv.recall(target))


def test_headless_models_are_scored_by_the_stand_in(cv):
    scores = cv.raw_scores("digits")
    here = cv.proxies[cv.proxies["dataset"] == "digits"]
    leep = here[here["proxy"] == "leep"].set_index("model")["score"]
    nleep = here[here["proxy"] == "nleep"].set_index("model")["score"]
    both = leep.index.intersection(nleep.index)
    gap = (leep[both] - nleep[both]).median()
    assert "dinov2-latin" not in leep.index and gap < 0
    assert scores["dinov2-latin"] == pytest.approx(nleep["dinov2-latin"] + gap)
    assert scores["vit-latin"] == leep["vit-latin"]
    # in a recall only those asked for are paid for, and only they tell the difference
    few = ["vit-latin", "resnet-latin", "dinov2-latin"]
    apart = (leep[few[:2]] - nleep[few[:2]]).median()
    asked = cv.scorer("digits")(few)
    assert (
        asked["dinov2-latin"] == pytest.approx(nleep["dinov2-latin"] + apart)
        and asked["vit-latin"] == leep["vit-latin"]
    )


def test_random_recall_expects_the_mean_and_ends_in_it(cv):
    table = recall.random_recall(cv, "cyrillic")
    assert np.allclose(table["mean"], cv.final("cyrillic").mean())
    assert table["low"].iloc[-1] == pytest.approx(table["high"].iloc[-1])
    assert (table["low"] <= table["mean"]).all() and (table["high"] >= table["mean"]).all()


def test_average_of_recalled_by_hand(cv):
    curve, final = recall.average_of_recalled(cv, "tissue"), cv.final("tissue")
    order = list(cv.recall("tissue").index)
    assert curve[1] == final[order[0]] and curve[3] == pytest.approx(final[order[:3]].mean())
    assert curve.iloc[-1] == pytest.approx(final.mean())


def test_regrets_are_what_they_say(cv):
    row = end_to_end.all_datasets(cv).loc["arabic"]
    brute, two = brute_force(cv.runs("arabic"), cv.models), cv.two_phase("arabic")
    assert row["2PH regret against brute force"] == pytest.approx(brute.test - two.test)
    assert row["2PH regret against the best"] == pytest.approx(cv.final("arabic").max() - two.test)
    assert row["BF epochs"] == 120 and row["SH epochs"] == 55
    assert row["2PH epochs"] == cv.fine_selection("arabic", cv.recalled("arabic")).epochs + 0.5 * two.proxies
    assert two.proxies == len(cv.clusters("arabic").non_singletons)


def test_the_papers_table_6_is_its_table_5_plus_five_epochs():
    for domain in ("nlp", "cv"):
        for target, cost in paper.TABLE_5[domain]["10"][2].items():
            assert paper.TABLE_6[domain][target][0] == cost + 5
            assert paper.TABLE_6[domain][target][1] == pytest.approx(
                paper.TABLE_5[domain]["all"][0] / (cost + 5), abs=0.01
            )


def test_bootstrap_interval_holds_the_mean_and_narrows():
    values = np.random.default_rng(0).normal(size=400)
    low, high = report.interval(values)
    few_low, few_high = report.interval(values[:20])
    assert low < values.mean() < high and high - low < few_high - few_low
    assert report.interval([2.0, 2.0, 2.0]) == (2.0, 2.0)


def test_committed_tables_are_what_the_code_computes(each, tmp_path, monkeypatch):
    """results/ was made by this code: every table that a notebook writes comes out as committed."""
    monkeypatch.setattr(report, "root", lambda: tmp_path)
    everything = end_to_end.all_datasets(each)
    silhouettes.table_1(each), silhouettes.table_10(each), models.zoo_quality(each)
    clustering.table_2(each), clustering.table_3(each), clustering.table_11(each)
    fine_selection.table_4(each), fine_selection.table_5(each), end_to_end.table_7(each)
    end_to_end.table_6(each, everything), end_to_end.summary(each, everything), end_to_end.table_methods(each)
    released.table_released(each), end_to_end.table_against(each)
    compared.table_leader(each), compared.table_seconds(each), checks.table_calibration(each), checks.table_less(each)
    made = {path.name: path.read_text() for path in (tmp_path / "results" / "tables").iterdir()}
    assert made == {path.name: path.read_text() for path in (ROOT / "results" / "tables").glob(f"*_{each.domain}.csv")}


def test_committed_claims_are_what_the_code_tests(each, tmp_path):
    claims.tested(each).to_csv(tmp_path / "claims.csv", index=False, float_format="%.6g", lineterminator="\n")
    assert (tmp_path / "claims.csv").read_text() == (ROOT / f"results/claims/{each.domain}.csv").read_text()


CELLS = ["silhouette: trends", "silhouette: random", "error: trend", "error: mean", "error: line"]


def test_cells_of_figure_6_by_hand(cv):
    cells, model, dataset = convergence.figure_6_cells(cv), "vit-latin", "digits"
    assert list(cells.columns) == CELLS and cells.index.names == ["model", "dataset"]
    assert len(cells) == len(cv.models) * len(cv.benchmarks) and cells.notna().all(axis=None)
    known = convergence.stage_table(cv, model)
    row, rest = known.loc[dataset], known.drop(dataset)
    slope, level = np.polyfit(rest["val"], rest["test"], 1)
    guesses = {"mean": rest["test"].mean(), "line": slope * row["val"] + level}
    trends = mine(rest["val"], rest["test"], cv.params.selection.n_trends)
    guesses["trend"] = trends["test"][(trends["val"] - row["val"]).abs().idxmin()]
    for name, guess in guesses.items():
        expected = abs(guess - row["test"]) / row["test"]
        assert cells.loc[(model, dataset), f"error: {name}"] == pytest.approx(expected)
    groups = trend_of(known["val"], cv.params.selection.n_trends)
    whole = silhouette_score(known[["val"]].to_numpy(), groups)
    table = convergence.figure_6_table(cv)
    assert list(table.columns) == CELLS and list(table.index) == cv.models
    assert table.loc[model, "silhouette: trends"] == pytest.approx(whole)


def test_a_line_through_one_validation_is_the_mean():
    known = pd.DataFrame({"val": [0.5, 0.5], "test": [0.2, 0.6]})
    assert convergence._line(known, 0.9) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (0.1, "That the line predicts better: **holds** (claim N2)"),
        (0.4, "That the line predicts better: **does not hold** (claim N2)"),
    ],
)
def test_the_verdict_on_figure_6_follows_from_its_cells(line, said):
    """Eight datasets and three models; the trends err by .2, the mean by .3."""
    index = pd.MultiIndex.from_product([["a", "b", "c"], list("pqrstuvw")], names=["model", "dataset"])
    cells = pd.DataFrame([[0.5, -0.5, 0.2, 0.3, line]] * 24, index=index, columns=CELLS)
    text = convergence.figure_6_verdict(cells)
    assert said in text and "over the 8 benchmark datasets" in text
    assert "**3 of 3** models: 0.20 against 0.30" in text
    assert f"smaller error than the trends for **{3 if line < 0.2 else 0} of 3** models" in text


def test_ranking_by_hand_and_its_verdict(cv):
    table = convergence.ranking(cv)
    assert table.index.names == ["dataset", "stage"] and list(table.columns) == ["validation", "prediction"]
    assert len(table) == len(cv.everything) * cv.records.epochs
    for dataset in ("digits", "tissue"):
        assert table.loc[(dataset, 1), "validation"] == pytest.approx(models.first_epoch(cv, dataset))
    ahead = (table["validation"] - table["prediction"]).xs(1, level="stage")
    assert report.with_interval(ahead) in convergence.ranking_verdict(cv)
    assert convergence.calibration(cv).loc[1, "validation - prediction"] == report.with_interval(ahead)


def test_figures_3_and_8_are_on_one_scale_and_hold_their_curves(each, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "root", lambda: tmp_path)
    drawn = {}
    for name, records in (("figure_3", each.records), ("figure_8", each.second_rate)):
        axes = getattr(convergence, name)(each).axes
        assert [axis.get_title().split(" (best: ")[0] for axis in axes] == [t.replace("_", " ") for t in each.targets]
        for axis, target in zip(axes, each.targets, strict=True):
            low, high = axis.get_ylim()
            shown = np.concatenate([line.get_ydata() for line in axis.lines])
            assert low < shown.min() and shown.max() < high
            best = records.final(target).loc[each.second_rate.final(target).index].idxmax()
            assert axis.get_title().endswith(f"(best: {best})")
        drawn[name] = {axis.get_ylim() for axis in axes}
    assert drawn["figure_3"] == drawn["figure_8"] and len(drawn["figure_3"]) == 1


def test_text_in_the_figures_is_legible(each, tmp_path, monkeypatch):
    """Seven points at least, for every text that is drawn."""
    monkeypatch.setattr(report, "root", lambda: tmp_path)
    figures = [models.figure_1(each), method.figure_2(each), models.figure_regimes(each)]
    figures += [clustering.figure_dendrogram(each), convergence.figure_3(each), fine_selection.figure_7(each)]
    figures += [
        convergence.figure_4(each, each.models[0]),
        convergence.figure_6(each, convergence.figure_6_table(each)),
    ]
    for figure in figures:
        texts = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
        assert texts and min(text.get_fontsize() for text in texts) >= 7


def test_figure_7_has_the_papers_candidates_beside_ours(each):
    table = fine_selection.compare(each, "oracle")
    for target in each.targets:
        assert table.loc[target, "best"] == each.final(target).max()
    assert "best by test" in fine_selection.figure_7_verdict(each)


def test_paper_numbers_are_consistent():
    assert paper.TABLE_5["cv"]["all"][0] == 30 * 4 and paper.TABLE_5["nlp"]["all"][0] == 40 * 5
    assert sum(paper.TABLE_2["nlp"]) == 30 and len(paper.TABLE_2["nlp"]) == paper.TABLE_2_CLUSTERS["nlp"]
    for domain, clusters in paper.TABLE_2_MEMBERS.items():
        assert sorted(map(len, clusters.values()), reverse=True) == list(paper.TABLE_2[domain])


def prose(name):
    """The Markdown of a notebook."""
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def test_contradictions_of_the_paper_are_as_the_prose_has_them():
    fourth = {target: cells[0.0] for table in paper.TABLE_4.values() for target, cells in table.items()}
    fifth = {target: cost for table in paper.TABLE_5.values() for target, cost in table["10"][2].items()}
    apart = {target: (epochs, fifth[target]) for target, (_, epochs) in fourth.items() if epochs != fifth[target]}
    assert apart == {"MultiRC": (16, 15), "X-Ray": (14, 13)}
    assert fourth["MNLI"][1] == 14 and fourth["Flowers"][1] == 15
    whole = {target: row for table in paper.TABLE_6.values() for target, row in table.items()}
    assert (fourth["X-Ray"][0], whole["X-Ray"][5]) == (0.966, 0.962)
    for place, (low, high), said in (
        (1, paper.SECTION_5D["BF"], "5.45x to 10.53x"),
        (2, paper.SECTION_5D["SH"], "2.50x to 4.05x"),
    ):
        printed = [row[place] for row in whole.values()]
        assert (
            f"{min(printed):.2f}x to {max(printed):.2f}x" == said
            and max(printed) > high
            and said in prose("05_fine_selection")
        )
        assert f"about {low}x to {high}x" in prose("05_fine_selection")
    language = [row[1] for row in paper.TABLE_6["nlp"].values()]
    assert min(language) > 8 and f"({min(language):.2f}x to {max(language):.2f}x)" in prose("05_fine_selection")
    seventh = {target: row for table in paper.TABLE_7.values() for target, row in table.items()}
    contains = {target: k for table in paper.RECALL_CONTAINS_BEST.values() for target, k in table.items()}
    assert {target for target, row in seventh.items() if row[2] >= contains[target]} == {"MultiRC", "Flowers"}
    assert {target for target, row in seventh.items() if row[1] < whole[target][3]} == {
        "MultiRC",
        "MedMNIST",
        "Flowers",
    }


def test_results_that_are_not_there_are_named(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    (tmp_path / "dvc.yaml").touch()
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"records\.csv is not there yet; run `make repro`"):
        evidence.load("cv")
    with pytest.raises(UserError, match="unknown domain 'audio'; configured: cv, nlp"):
        evidence.load("audio")


def test_the_notebooks_run_on_own_data_is_another_after_another_zoo(tmp_path, monkeypatch):
    """The checkpoints of the run before are of other weights, which a run refuses to go on from."""
    from reproduction import n15_your_own_data as own_data

    monkeypatch.setenv("TWOPHASE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "conf").mkdir()
    for name in ("conf/config.yaml", "dvc.yaml"):
        (tmp_path / name).touch()
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    model, task = tmp_path / "zoo/cv/one", tmp_path / "data/cv" / own_data.target("cv")
    for folder in (model, task):
        folder.mkdir(parents=True)
    (model / "config.json").write_text("{}")
    (model / "preprocessor_config.json").write_text("{}")
    save_file({"weight": torch.zeros(2)}, model / "model.safetensors")
    for split in ("train", "validation", "test"):
        (task / f"{split}.parquet").write_text(split)
    first = own_data.run_folder("cv")
    first.mkdir(parents=True)
    assert own_data.run_folder("cv") == first and first.is_dir()
    save_file({"weight": torch.ones(2)}, model / "model.safetensors")
    second = own_data.run_folder("cv")
    assert second != first and not first.exists()
    (task / "test.parquet").write_text("other")
    assert own_data.run_folder("cv") != second
