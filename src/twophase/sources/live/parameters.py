"""What the live zoos and the experiments on them are made with: `params.yaml`, checked.

Stages and notebooks never see Hydra: they call `read`, which gives frozen dataclasses.
"""

from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

from twophase.errors import UserError, unknown
from twophase.infra.config import PARAMS, compose, parse, values
from twophase.infra.files import write_text
from twophase.infra.schema import AtLeastOne, Field, NotNegative, OneOf, build, settings
from twophase.proxies import PROXIES, RELEASED
from twophase.recall import NORMALIZATIONS
from twophase.selection import check_threshold
from twophase.sources.live import corpora
from twophase.sources.live.zoo import recipes
from twophase.training.config import Clustering, Leader, Proxy, Recall, Selection, TrainingConfig


@settings()
class Cards:
    """What encodes model cards (`reproduction.card_embedding`); `encoder` None: nothing does. `sha256`: file -> hash."""

    name: str
    encoder: str | None
    sha256: dict[str, Any]


@settings()
class Sizes:
    """Examples of a task's splits."""

    train: AtLeastOne
    validation: AtLeastOne
    test: AtLeastOne


@settings()
class Tasks:
    """Names of the datasets by role; what models are pre-trained on (`upstream`) has sizes of its own, at most.

    `files`: for text, how many source files of a package are read at most; None is all.
    """

    benchmark: tuple[str, ...]
    target: tuple[str, ...]
    sizes: Sizes
    upstream: tuple[str, ...]
    upstream_sizes: Sizes
    files: AtLeastOne | None = None

    @property
    def roles(self) -> dict[str, str]:
        """Dataset -> benchmark or target, in the order of the records."""
        return dict.fromkeys(self.benchmark, "benchmark") | dict.fromkeys(self.target, "target")


@settings()
class Zoo:
    """Recipes by model name; `include` None: all of them, else these and their parents.

    `common`: fields of every recipe that does not set them itself.
    """

    include: tuple[str, ...] | None
    common: dict[str, Any]
    models: dict[str, Any]

    @property
    def recipes(self) -> dict[str, Any]:
        """Model -> `zoo.Recipe`, parents first: the models of this run."""
        models = {name: self.common | values for name, values in self.models.items()}
        return recipes.recipes(models, None if self.include is None else list(self.include))


@settings()
class SecondRate:
    """`models`: how many of the best on a target are trained once more, with this `learning_rate`."""

    models: AtLeastOne
    learning_rate: Annotated[float, Field(gt=0)]


@settings()
class Domain:
    """Everything that belongs to one domain (`cv`).

    `cut`, `normalization`: where the dendrogram is cut, and how LEEP comes to [0, 1]; see `reproduction.choices`. `second_rate`: with what the targets' best models are trained once more (Fig. 8); `second_seed`: how many of each dataset's best are, with another seed.
    """

    cut: NotNegative
    normalization: OneOf(NORMALIZATIONS)
    tasks: Tasks
    training: TrainingConfig
    second_rate: SecondRate
    second_seed: AtLeastOne
    proxies: tuple[str, ...]
    zoo: Zoo


@settings()
class Cuts:
    """Distances at which average linkage stops, of each published matrix."""

    paper_nlp: NotNegative
    paper_cv: NotNegative
    model_recycling: NotNegative
    transfergraph: NotNegative


@settings()
class Published:
    """How published records are read and analysed.

    `mirror`: folder that holds the files, None: they are downloaded. `leakage_z`: robust standard deviations. `subset_sizes`: numbers of benchmark datasets that are compared, each with
    `subset_repeats` random subsets.
    """

    mirror: str | None
    k: AtLeastOne
    cuts: Cuts
    top: AtLeastOne
    leakage_z: NotNegative
    subset_sizes: tuple[AtLeastOne, ...]
    subset_repeats: AtLeastOne


@settings()
class Params:
    """The whole of `params.yaml`; `domain` maps each of `domains` to its part."""

    seed: Annotated[int, Field(ge=0)]
    domains: tuple[str, ...]
    overrides: tuple[str, ...]
    profile: str
    proxy: Proxy
    clustering: Clustering
    recall: Recall
    selection: Selection
    leader: Leader
    cards: Cards
    published: Published
    domain: dict[str, Domain]


def load(overrides: list[str] | tuple[str, ...] = ()) -> Params:
    """Compose and validate, without a file."""
    return validate(values(overrides))


def write(path: Path, overrides: list[str] | tuple[str, ...] = ()) -> Params:
    """Compose, validate, and only then write `path`."""
    text = compose(overrides)
    params = validate(parse(text, "the composed configuration"))
    write_text(path, text)
    return params


