"""What a run says for good: its report, a page that loads nothing, and the card of the fine-tuned model."""

import base64
from io import BytesIO
from pathlib import Path

import pandas as pd
from huggingface_hub import EvalResult, ModelCardData
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.figure import Figure

from twophase.commands import wording
from twophase.commands.select import figures
from twophase.commands.select.outcome import Outcome
from twophase.commands.wording import counted
from twophase.infra import plots
from twophase.infra.files import write_text
from twophase.proxies import PROXIES

TEMPLATES = Path(__file__).with_name("templates")
PHONE = 3.7  # inches: width of the figures that small screens show
MOST = 100  # rows of the ranking
FOLDED = 12  # a longer table opens at a click
FIGURES = {
    "Who was cut when": figures.curves,
    "Ranking": figures.ranking,
    "Cost": figures.cost,
    "Classes": figures.classes,
}
READERS = {"image_folder": "imagefolder"}  # what the hub calls data of no hub: by the reader of the `datasets` library
METRICS = {"macro_f1": "f1", "weighted_f1": "f1", "matthews": "matthews_correlation"}  # the hub's names


def write(outcome: Outcome) -> Path:
    """Write the report into the run's folder: one file, which loads nothing."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.globals.update(counted=counted, seconds=wording.seconds, share=wording.share)
    facts = outcome.facts
    html = environment.get_template("report.html.j2").render(
        outcome=outcome,
        facts=facts,
        data=facts["data"],
        figures={title: _both(outcome, title) for title in FIGURES},
        metric=wording.metric(outcome.metric),
        proxy=PROXIES[facts["recall"]["proxy"]].label,
        scaled=wording.SCALED[facts["recall"]["normalization"]],
        usage=usage(outcome, wording.short(outcome.model)),
        cuts=ends(outcome),
        costs=costs(outcome),
        ranking=outcome.recall.head(MOST),
        classes=figures.hardest(outcome),
        untested=list(outcome.classes.index[outcome.classes["test"] == 0]),
        tuned=set(outcome.history["model"]),
        worst=figures.WORST,
        folded=FOLDED,
    )
    write_text(outcome.report, html)
    return outcome.report


def ends(outcome: Outcome) -> pd.DataFrame:
    """A row a model that was fine-tuned, the winner first: model, epochs, val and predicted after the last, why it ended."""
    last = outcome.history.sort_values("stage", kind="stable").groupby("model", sort=False).tail(1)
    won, kept = last["model"] == outcome.winner, last["kept"].astype(bool) & outcome.finished
    reason = last["reason"].mask(kept, "its validation was not the best at the end")
    reason = reason.mask(won, "selected" if outcome.finished else "best so far")
    last = last.assign(won=won, reason=reason, predicted=last["predicted"].mask(won))
    return last.sort_values(["won", "stage", "val"], ascending=False, kind="stable")


def costs(outcome: Outcome) -> list[tuple[str, float, float]]:
    """What was done, model-epochs, seconds: scoring, fine-tuning, both, and the estimate for all models."""
    recall, (here, whole) = outcome.facts["recall"], outcome.costs.itertuples(index=False)
    scored, tuned = counted(len(recall["scored"]), "model"), counted(outcome.history["model"].nunique(), "model")
    took = sum(recall["scored"].values())
    return [
        (f"proxy scores of {scored}", recall["epochs"], took),
        (f"fine-tuning of {tuned}", here.epochs - recall["epochs"], here.seconds - took),
        ("this run", here.epochs, here.seconds),
        (f"trying all {counted(outcome.facts['models'], 'model')} (estimate)", whole.epochs, whole.seconds),
    ]


def pictures(outcome: Outcome) -> dict[str, str]:
    """Title -> an image tag that holds its picture."""
    return {title: _image(draw(outcome), title) for title, draw in FIGURES.items()}


def _both(outcome: Outcome, title: str) -> str:
    """A picture for wide screens, and one for narrow ones in which letters have the same size."""
    narrow = _encoded(FIGURES[title](outcome, PHONE))
    source = f'<source media="(max-width: 600px)" srcset="data:image/png;base64,{narrow}">'
    return f"<picture>{source}{_image(FIGURES[title](outcome), title)}</picture>"


def _image(figure: Figure, title: str) -> str:
    width = round(figure.get_figwidth() * 96)
    return f'<img width="{width}" alt="{title}" src="data:image/png;base64,{_encoded(figure)}">'


def _encoded(figure: Figure) -> str:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=160)
    plots.close(figure)
    return base64.b64encode(buffer.getvalue()).decode()


def card(outcome: Outcome) -> str:
    """The card, for README.md beside the model; its metadata are those that a hub reads."""
    facts, (low, high) = outcome.facts, outcome.interval
    data, epochs, how = facts["data"], facts["training"]["epochs"], facts["recall"]["how"]
    ended = "" if outcome.finished else f" of {epochs}, when the run was ended early"
    text = [
        f"# {outcome.winner}, fine-tuned on {data['name']}",
        f"Accuracy {outcome.test:.3f} (95 % interval {low:.3f} to {high:.3f}) on {counted(data['test'], 'test example')} of "
        f"{counted(data['classes'], 'class')}; always answering the most frequent class gives {outcome.baseline:.3f}.",
        f"Trained on {counted(data['train'], 'example')} for {counted(outcome.trained, 'epoch')}{ended}, selected on "
        f"{counted(data['validation'], 'other')}.",
    ]
    if outcome.metric != "accuracy":
        judged = wording.metric(outcome.metric).capitalize()
        text.insert(2, f"{judged}, which models were selected by: {outcome.score:.3f}.")
    if outcome.leaked:
        text.insert(2, f"**This is too high for new data: {outcome.leaked}.**")
    if facts["reads"]:
        text.append(facts["reads"])
    text.append(
        f"Selected from {counted(facts['models'], 'model')} of {facts['zoo']}. {how[0].upper()}{how[1:]}. "
        f"{facts['selection']['how']} {facts['budget']}".rstrip()
    )
    lines = usage(outcome, ".").replace('model=".",', 'model=".",  # this folder, or the path to it')
    return f"---\n{_metadata(outcome)}\n---\n" + "\n\n".join(text) + f"\n\n```python\n{lines}\n```\n"


def usage(outcome: Outcome, model: str) -> str:
    """How the model is used, as Python."""
    kind = outcome.facts["pipeline"]
    options = [f'"{kind}"', f'model="{model}"', *(["truncation=True"] if kind == "text-classification" else [])]
    example = '"a picture.png"' if kind == "image-classification" else '"a text"'
    if outcome.facts["data"]["pairs"]:
        example = '{"text": "a text", "text_pair": "another"}'
    inside = "".join(f"    {option},\n" for option in options)
    return f"from transformers import pipeline\n\nclassify = pipeline(\n{inside})\nclassify({example})"


def _metadata(outcome: Outcome) -> str:
    """YAML with what is true and a hub understands: a base model and a dataset are named only if they are a hub's."""
    facts, data = outcome.facts, outcome.facts["data"]
    of_hub = data["kind"] == "hub"
    found = [("accuracy", outcome.test, "Accuracy")]
    if outcome.metric in METRICS:
        found.append((METRICS[outcome.metric], outcome.score, wording.metric(outcome.metric).capitalize()))
    measured = {
        "task_type": facts["pipeline"],
        "dataset_type": data["path"] if of_hub else READERS.get(data["kind"], data["kind"]),
        "dataset_name": data["name"],
        "dataset_split": "test",
    }
    results = [
        EvalResult(**measured, metric_type=name, metric_value=round(value, 4), metric_name=said)
        for name, value, said in found
    ]
    result = {} if outcome.leaked else {"model_name": f"{outcome.winner} on {data['name']}", "eval_results": results}
    return ModelCardData(
        pipeline_tag=facts["pipeline"],
        library_name="transformers",
        tags=["twophase", "fine-tuned"],
        metrics=[name for name, _, _ in found],
        base_model=outcome.winner if facts["hub"] else None,
        datasets=[data["path"]] if of_hub else None,
        **result,
    ).to_yaml()
