"""Classes of settings: frozen dataclasses that pydantic checks, and whose complaints are one line for the user.

A class marked with `settings` says in its annotations what it takes: types, ranges (`Field(ge=1)`), lists of names
(`OneOf`). Nothing is converted but whole numbers to float and lists to tuples.
"""

import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, dataclass_transform, get_args, get_type_hints

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from pydantic_core import PydanticCustomError

from twophase.errors import UserError, unknown

__all__ = ["AtLeastOne", "Field", "NotNegative", "OneOf", "build", "settings"]

AtLeastOne = Annotated[int, Field(ge=1)]
NotNegative = Annotated[float, Field(ge=0)]
TYPES = {"int": "int", "float": "float", "string": "str", "bool": "bool", "tuple": "list", "dict": "dict"}
BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"),
}
NAMES = {"list": "a list", "dict": "a mapping"}


class OneOf:
    """`OneOf(names)`: a string that is one of them."""

    def __new__(cls, names: Iterable[str]) -> Any:
        names = tuple(names)

        def check(value: str) -> str:
            if value not in names:
                raise PydanticCustomError("one_of", "{got} is none of {names}", {"got": value, "names": names})
            return value

        return Annotated[str, AfterValidator(check)]


@dataclass_transform(frozen_default=True, field_specifiers=(Field,))
def settings(where: str = "") -> Any:
    """A frozen dataclass of settings; made directly or by `build`, it raises UserError on a wrong value.

    Args:
        where: what its keys begin with in complaints where it is made directly ("training": "training.epochs: got 0; …").
    """

    def mark(kind: type) -> type:
        made = dataclass(frozen=True, config=ConfigDict(strict=True, extra="forbid"))(kind)
        checked = made.__init__

        @functools.wraps(checked)
        def init(self, *given: Any, **named: Any) -> None:
            try:
                checked(self, *given, **named)
            except ValidationError as error:
                raise _explained(error, made, where) from None

        made.__init__ = init
        return made

    return mark


def build(kind: type, values: Mapping[str, Any], where: str = "") -> Any:
    """`kind`, a class of settings, from plain values as YAML gives them.

    Args:
        where: what the keys begin with in complaints: the values' own key.

    Raises:
        UserError: an unknown or missing key, a value of another type, out of range or none of a list.
    """
    try:
        return TypeAdapter(kind).validate_json(json.dumps(values))
    except ValidationError as error:
        raise _explained(error, kind, where) from None


def _explained(error: ValidationError, kind: type, where: str) -> UserError:
    """The first of pydantic's complaints on one line: what was got, what is allowed."""
    first = error.errors()[0]
    # values that were given by position are numbered
    path = [str(part) if place else _name(kind, part) for place, part in enumerate(first["loc"])]
    if path[-1:] == ["[key]"]:  # of a mapping
        path = path[:-2]
    key, got, facts = _dotted([*filter(None, [where]), *path]), first["input"], first.get("ctx", {})
    name = first["type"]
    if isinstance(facts.get("error"), UserError):  # of a __post_init__
        return facts["error"]
    if name == "one_of":
        return unknown(f"{key} {got!r}", got, facts["names"])
    if name in ("missing", "missing_argument"):
        return UserError(f"missing key {key}: add it under conf/ and run `make params`")
    if name in ("unexpected_keyword_argument", "extra_forbidden"):
        return unknown(f"key {key}", path[-1], [field.name for field in fields(_at(kind, path[:-1])) if field.init])
    if name in BOUNDS:
        said, bound = BOUNDS[name]
        return UserError(f"{key}: got {got:g}; allowed is {said} {facts[bound]:g}")
    if name.startswith("dataclass"):
        return UserError(f"{key or 'params.yaml'}: got {got!r}; allowed is a mapping of its keys")
    wanted = TYPES.get(name.split("_")[0], first["msg"])
    allowed = NAMES.get(wanted, f"a value of type {wanted}")
    return UserError(f"{key}: got {got!r} ({type(got).__name__}); allowed is {allowed}")


def _name(kind: type, part: str | int) -> str:
    return fields(kind)[part].name if isinstance(part, int) else part


def _dotted(path: list[str]) -> str:
    """ "a", "b", "0" as "a.b[0]"."""
    text = ""
    for part in path:
        text += f"[{part}]" if part.isdigit() else f".{part}" if text else part
    return text


def _at(kind: type, path: list[str]) -> type:
    """The class of settings that a path of keys leads to."""
    for part in path:
        hint = get_type_hints(kind).get(part)
        kind = next((each for each in (hint, *get_args(hint)) if is_dataclass(each)), kind)
    return kind
