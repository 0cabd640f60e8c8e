"""The configuration: composed by Hydra from `conf/`, written to `params.yaml`, validated once.

Stages and notebooks never see Hydra: they read `params.yaml` through `sources.live.parameters.read`, which gives frozen
dataclasses (see `twophase.infra.schema`).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twophase.errors import UserError, unknown

if TYPE_CHECKING:
    from omegaconf import DictConfig

PARAMS = "params.yaml"
QUOTED = re.compile(r"""'(\\.|[^'\\])*'|"(\\.|[^"\\])*\"""")


def find_project() -> Path | None:
    """The nearest folder upwards from here that holds `dvc.yaml` and `conf/`."""
    here = Path.cwd().resolve()
    for folder in (here, *here.parents):
        if (folder / "dvc.yaml").is_file() and (folder / "conf" / "config.yaml").is_file():
            return folder
    return None


def root() -> Path:
    """The project's folder, from any folder inside: what stages and notebooks read and write lies below it.

    Raises:
        UserError: the current folder is not inside the project.
    """
    if (project := find_project()) is None:
        raise UserError(f"{Path.cwd()} is not inside the repository (no dvc.yaml beside conf/); go to its folder.")
    return project


def find_conf() -> Path:
    """The folder of the configuration: of the project around the current folder, else of the package.

    The project comes first because DVC composes that same folder; an installed package carries its own copy.

    Raises:
        UserError: neither is there.
    """
    project = find_project()
    package = Path(__file__).resolve().parents[1]
    candidates = [package / "conf", package.parents[1] / "conf"]
    if project is not None:
        candidates.insert(0, project / "conf")
    for folder in candidates:
        if (folder / "config.yaml").is_file():
            return folder
    raise UserError(f"no config.yaml in {', '.join(map(str, candidates))}: reinstall the package")


def groups() -> dict[str, list[str]]:
    """Configuration group -> its options, as the folders of `conf/` have them."""
    conf = find_conf()
    folders = sorted(folder for folder in conf.iterdir() if folder.is_dir())
    return {folder.name: sorted(file.stem for file in folder.glob("*.yaml")) for folder in folders}


def compose(overrides: list[str] | tuple[str, ...] = (), name: str = "config") -> str:
    """The text of `params.yaml` for `overrides` (`key=value`, Hydra's grammar), byte for byte.

    It is what `dvc exp run` itself would write, with `overrides` recorded under that key. `name`: of the file under
    `conf/` to begin with; `select` is what `twophase select` reads.

    Raises:
        UserError: an override that is not `key=value`, or an unknown group, option or key.
    """
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    overrides = list(overrides)
    for override in overrides:
        if "=" not in override and not override.startswith("~"):
            raise UserError(f"got {override!r}; an override is written key=value, for example selection.threshold=0.05")
    try:
        composed = _composed(name, overrides)
        OmegaConf.resolve(composed)
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(_explain(error, overrides, name)) from None
    if name == "config":
        composed.overrides = overrides
    return OmegaConf.to_yaml(composed)


def values(
    overrides: list[str] | tuple[str, ...] = (),
    name: str = "config",
    literal: Callable[[str, str], bool] = lambda key, value: False,
) -> dict[str, Any]:
    """What `compose` gives, as plain dicts and lists; raises as it does.

    Args:
        literal: of a key and its value, whether that is taken as it is written, whatever characters are in it: a path, the
            name of a column. One that stands in quotes as a whole is taken without them; null and nothing are as always.
    """
    given, written = [], {}
    for override in overrides:
        key, equals, value = override.partition("=")
        if equals and value not in ("", "null") and literal(key.lstrip("+"), value):
            # Hydra and OmegaConf never see it: each reads quotes, backslashes and ${} in its own way
            written[token := f"written-{len(written)}-"] = _unquoted(value) if QUOTED.fullmatch(value) else value
            override = f"{key}={token}"
        given.append(override)
    try:
        return _replaced(parse(compose(given, name), "the composed configuration"), written)
    except UserError as error:
        message = str(error)
        for token, value in written.items():
            message = message.replace(token, value)
        raise UserError(message) from None


def quoted(value: object) -> str:
    """A value as Hydra's grammar wants it: text in quotes, whatever is in it."""
    if isinstance(value, int | float):
        return str(value)
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


def _unquoted(value: str) -> str:
    return re.sub(r"\\(['\"\\])", r"\1", value[1:-1])


def _replaced(value: Any, written: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _replaced(one, written) for key, one in value.items()}
    if isinstance(value, list):
        return [_replaced(one, written) for one in value]
    return written.get(value, value) if isinstance(value, str) else value


def parse(text: str, source: str) -> dict[str, Any]:
    """The content of a composed file as plain dicts and lists.

    Raises:
        UserError: not YAML, or not a mapping.
    """
    from omegaconf import OmegaConf
    from yaml import YAMLError

    try:
        content = OmegaConf.to_container(OmegaConf.create(text), resolve=True)
    except (YAMLError, ValueError) as error:
        first_line = str(error).splitlines()[0]
        raise UserError(f"{source} cannot be read ({first_line}): write it anew with `make params`") from None
    if not isinstance(content, dict) or not content:
        raise UserError(f"{source} holds no configuration: write it anew with `make params`")
    return content


def _explain(error: Exception, overrides: list[str], name: str) -> str:
    """Hydra's complaint on one line: what was got, what is allowed."""
    message = re.sub(r"\s+", " ", str(error)).strip()
    if found := re.search(r"Could not find '(\w+)/([^']*)'", message):
        group, option = found.groups()
        return str(unknown(f"{group} {option!r}", option, groups().get(group, [])))
    if found := re.search(r"Missing mandatory value: ([\w.]+)", message):
        return f"{found[1]} is missing; give {found[1]}=…"
    if found := re.search(r"Could not override '([^']+)'", message):
        keys = _keys(_composed(name))
        ends = [key for key in keys if key.endswith(f".{found[1]}")]  # "top" for recall.top
        if near := ends or difflib.get_close_matches(found[1], keys, n=1):
            return f"unknown key {found[1]!r} (did you mean {' or '.join(near)}?)"
        leaves = (key for key in keys if not any(other.startswith(f"{key}.") for other in keys))
        return (
            f"unknown key {found[1]!r}; allowed: {'the keys of params.yaml' if name == 'config' else ', '.join(leaves)}"
        )
    message = re.sub(r" ?(full_key|object_type|To use|See https)\b.*| [1-3]\. .*", "", message)
    given = " ".join(overrides) or "conf/"
    return f"got {given}: {message}; allowed is key=value in Hydra's grammar (lists as [a,b])"


def _composed(name: str, overrides: Collection[str] = ()) -> DictConfig:
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    GlobalHydra.instance().clear()
    with initialize_config_dir(str(find_conf()), version_base=None):
        return hydra_compose(name, overrides=list(overrides))


def _keys(composed: DictConfig) -> list[str]:
    """Every dotted key of a configuration, values that must be given among them."""
    from omegaconf import OmegaConf

    def dotted(inside: dict[str, Any], prefix: str) -> Iterator[str]:
        for key, value in inside.items():
            yield prefix + key
            if isinstance(value, dict):
                yield from dotted(value, f"{prefix}{key}.")

    return list(dotted(OmegaConf.to_container(composed, resolve=False), ""))
