"""A first recipe for somebody's own pictures."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from photogenic.core.config import as_folder_name
from photogenic.core.errors import RecipeError
from photogenic.core.words import counted
from photogenic.curate.readers import CAMERA_RAW, HEIC, IMAGE_SUFFIXES, split_suffix
from photogenic.recipe import find_recipe

TEMPLATE = "own-photographs"

BEFORE_TUNING = "\n# The model to be tuned."  # in the template: what follows is about models
TUNED, CHOSEN = "to a model tuned on the best of them", "to the best of them"
INSIDE = "You are inside that folder, where no run folder may lie: run it elsewhere, or with --run DIR."


@dataclass(frozen=True)
class Starter:
    """A recipe that was written, and what lies in the folder that it is for."""

    path: Path
    num_pictures: int
    notes: tuple[str, ...] = ()  # sentences on what would surprise later


def write_starter(folder: Path, out: Path | None, *, tunes: bool = True) -> Starter:
    """Write a recipe for the pictures below `folder` to `out`, or to <name of the folder>.yaml.

    The recipe, and so its run folder, has the file's name: two folders of the same name do not share one.
    Unless it `tunes`, it ends where the best pictures are chosen, and needs no torch.

    Raises:
        RecipeError: there is no such folder, it holds no picture, or the recipe is there already.
    """
    folder = folder.expanduser()
    if not folder.is_dir():
        raise RecipeError(f"{folder} is no folder.", "Give the folder that holds your pictures.")
    suffixes = _suffixes(folder)
    readable = IMAGE_SUFFIXES - HEIC
    num_pictures = sum(suffixes[suffix] for suffix in readable)
    left_out = _left_out(suffixes)
    if not num_pictures:
        known = f"Known are {', '.join(sorted(readable))}."
        raise RecipeError(f"There is no picture in {folder}.", f"{left_out}\n{known}".strip())
    name = as_folder_name(out.stem if out is not None else folder.resolve().name) or "pictures"
    path = out or Path(f"{name}.yaml")
    if path.exists():
        raise RecipeError(f"{path} is there already.", "Remove it, or give another name with --out.")
    text = find_recipe(TEMPLATE).read_text(encoding="utf-8")
    if not tunes:
        text = text.partition(BEFORE_TUNING)[0].replace(TUNED, CHOSEN, 1)
    text = text.replace(f"name: {TEMPLATE}\n", f"name: {name}\n")
    text = text.replace("path: photographs", f"path: {_quoted(str(folder.resolve()))}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    inside = "" if not Path.cwd().is_relative_to(folder.resolve()) else INSIDE
    return Starter(path, num_pictures, tuple(note for note in (left_out, inside) if note))


def _suffixes(folder: Path) -> Counter[str]:
    """How many files below `folder` have each suffix; hidden ones are nobody's pictures."""
    names = (name for _, _, files in os.walk(folder) for name in files if not name.startswith("."))
    return Counter(split_suffix(name)[1].lower() for name in names)


def _left_out(suffixes: Counter[str]) -> str:
    kinds = (("HEIC", HEIC), ("camera raw", CAMERA_RAW))
    nums = [(sum(suffixes[suffix] for suffix in known), kind) for kind, known in kinds]
    named = " and ".join(counted(num, f"{kind} file") for num, kind in nums if num)
    if not named:
        return ""
    one = sum(num for num, _ in nums) == 1
    return f"{named} there {'is' if one else 'are'} not read: export {'it' if one else 'them'} as JPEG first."


def _quoted(text: str) -> str:
    """A YAML string between single quotes: nothing in it is special but the quote itself."""
    return "'" + text.replace("'", "''") + "'"
