"""A plan as text."""

import pandas as pd

from twophase.commands.matrix.data import Data
from twophase.commands.matrix.estimate import kind, rate, wall_clock
from twophase.commands.matrix.models import Model
from twophase.commands.matrix.planning import CLUSTERS, HOUR, Plan, free, hardware
from twophase.commands.wording import table
from twophase.infra.store import cache_folder

WIDTH = 60  # of a reason or a note in a table


def text(plan: Plan) -> str:
    """Models, datasets, cells, hours and disk, and what would start."""
    return "\n\n".join([_head(plan), _models(plan), _datasets(plan), _costs(plan), _start(plan)])


def _head(plan: Plan) -> str:
    given, chosen = plan.given, hardware(plan.given)
    how = given.trainings["image" if all(one.reads == "image" for one in plan.data) else "text"]
    asked = f"\nThe hub was not asked ({plan.hub}): its sizes are assumed." if plan.hub and _of_hub(plan) else ""
    return (
        f"{given.matrix.name}: {len(plan.models)} models x {len(plan.data)} datasets; {how.epochs} epochs, batch {how.batch_size}, "
        f"learning rate {how.learning_rate:g}, {chosen.precision} on {chosen.device}, compute={given.compute.engine}{asked}"
    )


def _of_hub(plan: Plan) -> bool:
    return any(one.known == "assumed" for one in plan.models) or any(one.folder is None for one in plan.data)


def _models(plan: Plan) -> str:
    hours = plan.to_do.groupby("model")["estimate"].sum()
    rows = [
        {
            "model": one.name,
            "parameters": f"{one.parameters / 1e6:.3g} M",
            "per token": f"{one.computing / 1e6:.3g} M",
            "time": _time(hours.get(one.name, 0.0)),
            "known from": one.known,
            "": _state(one),
        }
        for one in plan.models
    ]
    return _rows(rows)


def _state(one: Model | Data) -> str:
    return f"cannot be had: {_short(one.fault)}" if one.fault else "here" if one.folder else "to download"


def _datasets(plan: Plan) -> str:
    hours = plan.to_do.groupby("dataset")["estimate"].sum()
    rows = [
        {
            "dataset": one.name,
            "role": one.source.role,
            **{split: f"{one.rows[split]:,}" for split in ("train", "validation", "test")},
            "tokens": str(one.tokens) if one.reads == "text" else "",
            "time": _time(hours.get(one.name, 0.0)),
            "": "; ".join(filter(None, (_state(one), one.source.note))),
        }
        for one in plan.data
    ]
    return "\n".join([_rows(rows), *(f"{one.name}: {'; '.join(one.notes)}" for one in plan.data if one.notes)])


def _costs(plan: Plan) -> str:
    chosen, given = hardware(plan.given), plan.given
    left, done, estimate = plan.to_do, plan.done, plan.given.estimate
    unit = "GPU-hours" if plan.on_gpu else "hours of one worker"
    unit_of = "GPU(s)" if plan.on_gpu else "worker(s)"
    seconds = list(left["estimate"])
    disk = plan.disk()
    lines = [
        f"cells: {len(plan.cells)}; done {len(done)} ({_time(done['done'].sum())} measured), to do {len(left)}",
        f"{unit}: {sum(seconds) / HOUR:.3g} for what is to do",
        "  = sum over cells of (6 x per token x tokens x training rows x epochs + 2 x per token x tokens x rows evaluated) / "
        f"{rate(chosen, estimate):.3g} + {estimate.seconds_per_step[kind(chosen)]:g} s a step + {estimate.seconds_per_cell[kind(chosen)]:g} s a cell",
        f"  {rate(chosen, estimate):.3g} operations a second = estimate.peak_flops.{kind(chosen)}.{chosen.precision} x utilisation {estimate.utilisation:g} "
        "(assumed); sources and assumptions: conf/matrix.yaml",
    ]
    if len(done):
        ratio = done["done"].sum() / done["training"].sum()
        measured = sum(seconds) + (ratio - 1) * left["training"].sum()
        lines.append(
            f"  the {len(done)} cells done took {ratio:.3g} times their estimate; by that, what is to do takes {_time(measured)}"
        )
    lines += [
        f"wall-clock: {_time(wall_clock(seconds, plan.devices))} on {plan.devices} {unit_of}; the longest cell {_time(max(seconds, default=0))}",
        f"disk: models {_gb(disk['models'])}, datasets {_gb(disk['datasets'])}, checkpoints {_gb(disk['checkpoints'])} ({plan.at_once} at once); "
        f"to download {_gb(disk['download'])}; free {_gb(free())} at {cache_folder()}",
    ]
    if plan.on_gpu and plan.devices > 1 and given.compute.engine not in CLUSTERS:
        lines.append(
            f"  compute={given.compute.engine} uses one GPU; for {plan.devices}: compute=ray compute.gpus_per_task=1 (or dask)"
        )
    if disk["download"] + disk["checkpoints"] > free():
        lines.append("  NOT ENOUGH ROOM: free some space, or name another folder in TWOPHASE_CACHE")
    return "\n".join(lines)


def _start(plan: Plan) -> str:
    faults = sum(bool(one.fault) for one in [*plan.models, *plan.data])
    left = f"; {faults} models or datasets that cannot be had are left out" if faults else ""
    bring = [one for one in [*plan.models, *plan.data] if one.folder is None and not one.fault]
    return (
        f"matrix run would bring {len(bring)} models and datasets, train {len(plan.to_do)} cells and write records.csv and failures.csv "
        f"into {plan.given.folder}{left}."
    )


def _time(seconds: float) -> str:
    size, unit = next(((seconds / n, unit) for n, unit in ((HOUR, "h"), (60, "min")) if seconds >= n), (seconds, "s"))
    return f"{size:,.0f} {unit}" if size >= 100 else f"{size:.2g} {unit}"


def _gb(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def _short(reason: str) -> str:
    return reason if len(reason) <= WIDTH else reason[: WIDTH - 1] + "…"


def _rows(rows: list[dict]) -> str:
    return table(rows[0], [row.values() for row in pd.DataFrame(rows).astype(str).to_dict("records")])
