"""A number in a recipe changed where it stands: comments, order and spacing stay as they were."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from photogenic.core.config import StrictModel
from photogenic.core.errors import RecipeError
from photogenic.core.shards import atomic_path
from photogenic.curate.config import DEFAULT_STEPS, TARGET
from photogenic.curate.filters import rules_for


def rule_fields(name: str, step: StrictModel) -> list[str]:
    """The step's setting behind each of its rules, in the rules' order.

    Found by trying: the setting whose change changes the rule. So no table has to be kept in step with
    whatever steps and rules there are.
    """
    rules = rules_for(name, step)
    found = [""] * len(rules)
    for setting in type(step).model_fields:
        value = getattr(step, setting)
        if value == TARGET:
            other: float = 0.5  # a quantile that is named is another one than that which is solved
        elif isinstance(value, int | float) and not isinstance(value, bool):
            other = value + 1
        else:
            continue
        changed = rules_for(name, step.model_copy(update={setting: other}))
        for index, (before, after) in enumerate(zip(rules, changed, strict=True)):
            if before != after:
                found[index] = setting
    return found


def with_setting(text: str, step: str, setting: str, value: float | int) -> str:
    """The recipe's text with curate.steps.STEP.SETTING = `value`.

    Raises:
        RecipeError: it has no place for it that can be found.
    """
    node = _walk(yaml.compose(text, Loader=yaml.SafeLoader), ("curate", "steps", step, setting))
    if isinstance(node, yaml.ScalarNode):
        start, end = node.start_mark.index, node.end_mark.index
        return f"{text[:start]}{_number(value)}{_aligned(text[end:], len(_number(value)) - (end - start))}"
    parent = _walk(yaml.compose(text, Loader=yaml.SafeLoader), ("curate", "steps", step))
    if isinstance(parent, yaml.MappingNode):
        return _inserted(text, parent, setting, value)
    if isinstance(parent, yaml.ScalarNode):  # `sharpness:` with nothing behind it
        place = parent.start_mark.index
        gap = "" if text[place - 1 : place] == " " else " "
        return f"{text[:place]}{gap}{{{setting}: {_number(value)}}}{text[parent.end_mark.index :]}"
    curate = _walk(yaml.compose(text, Loader=yaml.SafeLoader), ("curate",))
    steps = _walk(curate, ("steps",)) if curate is not None else None
    if steps is None and step in DEFAULT_STEPS:
        return _with_default_steps(text, curate, step, setting, value)
    raise RecipeError(f"The recipe has no step `{step}` under curate.steps.", "Add it there by hand.")


def diff(before: str, after: str, name: str) -> str:
    """What changes, as a unified diff."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), name, name, lineterm="", n=2)
    return "\n".join(lines)


@dataclass
class RecipeFile:
    """The file that thresholds are written back to. `check` raises where the text is no valid recipe."""

    path: Path
    check: Callable[[Path], Any]
    _undo: list[tuple[str, str]] = field(default_factory=list)  # (before, after) of each write

    def read(self) -> str:
        """The text as it is now."""
        return self.path.read_text(encoding="utf-8")

    def changed(self, settings: list[tuple[str, str, float | int]]) -> str:
        """The text with these (step, setting, value)."""
        text = self.read()
        for step, setting, value in settings:
            text = with_setting(text, step, setting, value)
        return text

    def write(self, settings: list[tuple[str, str, float | int]], seen: str) -> None:
        """Write what `changed` gave, if that is still what the person has `seen`.

        Raises:
            RecipeError: the file has changed meanwhile, or would be no valid recipe.
        """
        before, after = self.read(), self.changed(settings)
        if after != seen:
            raise RecipeError(f"{self.path} has changed since the difference was shown.", "Look at it again.")
        self._replace(after)
        self._undo.append((before, after))

    def undo(self) -> str:
        """Take the last write back; the text before it.

        Raises:
            RecipeError: nothing was written, or the file was changed by somebody else since.
        """
        if not self._undo:
            raise RecipeError("Nothing has been written that could be undone.")
        before, after = self._undo[-1]
        if self.read() != after:
            raise RecipeError(f"{self.path} was changed after it was written.", "Undo that by hand.")
        self._replace(before)
        self._undo.pop()
        return before

    @property
    def can_undo(self) -> bool:
        """Whether there is a write to take back."""
        return bool(self._undo)

    def _replace(self, text: str) -> None:
        mode = self.path.stat().st_mode
        with atomic_path(self.path) as temporary:
            temporary.write_text(text, encoding="utf-8")
            self.check(temporary)
            temporary.chmod(mode)


def _walk(node: yaml.Node | None, keys: tuple[str, ...]) -> yaml.Node | None:
    for key in keys:
        if not isinstance(node, yaml.MappingNode):
            return None
        node = next((value for name, value in node.value if name.value == key), None)
    return node


def _aligned(rest: str, growth: int) -> str:
    """`rest` with the comment of its first line where it was, as far as there is room for it."""
    line, newline, others = rest.partition("\n")
    match = re.match(r"([^#]*?)( {2,})(#.*)", line)
    if match is None:
        return rest
    spaces = " " * max(2, len(match[2]) - growth)
    return f"{match[1]}{spaces}{match[3]}{newline}{others}"


def _inserted(text: str, mapping: yaml.MappingNode, setting: str, value: float | int) -> str:
    """A key that the mapping lacks, put last."""
    if mapping.flow_style:
        place = mapping.end_mark.index - 1
        gap = ", " if mapping.value else ""
        at = len(text[:place].rstrip()) if mapping.value else place
        return f"{text[:at]}{gap}{setting}: {_number(value)}{text[at:]}"
    last = mapping.value[-1][1].end_mark.index
    line_end = text.find("\n", last if text[last - 1 : last] != "\n" else last - 1)
    line_end = len(text) if line_end < 0 else line_end
    indent = " " * mapping.value[0][0].start_mark.column
    return f"{text[:line_end]}\n{indent}{setting}: {_number(value)}{text[line_end:]}"


def _with_default_steps(
    text: str, curate: yaml.Node | None, step: str, setting: str, value: float | int
) -> str:
    """The recipe uses the default funnel: it is written out, with the one change."""
    steps = {name: dict(settings) for name, settings in DEFAULT_STEPS.items()}
    steps[step][setting] = value
    lines = [f"    {name}: {_flow(settings)}" for name, settings in steps.items()]
    block = "\n".join(["  steps:", *lines])
    if curate is None:
        return f"{text.rstrip()}\n\ncurate:\n{block}\n"
    if isinstance(curate, yaml.MappingNode) and curate.value and not curate.flow_style:
        place = text.rfind("\n", 0, curate.value[0][0].start_mark.index) + 1
        return f"{text[:place]}{block}\n{text[place:]}"
    start, end = curate.start_mark.index, curate.end_mark.index
    return f"{text[:start].rstrip(' ')}\n{block}{text[end:]}"


def _flow(settings: dict[str, Any]) -> str:
    return "{" + ", ".join(f"{name}: {_number(value)}" for name, value in settings.items()) + "}"


def _number(value: float | int) -> str:
    return str(value) if isinstance(value, int) else f"{value:.6g}"
