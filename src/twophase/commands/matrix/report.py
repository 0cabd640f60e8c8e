"""A plan as text."""

from twophase.commands.matrix.data import Data
from twophase.commands.matrix.models import Model
from twophase.commands.matrix.planning import CLUSTERS, Plan, device_kind, free, hardware, rate, wall_clock
from twophase.commands.wording import table
from twophase.infra.store import cache_folder
from twophase.training.tasks import SPLITS

HOUR = 3600
WIDTH = 60  # of a reason or a note in a table


def text(plan: Plan) -> str:
    """Models, datasets, cells, hours and disk, and what would start."""
    return "\n\n".join([_head(plan), _models(plan), _datasets(plan), _costs(plan), _start(plan)])


def _head(plan: Plan) -> str:
    given, chosen = plan.given, hardware(plan.given)
    how = given.trainings["image" if all(one.modality == "image" for one in plan.data) else "text"]
    asked = f"\nThe hub was not asked ({plan.hub}): its sizes are assumed." if plan.hub and _of_hub(plan) else ""
    return (
        f"{given.matrix.name}: {len(plan.models)} models x {len(plan.data)} datasets; {how.epochs} epochs, batch {how.batch_size}, "
        f"learning rate {how.learning_rate:g}, {chosen.precision} on {chosen.device}, compute={given.compute.engine}{asked}"
    )


def _of_hub(plan: Plan) -> bool:
    return any(one.known == "assumed" for one in plan.models) or any(one.folder is None for one in plan.data)


def _models(plan: Plan) -> str:
    hours = plan.to_do.groupby("model")["estimate"].sum()
    rows = []
    for one in plan.models:
        sizes = [f"{number / 1e6:.3g} M" for number in (one.parameters, one.computing)]
        rows.append((one.name, *sizes, _time(hours.get(one.name, 0.0)), one.known, _state(one)))
    return table(("model", "parameters", "per token", "time", "known from", ""), rows)


def _datasets(plan: Plan) -> str:
    hours = plan.to_do.groupby("dataset")["estimate"].sum()
    rows = []
    for one in plan.data:
        sizes = [f"{one.rows[split]:,}" for split in SPLITS]
        tokens = one.tokens if one.modality == "text" else ""
        state = "; ".join(filter(None, (_state(one), one.source.note)))
        rows.append((one.name, one.source.role, *sizes, tokens, _time(hours.get(one.name, 0.0)), state))
    listed = table(("dataset", "role", *SPLITS, "tokens", "time", ""), rows)
    return "\n".join([listed, *(f"{one.name}: {'; '.join(one.notes)}" for one in plan.data if one.notes)])


def _state(one: Model | Data) -> str:
    if one.fault:
        return f"cannot be had: {one.fault if len(one.fault) <= WIDTH else one.fault[: WIDTH - 1] + '…'}"
    return "here" if one.folder else "to download"


def _costs(plan: Plan) -> str:
    chosen, given, estimate, disk = hardware(plan.given), plan.given, plan.given.estimate, plan.disk()
    device, speed = device_kind(chosen), rate(chosen, estimate)
    unit, unit_of = ("GPU-hours", "GPU(s)") if plan.on_gpu else ("hours of one worker", "worker(s)")
    left, done, seconds = plan.to_do, plan.done, list(plan.to_do["estimate"])
    lines = [
        f"cells: {len(plan.cells)}; done {len(done)} ({_time(done['done'].sum())} measured), to do {len(left)}",
        f"{unit}: {sum(seconds) / HOUR:.3g} for what is to do",
        "  = sum over cells of (6 x per token x tokens x training rows x epochs + 2 x per token x tokens x rows evaluated) / "
        f"{speed:.3g} + {estimate.seconds_per_step[device]:g} s a step + {estimate.seconds_per_cell[device]:g} s a cell",
        f"  {speed:.3g} operations a second = estimate.peak_flops.{device}.{chosen.precision} x utilisation "
        f"{estimate.utilisation:g} (assumed); sources and assumptions: conf/matrix.yaml",
    ]
    if len(done):
        ratio = done["done"].sum() / done["training"].sum()
        measured = _time(sum(seconds) + (ratio - 1) * left["training"].sum())
        lines.append(
            f"  the {len(done)} cells done took {ratio:.3g} times their estimate; by that, what is to do takes {measured}"
        )
    lines += [
        f"wall-clock: {_time(wall_clock(seconds, plan.devices))} on {plan.devices} {unit_of}; the longest cell "
        f"{_time(max(seconds, default=0))}",
        f"disk: models {_gb(disk['models'])}, datasets {_gb(disk['datasets'])}, checkpoints {_gb(disk['checkpoints'])} "
        f"({plan.at_once} at once); to download {_gb(disk['download'])}; free {_gb(free())} at {cache_folder()}",
    ]
    if plan.on_gpu and plan.devices > 1 and given.compute.engine not in CLUSTERS:
        lines.append(
            f"  compute={given.compute.engine} uses one GPU; for {plan.devices}: compute=ray compute.gpus_per_task=1 (or dask)"
        )
    if disk["download"] + disk["checkpoints"] > free():
        lines.append("  NOT ENOUGH ROOM: free some space, or name another folder in TWOPHASE_CACHE")
    return "\n".join(lines)


def _start(plan: Plan) -> str:
    both = [*plan.models, *plan.data]
    faults = sum(bool(one.fault) for one in both)
    left = f"; {faults} models or datasets that cannot be had are left out" if faults else ""
    new = sum(one.folder is None and not one.fault for one in both)
    return (
        f"matrix run would bring {new} models and datasets, train {len(plan.to_do)} cells and write records.csv and failures.csv "
        f"into {plan.given.folder}{left}."
    )


def _time(seconds: float) -> str:
    size, unit = next(((seconds / n, unit) for n, unit in ((HOUR, "h"), (60, "min")) if seconds >= n), (seconds, "s"))
    return f"{size:,.0f} {unit}" if size >= 100 else f"{size:.2g} {unit}"


def _gb(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"
