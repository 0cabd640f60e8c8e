"""A run's report: a page that loads nothing."""

import base64
from io import BytesIO
from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.figure import Figure

from twophase.commands import wording
from twophase.commands.select.drawing import WORST, columns, figures, hardest
from twophase.commands.select.outcome import Outcome
from twophase.commands.wording import counted, metric, seconds
from twophase.infra import plots
from twophase.infra.files import write_text
from twophase.proxies import PROXIES

TEMPLATES = Path(__file__).with_name("templates")
PHONE = 3.7  # inches: width of the figures that small screens show
MOST = 100  # rows of the ranking
FOLDED = 12  # a longer table opens at a click


def write(outcome: Outcome) -> Path:
    """Write the report into the run's folder: one file, which loads nothing."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.globals.update(counted=counted, seconds=seconds, share=wording.share)
    facts = outcome.facts
    html = environment.get_template("report.html.j2").render(
        outcome=outcome,
        facts=facts,
        data=facts["data"],
        figures={title: _both(outcome, title) for title in figures(outcome)},
        metric=metric(outcome.metric),
        proxy=PROXIES[facts["recall"]["proxy"]].label,
        scaled=wording.SCALED[facts["recall"]["normalization"]],
        usage=outcome.usage(wording.short(outcome.model)),
        cuts=ends(outcome),
        costs=costs(outcome),
        ranking=outcome.recall.head(MOST),
        columns=columns(outcome.recall),
        classes=hardest(outcome),
        untested=list(outcome.classes.index[outcome.classes["test"] == 0]),
        tuned=set(outcome.history["model"]),
        worst=WORST,
        folded=FOLDED,
    )
    write_text(outcome.report, html)
    return outcome.report


def ends(outcome: Outcome) -> pd.DataFrame:
    """A row a model that was fine-tuned, the winner first: model, epochs, val and predicted after the last, why it ended."""
    last = outcome.history.sort_values("stage", kind="stable").groupby("model", sort=False).tail(1)
    won, kept = last["model"] == outcome.winner, (last["reason"] == "kept") & outcome.finished
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
    return {title: _image(draw(outcome), title) for title, draw in figures(outcome).items()}


def _both(outcome: Outcome, title: str) -> str:
    """A picture for wide screens, and one for narrow ones in which letters have the same size."""
    narrow = _encoded(figures(outcome)[title](outcome, PHONE))
    source = f'<source media="(max-width: 600px)" srcset="data:image/png;base64,{narrow}">'
    return f"<picture>{source}{_image(figures(outcome)[title](outcome), title)}</picture>"


def _image(figure: Figure, title: str) -> str:
    width = round(figure.get_figwidth() * 96)
    return f'<img width="{width}" alt="{title}" src="data:image/png;base64,{_encoded(figure)}">'


def _encoded(figure: Figure) -> str:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=160)
    plots.close(figure)
    return base64.b64encode(buffer.getvalue()).decode()
