"""The one place where a configuration is checked: plain values in, :class:`~twophase.infra.settings.Params` out."""

from __future__ import annotations

import difflib
import types
import typing
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from twophase.errors import UserError
from twophase.infra.settings import Domain, Params

CHOICES = {
    "proxy.normalization": ("exp", "minmax", "none"),
    "clustering.method": ("hierarchical", "kmeans"),
    "selection.threshold_kind": ("relative", "absolute"),
}


def validate(values: dict[str, Any]) -> Params:
    """Check a composed configuration and turn it into dataclasses.

    Raises:
        UserError: an unknown or missing key, dataset, proxy or model, a wrong type, a number out of range.
    """
    values = dict(values)
    names = values.get("domains")
    if not isinstance(names, list) or not names:
        raise UserError(
            f"domains: got {names!r}; allowed is a list such as [cv]; after an edit of conf/: `make params`"
        )
    missing = [name for name in names if name not in values]
    if missing:
        raise UserError(
            f"domains: got {', '.join(map(str, missing))}; allowed are keys of the configuration, such as cv"
        )
    plain = [field.name for field in fields(Params) if field.name != "domain"]
    from twophase.sources.live.corpora import DOMAINS

    values = {key: value for key, value in values.items() if key not in DOMAINS or key in names}  # the others rest
    for key in values:
        if key not in (*plain, *names):
            raise unknown(f"key {key}", key, [*plain, *names])
    domains = {name: build(Domain, values.pop(name), name) for name in names}
    params = build(Params, {**values, "domain": domains}, "")
    _check_numbers(params)
    for name, domain in params.domain.items():
        _check_domain(params, name, domain)
    return params