def read(path: Path | str = PARAMS) -> Params:
    """Read and validate a composed file: what stages and notebooks call.

    Raises:
        UserError: no such file, or any fault in its content.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"no {path} in {Path.cwd()}: write it with `make params`")
    return validate(parse(path.read_text(encoding="utf-8"), str(path)))


def difference(path: Path | str = PARAMS) -> str | None:
    """What to tell the user if `path` is not what `conf/` composes to (byte by byte), else None."""
    path = Path(path)
    if not path.is_file():
        return f"no {path}: write it with `make params`"
    text = path.read_text(encoding="utf-8")
    overrides = [str(override) for override in parse(text, str(path)).get("overrides") or []]
    if text == compose(overrides):
        return None
    remedy = f"twophase params {' '.join(overrides)}" if overrides else "make params"
    otherwise = "to keep an experiment's values: `twophase params key=value …`"
    return f"{path} is not what conf/ composes to: run `{remedy}` and repeat ({otherwise})"


def validate(values: dict[str, Any]) -> Params:
    """Check a composed configuration and turn it into dataclasses.

    Raises:
        UserError: an unknown or missing key, dataset, proxy or model, a wrong type, a number out of range.
    """
    names = values.get("domains")
    if not isinstance(names, list) or not names:
        raise UserError(
            f"domains: got {names!r}; allowed is a list such as [cv]; after an edit of conf/: `make params`"
        )
    if missing := ", ".join(str(name) for name in names if name not in values):
        raise UserError(f"domains: got {missing}; allowed are keys of the configuration, such as cv")
    plain = [field.name for field in fields(Params) if field.name != "domain"]
    resting = [domain for domain in corpora.DOMAINS if domain not in names]
    values = {key: value for key, value in values.items() if key not in resting}
    for key in values:
        if key not in (*plain, *names):
            raise unknown(f"key {key}", key, [*plain, *names])
    for name in names:  # one by one, so that complaints name the key as it is written
        build(Domain, values[name], name)
        if absent := [field.name for field in fields(TrainingConfig) if field.name not in values[name]["training"]]:
            raise UserError(f"missing key {name}.training.{absent[0]}: add it under conf/ and run `make params`")
    params = build(Params, {"domain": {name: values.pop(name) for name in names}, **values})
    check_threshold(params.selection.threshold, params.selection.threshold_kind, "selection.")
    for name, domain in params.domain.items():
        _check_domain(params, name, domain)
    return params


def _check_domain(params: Params, name: str, domain: Domain) -> None:
    computable = PROXIES | RELEASED
    for key in ("name", "headless"):
        if (got := getattr(params.proxy, key)) not in computable:
            raise unknown(f"proxy.{key} {got!r}", got, computable)
        if getattr(params.proxy, key) not in domain.proxies:
            raise UserError(f"proxy.{key}: {getattr(params.proxy, key)} is not computed; add it to {name}.proxies")
    for where, names in ((f"{name}.proxies", domain.proxies), ("leader.proxies", params.leader.proxies)):
        for proxy in names:
            if proxy not in computable:
                raise unknown(f"proxy {proxy!r} in {where}", proxy, computable)
    known, chosen = corpora.names(name), domain.tasks
    datasets = chosen.benchmark + chosen.target + chosen.upstream
    for dataset in datasets:
        if dataset not in known:
            raise unknown(f"dataset {dataset!r} in {name}.tasks", dataset, known)
    for where, names in (("tasks", datasets), ("proxies", domain.proxies)):
        if twice := sorted({item for item in names if names.count(item) > 1}):
            raise UserError(f"{name}.{where}: {', '.join(twice)} is named twice; name it once")
    for model in domain.zoo.include or ():
        if model not in domain.zoo.models:
            raise unknown(f"model {model!r} in {name}.zoo.include", model, domain.zoo.models)
    architectures = recipes.DOMAINS[name].ARCHITECTURES
    for recipe in domain.zoo.recipes.values():
        if (got := recipe.architecture) and got not in architectures:
            raise unknown(f"architecture {got!r} of model {recipe.name}", got, architectures)
        for read in sorted(recipes.reads(recipe)):
            if read not in chosen.upstream:
                raise unknown(f"upstream {read!r} that model {recipe.name} reads", read, chosen.upstream)
    benchmark, models = (len(chosen.benchmark), "benchmark datasets"), (len(domain.zoo.recipes), "models")
    for key, got, (most, what) in (
        ("clustering.k", params.clustering.k, benchmark),
        ("selection.n_trends", params.selection.n_trends, benchmark),
        ("recall.top", params.recall.top, models),
        ("clustering.n_clusters", params.clustering.n_clusters or 1, models),
    ):
        if got > most:
            allowed = f"allowed is at most {most}, the number of {name} {what}"
            raise UserError(f"{key}: got {got}; {allowed}: lower it or add {what}")
