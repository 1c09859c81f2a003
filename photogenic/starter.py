"""A first recipe for somebody's own pictures."""

from __future__ import annotations

import re
from pathlib import Path

from photogenic.core.errors import RecipeError
from photogenic.recipe import find_recipe

TEMPLATE = "own-photographs"
SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".avif", ".gif", ".bmp", ".tif", ".tiff"))


def write_starter(folder: Path, out: Path | None) -> Path:
    """Write a recipe for the pictures below `folder` to `out`, or to <name of the folder>.yaml.

    Raises:
        RecipeError: there is no such folder, it holds no picture, or the recipe is there already.
    """
    folder = folder.expanduser()
    if not folder.is_dir():
        raise RecipeError(f"{folder} is no folder.", "Give the folder that holds your pictures.")
    if not any(path.suffix.lower() in SUFFIXES for path in folder.rglob("*")):
        raise RecipeError(f"There is no picture in {folder}.", f"Known are {', '.join(sorted(SUFFIXES))}.")
    name = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-") or "pictures"
    path = out or Path(f"{name}.yaml")
    if path.exists():
        raise RecipeError(f"{path} is there already.", "Remove it, or give another name with --out.")
    text = find_recipe(TEMPLATE).read_text(encoding="utf-8")
    text = text.replace(f"name: {TEMPLATE}\n", f"name: {name}\n")
    text = text.replace("path: photographs", f"path: {_quoted(str(folder.resolve()))}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _quoted(text: str) -> str:
    """A YAML string between single quotes: nothing in it is special but the quote itself."""
    return "'" + text.replace("'", "''") + "'"