def build(kind: Any, value: Any, where: str) -> Any:
    """``value`` as ``kind`` (a dataclass, tuple, union or plain type), naming the key in every complaint."""
    if is_dataclass(kind):
        return _build_dataclass(kind, value, where)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return None if value is None else build(arguments[0], value, where)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise UserError(f"{where}: got {value!r}; allowed is a list")
        return tuple(build(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if origin is dict:
        if not isinstance(value, dict):
            raise UserError(f"{where}: got {value!r}; allowed is a mapping")
        return dict(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise UserError(f"{where}: got {value!r} ({type(value).__name__}); allowed is a value of type {kind.__name__}")
    return value


def _build_dataclass(kind: Any, value: Any, where: str) -> Any:
    if isinstance(value, kind):
        return value
    if not isinstance(value, dict):
        raise UserError(
            f"{where or 'params.yaml'}: got {value!r}; allowed is a mapping of {kind.__name__.lower()} keys"
        )
    hints = typing.get_type_hints(kind)
    allowed = [field.name for field in fields(kind) if field.init]
    dotted = f"{where}." if where else ""
    for key in value:
        if key not in allowed:
            raise unknown(f"key {dotted}{key}", key, allowed)
    required = [field.name for field in fields(kind) if field.default is MISSING and field.init]
    absent = [name for name in required if name not in value]
    if absent:
        raise UserError(f"missing key {dotted}{absent[0]}: add it under conf/ and run `make params`")
    return kind(**{name: build(hints[name], value[name], dotted + name) for name in allowed if name in value})


def unknown(what: str, got: object, allowed: typing.Iterable[str]) -> UserError:
    """The complaint about a name that is not in a list, with the nearest one that is."""
    allowed = [str(name) for name in allowed]
    near = difflib.get_close_matches(str(got), allowed, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return UserError(f"unknown {what}{hint}; allowed: {', '.join(allowed) or 'none'}")


def _check_numbers(params: Params) -> None:
    for key, choices in CHOICES.items():
        group, name = key.split(".")
        if (got := getattr(getattr(params, group), name)) not in choices:
            raise unknown(f"{key} {got!r}", got, choices)
    _at_least("seed", params.seed, 0)
    _at_least("clustering.k", params.clustering.k, 1)
    _at_least("clustering.exact_up_to", params.clustering.exact_up_to, 1)
    _at_least("recall.top", params.recall.top, 1)
    _at_least("recall.epochs_per_proxy", params.recall.epochs_per_proxy, 0)
    _at_least("selection.threshold", params.selection.threshold, 0)
    _at_least("selection.n_trends", params.selection.n_trends, 1)
    given = params.published
    for key in ("k", "top", "subset_repeats"):
        _at_least(f"published.{key}", getattr(given, key), 1)
    for name, cut in vars(given.cuts).items():
        _at_least(f"published.cuts.{name}", cut, 0)
    _at_least("published.leakage_z", given.leakage_z, 0)
    for size in given.subset_sizes:
        _at_least("published.subset_sizes", size, 1)
    if params.clustering.n_clusters is not None:
        _at_least("clustering.n_clusters", params.clustering.n_clusters, 1)


def _at_least(key: str, got: float, least: float, most: float | None = None) -> None:
    if not got >= least or (most is not None and got > most):
        upper = "" if most is None else f" and at most {most}"
        raise UserError(f"{key}: got {got}; allowed is at least {least}{upper}")


def _check_domain(params: Params, name: str, domain: Domain) -> None:
    from twophase.proxies import PROXIES, RELEASED
    from twophase.sources.live import corpora as tasks
    from twophase.sources.live.zoo.recipes import DOMAINS

    computable = PROXIES | RELEASED
    for key in ("name", "headless"):
        if (got := getattr(params.proxy, key)) not in computable:
            raise unknown(f"proxy.{key} {got!r}", got, computable)
        if getattr(params.proxy, key) not in domain.proxies:
            raise UserError(f"proxy.{key}: {getattr(params.proxy, key)} is not computed; add it to {name}.proxies")
    for proxy in domain.proxies:
        if proxy not in computable:
            raise unknown(f"proxy {proxy!r} in {name}.proxies", proxy, computable)
    known, chosen = tasks.names(name), domain.tasks
    datasets = chosen.benchmark + chosen.target + chosen.upstream
    for dataset in datasets:
        if dataset not in known:
            raise unknown(f"dataset {dataset!r} in {name}.tasks", dataset, known)
    for where, names in (
        ("tasks", datasets),
        ("proxies", domain.proxies),
        ("seeds.models", domain.seeds.models),
    ):
        if twice := sorted({item for item in names if names.count(item) > 1}):
            raise UserError(f"{name}.{where}: {', '.join(twice)} is named twice; name it once")
    for where, names in (("zoo.include", domain.zoo.include or ()), ("seeds.models", domain.seeds.models)):
        for model in names:
            if model not in domain.zoo.models:
                raise unknown(f"model {model!r} in {name}.{where}", model, domain.zoo.models)
    for recipe in domain.zoo.recipes.values():
        if recipe.architecture and recipe.architecture not in DOMAINS[name].ARCHITECTURES:
            what = f"architecture {recipe.architecture!r} of model {recipe.name}"
            raise unknown(what, recipe.architecture, DOMAINS[name].ARCHITECTURES)
        for read in sorted(recipe.reads):
            if read not in chosen.upstream:
                raise unknown(f"upstream {read!r} that model {recipe.name} reads", read, chosen.upstream)
    _check_counts(params, name, domain)


def _check_counts(params: Params, name: str, domain: Domain) -> None:
    datasets, models = len(domain.tasks.benchmark), len(domain.zoo.recipes)
    for key, got, most, what in (
        ("clustering.k", params.clustering.k, datasets, "benchmark datasets"),
        ("selection.n_trends", params.selection.n_trends, datasets, "benchmark datasets"),
        ("recall.top", params.recall.top, models, "models"),
        ("clustering.n_clusters", params.clustering.n_clusters or 1, models, "models"),
    ):
        if got > most:
            raise UserError(
                f"{key}: got {got}; allowed is at most {most}, the number of {name} {what}: lower it or add {what}"
            )
    _at_least(f"{name}.cut", domain.cut, 0)
    if domain.tasks.files is not None:
        _at_least(f"{name}.tasks.files", domain.tasks.files, 1)
    for split in ("train", "validation", "test"):
        _at_least(f"{name}.tasks.sizes.{split}", getattr(domain.tasks.sizes, split), 1)
        _at_least(f"{name}.tasks.upstream_sizes.{split}", getattr(domain.tasks.upstream_sizes, split), 1)
    training = domain.training
    _at_least(f"{name}.training.epochs", training.epochs, 1)
    _at_least(f"{name}.training.batch_size", training.batch_size, 1)
    for key, rate in (
        ("training.learning_rate", training.learning_rate),
        ("second_rate.learning_rate", domain.second_rate.learning_rate),
    ):
        if not rate > 0:
            raise UserError(f"{name}.{key}: got {rate}; allowed is more than 0")
    _at_least(f"{name}.training.weight_decay", training.weight_decay, 0)
    _at_least(f"{name}.training.warmup", training.warmup, 0, 1)
    _at_least(f"{name}.seeds.extra", domain.seeds.extra, 0)
    _at_least(f"{name}.second_rate.models", domain.second_rate.models, 1)
