"""YAML as plain values that remember where each key was written.

YAML is read by the rules of version 1.2: `1e-4` is a number, `no` and `2024-01-01` are text, and a key given
twice is an error.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from photogenic.core.errors import RecipeError

KeyPath = tuple[str | int, ...]


class Place(NamedTuple):
    """Where a key was written."""

    line: int  # from 1; 0 for an override
    text: str  # "recipe.yaml:12" or "--set a.b=c"


Places = dict[KeyPath, Place]


class _Loader(yaml.SafeLoader):
    """Scalars by the rules of YAML 1.2."""


def _whole_number(loader: _Loader, node: yaml.ScalarNode) -> int:
    return int(loader.construct_scalar(node).replace("_", ""))


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9][0-9_]*", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), _first)
_Loader.add_constructor("tag:yaml.org,2002:int", _whole_number)


def read_placed(path: Path) -> tuple[dict[str, Any], Places]:
    """The values of the YAML file, and the place of each key; `()` is the whole file.

    Raises:
        RecipeError: the file cannot be read, is no YAML, or holds no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise RecipeError(f"{path} is not UTF-8 text.", "Give a recipe: a YAML file.") from None
    except OSError as error:
        raise RecipeError(f"Cannot read the recipe {path}: {error.strerror}.") from None
    try:
        values, places = _Reader(path, text).read()
    except yaml.YAMLError as error:
        raise RecipeError(_yaml_sentence(path, error)) from None
    if not isinstance(values, dict):
        kind = "a list" if isinstance(values, list) else "a bare value"
        raise RecipeError(f"{path}:1: a recipe is a mapping of sections, not {kind}.")
    return values, places


def lay_over(values: dict[str, Any], places: Places, override: str) -> None:
    """Set in `values` what `override` says ("curate.steps.ocr.max_words=5", the value read as YAML).

    Raises:
        RecipeError: it has another form, or leads into something that has no keys.
    """
    dotted, equals, text = override.partition("=")
    keys = dotted.strip().split(".")
    place = f"--set {override}"
    if not equals or not all(keys):
        raise RecipeError(f"{place}: an override has the form `section.key=value`.")
    try:
        value = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise RecipeError(f"{place}: {getattr(error, 'problem', None) or error}.") from None
    here: Any = values
    key_path: KeyPath = ()
    for key in keys[:-1]:
        step = _step_into(here, key, key_path, place)
        key_path = (*key_path, step)
        places.setdefault(key_path, Place(0, place))
        if isinstance(here, dict) and here.get(key) is None:
            here[key] = {}
        here = here[step]
    step = _step_into(here, keys[-1], key_path, place)
    here[step] = value
    places[(*key_path, step)] = Place(0, place)


def dotted(key_path: KeyPath) -> str:
    """`("a", 0, "b")` as "a.0.b"."""
    return ".".join(map(str, key_path))


class _Reader:
    """Turns the nodes of one file into plain values, and notes the place of every key on the way."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.loader = _Loader(text)
        self.places: Places = {(): self._place(1)}
        self.open_nodes: list[yaml.Node] = []

    def read(self) -> tuple[Any, Places]:
        root = self.loader.get_single_node()
        values = None if root is None else self._plain(root, ())
        return {} if values is None else values, self.places

    def _place(self, line: int) -> Place:
        return Place(line, f"{self.path}:{line}")

    def _plain(self, node: yaml.Node, key_path: KeyPath) -> Any:
        if node in self.open_nodes:
            line = node.start_mark.line + 1
            raise RecipeError(f"{self.path}:{line}: an alias contains itself.")
        self.open_nodes.append(node)
        values: Any
        if isinstance(node, yaml.SequenceNode):
            values = [self._item(item, (*key_path, index)) for index, item in enumerate(node.value)]
        elif isinstance(node, yaml.MappingNode):
            values = self._mapping(node, key_path)
        else:
            values = self.loader.construct_object(node)
        self.open_nodes.pop()
        return values

    def _item(self, node: yaml.Node, key_path: KeyPath) -> Any:
        self.places[key_path] = self._place(node.start_mark.line + 1)
        return self._plain(node, key_path)

    def _mapping(self, node: yaml.MappingNode, key_path: KeyPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = str(key_node.value)
            if key in values:
                first = self.places[(*key_path, key)].line
                within = f" in {dotted(key_path)}" if key_path else ""
                raise RecipeError(
                    f"{self.path}:{line}: `{key}` is given twice{within}; first in line {first}."
                )
            self.places[(*key_path, key)] = self._place(line)
            values[key] = self._plain(value_node, (*key_path, key))
        return values


def _yaml_sentence(path: Path, error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    context = getattr(error, "context", None)
    begun = getattr(error, "context_mark", None)
    if r"'\t'" in problem:
        context, problem = None, "a tab stands where only spaces may: indent with spaces"
    elif context and begun is not None and mark is not None and begun.line != mark.line:
        context += f" that begins in line {begun.line + 1}"
    line = f":{mark.line + 1}" if mark is not None else ""
    return f"{path}{line}: this is not YAML: {f'{context}, ' if context else ''}{problem}."


def _step_into(here: Any, key: str, key_path: KeyPath, place: str) -> str | int:
    """`key` as the index into `here`, which must be a mapping or a list."""
    if isinstance(here, dict):
        return key
    if not isinstance(here, list):
        raise RecipeError(f"{place}: `{dotted(key_path)}` is the value {here!r} and has no key `{key}`.")
    if key.isdecimal() and int(key) < len(here):
        return int(key)
    raise RecipeError(f"{place}: `{dotted(key_path)}` is a list of {len(here)}; give an index from 0.")
