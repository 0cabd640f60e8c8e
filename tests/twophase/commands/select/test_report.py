"""What a run's outcome says: in a line, in a notebook, on the page and on the model's card; nothing is trained."""

import re
import warnings
from dataclasses import replace

import pandas as pd
import pytest

from twophase.commands import wording
from twophase.commands.select import drawing, report
from twophase.commands.select.finishing import card
from twophase.commands.select.outcome import Outcome
from twophase.errors import UserError
from twophase.infra import plots

HISTORY = ["stage", "model", "val", "predicted", "kept", "reason"]
ROWS = [
    (1, "a-cut", 0.4, 0.5, False, "filtered: won has a higher predicted final"),
    (1, "c-halved", 0.5, 0.7, True, "kept"),
    (1, "won", 0.6, 0.8, True, "kept"),
    (2, "c-halved", 0.6, 0.7, False, "halved: validation 0.600 is below the best 1 of 2"),
    (2, "won", 0.7, 0.8, True, "kept"),
]


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A function that makes an outcome of so many classes and epochs, without a run."""
    monkeypatch.chdir(tmp_path)

    def make(names=("cat", "dog"), epochs=2, leaked=0, finished=True, metric="accuracy", **data):
        rows = [row for row in ROWS if row[0] <= epochs]
        ranking = pd.DataFrame(
            {"prior": [0.6, 0.5, 0.4], "proxy": [1.0, 0.5, 0.0], "recall_score": [0.6, 0.25, 0.0], "rank": [1, 2, 3], "recalled": True},
            index=pd.Index(["won", "c-halved", "a-cut"], name="model"),
        )  # fmt: skip
        classes = pd.DataFrame(
            {"training": 10, "test": 20, "right": [n / len(names) for n in range(len(names))], "low": 0.0, "high": 1.0,
             "most often taken for": f"{names[0]} (3)"}, index=pd.Index(names, name="class"),
        )  # fmt: skip
        costs = pd.DataFrame({"epochs": [epochs + 1.5, 3.0 * epochs], "seconds": [5.2, 75.0]},
                             index=["two-phase", "brute force (estimate)"])  # fmt: skip
        facts = {
            "winner": "won", "pipeline": "text-classification", "zoo": "the zoo", "models": 3, "hub": False,
            "reads": "The model reads the first 24 tokens of a text.", "budget": "", "failures": {}, "training": {"epochs": epochs},
            "data": {"name": "pets.csv", "path": "in/pets.csv", "kind": "csv", "pairs": False, "classes": len(names), "notes": ["a note"],
                     "leaked": leaked, "train": 20, "validation": 10, "test": 1000} | data,
            "recall": {"how": "all 3 scored", "scored": {"won": 1.0, "a-cut": 1.0}, "proxy": "logme", "normalization": "minmax", "epochs": 1.0},
            "selection": {"how": "How it went."},
        }  # fmt: skip
        return Outcome(
            winner="won", test=0.7, interval=(0.6, 0.8), baseline=0.5, metric=metric, score=0.65, recall=ranking,
            history=pd.DataFrame(rows, columns=HISTORY), ledger=pd.DataFrame(), costs=costs, classes=classes, facts=facts,
            model=tmp_path / "runs" / "pets" / "model", folder=tmp_path / "runs" / "pets", finished=finished, pictures=report.pictures,
        )  # fmt: skip

    (tmp_path / "runs" / "pets").mkdir(parents=True)
    return make


@pytest.fixture
def undrawn(monkeypatch):
    """Figures are made and not rendered, which takes most of the time."""
    monkeypatch.setattr(report, "_encoded", lambda figure: plots.close(figure) or "")


def test_an_outcome_says_itself_in_a_few_lines(made):
    found = made(metric="macro_f1")
    assert repr(found) == str(found) and found.ranking is found.recall
    rows = dict(re.split(r"  +", line, maxsplit=1) for line in str(found).splitlines())
    assert rows["test accuracy"] == "0.700 (95 %: 0.600 to 0.800)" and rows["test macro F1"] == "0.650"
    assert rows["most frequent class"] == "accuracy 0.500" and rows["cost"] == "3.5 epochs, 5 s"
    assert rows["trying all of them"] == "6 epochs, about 1 min 15 s (14.4 times as long)"
    assert rows["model"] == "runs/pets/model"


@pytest.mark.parametrize(
    ("accuracy", "said"),
    [
        (0.69, ""),
        (0.75, "Words is as good as the selected model: use that"),
        (0.91, "Words is better than the selected model, 0.910 against 0.700: use that"),
    ],
)
def test_a_baseline_that_is_no_worse_is_named_everywhere(made, undrawn, accuracy, said):
    found = made()
    found.facts["baselines"] = [
        {"name": "the probe", "accuracy": 0.6, "score": 0.6, "seconds": 1.0},
        {"name": "words", "accuracy": accuracy, "score": accuracy, "seconds": 2.0},
    ]
    assert found.beaten.startswith(said) and bool(found.beaten) == bool(said)
    rows = dict(re.split(r"  +", line, maxsplit=1) for line in str(found).splitlines())
    assert rows["without fine-tuning"] == f"accuracy {accuracy:.3f}, words, 2 s"
    assert rows["without fine-tuning (2)"] == "accuracy 0.600, the probe, 1 s"
    page = report.write(found).read_text()
    assert f"words has accuracy {accuracy:.3f}" in page and f"has accuracy {accuracy:.3f}" in card(found)
    if said:
        assert all(found.beaten in text for text in (str(found), page, card(found)))


@pytest.mark.parametrize(
    ("vals", "rising"),
    [([0.5, 0.6], True), ([0.5, 0.505], False), ([0.6, 0.5], False), ([0.7, 0.5, 0.6], False), ([0.5], False)],
)
def test_a_winner_that_is_still_rising_is_told(made, vals, rising):
    found = made()
    rows = [(stage, "won", val, 0.8, True, "kept") for stage, val in enumerate(vals, 1)]
    found = replace(found, history=pd.DataFrame(rows, columns=HISTORY))
    assert bool(found.rising) == rising
    if rising:
        assert found.rising == "0.500 to 0.600 over the last epoch: training.epochs=8 would give it time"


def test_why_says_what_became_of_each_model(made):
    found = made()
    found.facts["failures"] = {"broken": "its weights are cut"}
    assert (
        found.why("won")
        == "won was ranked 1 of 3 before any training, and was selected with validation 0.700 after 2 epochs."
    )
    assert found.why("a-cut") == (
        "a-cut was ranked 3 of 3 before any training, and ended (filtered: won has a higher predicted final) with validation "
        "0.400 after 1 epoch."
    )
    assert found.why("broken") == "broken was left out: its weights are cut"
    assert (
        replace(found, history=found.history.iloc[1:]).why("a-cut")
        == "a-cut was ranked 3 of 3 before any training and not trained."
    )
    with pytest.raises(UserError, match=r"unknown model 'wom' \(did you mean won\?\)"):
        found.why("wom")


def test_in_a_notebook_paths_are_links_and_no_row_is_empty(made, undrawn):
    html = made()._repr_html_()
    assert (
        html.count("<img") == 4 and '<a href="runs/pets/report.html">' in html and '<a href="runs/pets/model">' in html
    )
    assert html.count("<tr>") == 8 and "<th></th>" not in html and "<thead" not in html


def test_the_page_names_data_and_model_first_and_folds_the_winner(made, undrawn):
    html = report.write(made()).read_text()
    assert "<h1>pets.csv: won</h1>" in html and html.index("a note") < html.index("Who was cut when")
    assert "95 % interval 0.600 to 0.800" in html and "recall_score" not in html
    ended = report.ends(made())
    assert list(ended["model"]) == ["won", "c-halved", "a-cut"] and list(ended["stage"]) == [2, 2, 1]
    assert ended["reason"].iloc[0] == "selected" and ended["reason"].iloc[1].startswith("halved")
    whole = report.costs(made())
    assert [epochs for _, epochs, _ in whole] == [1.0, 2.5, 3.5, 6.0] and whole[1][2] == pytest.approx(3.2)


def test_long_tables_are_folded_and_the_worst_classes_drawn(made, undrawn):
    names = [f"class {number}" for number in range(77)]
    found = made(names)
    assert "<details><summary>All 77 classes" in report.write(found).read_text()
    assert "<details>" not in report.write(made()).read_text()
    assert list(drawing.hardest(found).index[:3]) == names[:3]
    with_ticks = drawing.classes(found).axes[0].get_yticklabels()
    assert [tick.get_text() for tick in with_ticks][::-1] == names[:10]


def test_one_epoch_is_drawn_as_bars_and_written_in_the_singular(made):
    found = made(epochs=1)
    axis = drawing.curves(found).axes[0]
    assert [tick.get_text() for tick in axis.get_yticklabels()] == ["a-cut", "c-halved", "won"] and not axis.lines
    assert "for 1 epoch, selected" in card(found)
    assert report.ends(found)["reason"].iloc[1] == "its validation was not the best at the end"


def test_whatever_a_class_is_called_nothing_warns(made):
    names = ("cat", "\U0001f600\U0001f4a9", "a\tb", "x" * 5000, "$1 or $2", "\u8a9e")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        html = report.write(made(names)).read_text()
    assert all(name[:50] in html for name in names) and len(html) < 1_000_000


def test_models_of_which_nothing_is_known_have_a_proxy_score_only(made, undrawn):
    found = made()
    scores = pd.DataFrame({"proxy": [-0.1, -0.5, -2.0], "recall_score": [-0.1, -0.5, -2.0], "rank": [1, 2, 3], "recalled": True},
                          index=found.recall.index)  # fmt: skip
    found = replace(found, recall=scores)
    (axis,) = drawing.ranking(found).axes
    assert axis.get_xlabel() == "proxy score" and not axis.patches and len(axis.collections) == 1
    html = report.write(found).read_text()
    assert "<th>Proxy score</th>" in html and "Prior" not in html and "Recall score" not in html


def test_test_rows_seen_in_training_are_marked_beside_the_accuracy(made, undrawn):
    found, said = made(leaked=160), "160 of 1,000 test rows are also in the training data"
    assert said in str(found) and said in report.write(found).read_text() and said in card(found)
    assert "model-index" not in card(found) and said not in str(made())


def test_one_copied_row_is_told_with_its_effect_and_is_no_alarm(made, undrawn):
    found, said = (
        made(leaked=1),
        "1 of 1,000 test rows is also in the training data, which raises the accuracy by 0.001 at most.",
    )
    html = report.write(found).read_text()
    assert f"<p>{said}</p>" in html and "too high" not in html + card(found) + str(found)
    assert said in card(found) and "model-index" in card(found)


def test_a_run_that_was_ended_says_so(made, undrawn):
    html = report.write(made(finished=False)).read_text()
    assert "<strong>Not finished.</strong> How it went." in html and "best so far" in html
    assert "ended early" in card(made(finished=False))


def test_the_cards_metadata_are_what_a_hub_reads(made):
    from huggingface_hub import ModelCard

    found = ModelCard(card(made(metric="macro_f1"))).data
    assert found.base_model is None and found.datasets is None and found.pipeline_tag == "text-classification"
    results = {one.metric_type: one.metric_value for one in found.eval_results}
    assert results == {"accuracy": 0.7, "f1": 0.65} and found.eval_results[0].dataset_type == "csv"
    hub = ModelCard(card(made(kind="hub", path="org/pets", name="org/pets (plain)"))).data
    assert hub.datasets == ["org/pets"] and hub.eval_results[0].dataset_type == "org/pets"
    assert str(made().folder) not in card(made()) and "truncation=True" in card(made())


@pytest.mark.parametrize(
    ("got", "said"),
    [(wording.counted(1, "epoch"), "1 epoch"), (wording.counted(15.5, "epoch"), "15.5 epochs"),
     (wording.counted(1000, "class"), "1,000 classes"), (wording.seconds(0.41), "0.4 s"), (wording.seconds(60.852), "1 min 1 s"),
     (wording.seconds(7500), "2 h 5 min"), (wording.seconds(float("nan")), "unknown"), (wording.named("a/b.csv", "csv"), "b.csv"),
     (wording.printable("a\tb $c$"), r"a b \$c\$"), (wording.printable("x" * 40, 5), "xxxx…")],
)  # fmt: skip
def test_numbers_and_names_as_a_person_writes_them(got, said):
    assert got == said
