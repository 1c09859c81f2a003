"""Strict configuration: every mistake in a recipe is a sentence with its line and the nearest valid key."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from photogenic.core.errors import RecipeError
from photogenic.core.placed_yaml import KeyPath, Place, Places, dotted, lay_over, read_placed

Model = TypeVar("Model", bound=BaseModel)

# Mistakes that are said of a key; all others of a value, which several branches of a union may judge.
SAID_OF_KEYS = ("extra_forbidden", "missing", "union_tag_not_found", "union_tag_invalid", "value_error")


class StrictModel(BaseModel):
    """A part of the configuration: unknown keys are errors, and nothing changes it once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def as_folder_name(text: str) -> str:
    """Letters a to z, digits, hyphens: "Ferien Überblick 2024" as "ferien-uberblick-2024"; may be empty."""
    plain = unicodedata.normalize("NFKD", text.casefold()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def _folder_name(text: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", text):
        return text
    such = f", such as `{near}`" if (near := as_folder_name(text)) else ""
    raise ValueError(
        f"it names a folder, so it has only letters from A to Z, digits, `.`, `_`, `-`{such}; not {text!r}"
    )


FolderName = Annotated[str, AfterValidator(_folder_name)]


def load_config(path: Path, model: type[Model], overrides: Sequence[str] = ()) -> Model:
    """Read `path`, lay `overrides` ("a.b=c", c read as YAML) over it and validate the whole against `model`.

    Raises:
        RecipeError: the file cannot be read, is no YAML, or does not fit the model; all mistakes are listed.
    """
    values, places = read_placed(Path(path))
    for override in overrides:
        lay_over(values, places, override)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise RecipeError(_sentences(error.errors(include_url=False), model, values, places)) from None


def dump_config(model: BaseModel) -> str:
    """The YAML that `load_config` reads back to an equal model."""
    return yaml.safe_dump(model.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=100)


def _sentences(
    errors: Sequence[ErrorDetails], model: type[BaseModel], values: dict[str, Any], places: Places
) -> str:
    """All mistakes, one a line, in the order of the file."""
    found = [(_key_path(error, values), error) for error in errors]
    key_paths = [key_path for key_path, _ in found]
    lines: list[tuple[Place, str]] = []
    unmet: dict[KeyPath, list[ErrorDetails]] = {}  # all that a value could have been: a union's branches
    for key_path, error in found:
        if _in_another_branch(error, key_path, key_paths):
            continue
        if error["type"] in SAID_OF_KEYS:
            lines.append((_place(key_path, places), _sentence(error, key_path, model)))
        else:
            unmet.setdefault(key_path, []).append(error)
    lines += [(_place(key_path, places), _of_value(key_path, of_it)) for key_path, of_it in unmet.items()]
    return "\n".join(dict.fromkeys(f"{place.text}: {sentence}" for place, sentence in sorted(lines)))


def _in_another_branch(error: ErrorDetails, key_path: KeyPath, key_paths: Sequence[KeyPath]) -> bool:
    """Whether a union's branch was refused whole, while another fitted better and names its own mistakes."""
    if error["type"] == "missing" or len(error["loc"]) == len(key_path):
        return False
    return any(len(other) > len(key_path) and other[: len(key_path)] == key_path for other in key_paths)


def _key_path(error: ErrorDetails, values: Any) -> KeyPath:
    """The error's location without the names of union branches, which stand in no file."""
    key_path: KeyPath = ()
    for step in error["loc"]:
        in_mapping = isinstance(values, dict) and step in values
        in_list = isinstance(values, list) and isinstance(step, int) and step < len(values)
        if in_mapping or in_list:
            values = values[step]
            key_path = (*key_path, step)
    return key_path


def _place(key_path: KeyPath, places: Places) -> Place:
    """Where the key, or else its nearest parent, was written."""
    while key_path not in places:
        key_path = key_path[:-1]
    return places[key_path]


def _sentence(error: ErrorDetails, key_path: KeyPath, model: type[BaseModel]) -> str:
    kind, context = error["type"], error.get("ctx", {})
    name = f"`{dotted(key_path)}`" if key_path else "the recipe"
    if kind == "extra_forbidden":
        key, valid = str(key_path[-1]), _fields_at(model, error["loc"][:-1])
        within = f" in {dotted(key_path[:-1])}" if key_path[:-1] else ""
        return f"unknown key `{key}`{within}{_suggestion(key, valid)}"
    if kind == "missing":
        return f"{name} lacks the key `{error['loc'][-1]}`"
    if kind == "union_tag_not_found":
        return f"{name} lacks the key {context['discriminator']}".replace("'", "`")
    if kind == "union_tag_invalid":
        key, tag = str(context["discriminator"]).strip("'"), str(context["tag"])
        return f"unknown {key} `{tag}` in {name}{_suggestion(tag, _quoted(context['expected_tags']))}"
    message = error["msg"].removeprefix("Value error, ")
    return f"{name}: {message}"


def _of_value(key_path: KeyPath, errors: Sequence[ErrorDetails]) -> str:
    """What the value should be, by each branch of a union, and what it is."""
    should = list(dict.fromkeys(map(_expectation, errors)))
    value = errors[0]["input"]
    near = next((near for error in errors if (near := _nearest(value, _allowed(error)))), "")
    expected = ", or ".join([should[0], *(text.removeprefix("should ") for text in should[1:])])
    suggestion = f"; did you mean `{near}`?" if near else ""
    name = f"`{dotted(key_path)}`" if key_path else "the recipe"
    return f"{name} {expected}, not {_short(value)}{suggestion}"


def _expectation(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind in ("dict_type", "mapping_type", "model_type", "model_attributes_type"):
        return "should be a mapping"
    if kind == "path_type":
        return "should be a path"
    if kind == "too_short":
        least = context["min_length"]
        return f"should have {least} {'entry' if least == 1 else 'entries'} or more"
    return error["msg"].replace("Input should", "should")


def _allowed(error: ErrorDetails) -> list[str]:
    return _quoted(error.get("ctx", {}).get("expected", ""))


def _quoted(text: object) -> list[str]:
    return re.findall(r"'([^']*)'", str(text))


def _short(value: object) -> str:
    if isinstance(value, dict | list):
        kind = "mapping" if isinstance(value, dict) else "list"
        return f"a {kind}" if value else f"an empty {kind}"
    text = "null" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _nearest(word: object, valid: Sequence[str]) -> str:
    matches = difflib.get_close_matches(str(word), valid, n=1, cutoff=0.6)
    return matches[0] if matches else ""


def _suggestion(word: str, valid: Sequence[str]) -> str:
    near = _nearest(word, valid)
    if near:
        return f"; did you mean `{near}`?"
    return f"; valid are {', '.join(f'`{name}`' for name in valid)}" if valid else ""


def _fields_at(model: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    """The keys that the model at `location` (as pydantic reports it) accepts."""
    kinds: list[Any] = [model]
    for step in location:
        kinds = [inner for kind in kinds for inner in _inside(kind, step)]
    return [
        field.alias or name for kind in kinds if _is_model(kind) for name, field in kind.model_fields.items()
    ]


def _inside(kind: Any, step: str | int) -> list[Any]:
    """What may stand below `kind` at `step`: a field, an index, a key, or the name of a union's branch."""
    if _is_model(kind):
        fields = kind.model_fields
        named = [field for name, field in fields.items() if step in (name, field.alias)]
        return [branch for field in named for branch in _branches(field.annotation)] or [
            # no such field: `step` was the name of a union's branch, which this model is or is not
            kind
        ] * _is_branch(kind, step)
    arguments = [item for item in get_args(kind) if item is not Ellipsis]
    return [branch for item in arguments[-1:] for branch in _branches(item)]


def _is_branch(kind: type[BaseModel], step: str | int) -> bool:
    tags = (tag for field in kind.model_fields.values() for tag in get_args(field.annotation))
    return step == kind.__name__ or step in tags


def _branches(annotation: Any) -> list[Any]:
    """`annotation` without Annotated, None and unions."""
    if get_origin(annotation) is Annotated:
        return _branches(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [branch for member in get_args(annotation) for branch in _branches(member)]
    return [] if annotation is type(None) else [annotation]


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
