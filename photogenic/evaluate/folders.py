"""Folders of pictures made elsewhere become models of a run, so that everything else works as ever."""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from photogenic.core.errors import RunError
from photogenic.core.manifest import IMAGES_SCHEMA
from photogenic.core.run import Run
from photogenic.core.shards import read_table, write_table
from photogenic.evaluate.blind import open_rgb

PICTURES = frozenset((".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"))


@dataclass(frozen=True)
class PromptRow:
    """What pictures were made from."""

    prompt_id: str
    text: str
    category: str = ""
    challenge: str = ""


def import_folders(run: Run, folders: Mapping[str, Path], prompts: Sequence[PromptRow]) -> None:
    """Write RUN/generate/<name>/ of each folder: its pictures under their names, and a manifest.

    A folder that `photogenic generate` wrote tells by its manifest what was drawn. Of others, a picture
    belongs to the prompt whose id is its name without the ending; or to the prompt of that number, where all
    names end in numbers, and number 0 or the last one tells where they begin; or else, where there are as
    many pictures as prompts, to the one at its place in the order of names (numbers in names count as
    numbers).

    Raises:
        RunError: a folder is missing or has no pictures, or it cannot be told what they show; or the run
            holds other models, or these very folders.
    """
    _check(run, folders)
    for name, folder in folders.items():
        manifest = folder / "manifest.parquet"
        rows = _told(manifest, folder) if manifest.exists() else _matched(folder, prompts)
        target = run.stage("generate") / name
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for row in rows:
            bring(folder / row["file"], target / row["file"])
        table = pa.Table.from_pylist([row | {"model": name} for row in rows], schema=IMAGES_SCHEMA)
        write_table(target / "manifest.parquet", table)


def _check(run: Run, folders: Mapping[str, Path]) -> None:
    drawn = run.folder / "generate"
    for folder in folders.values():
        if not folder.is_dir():
            raise RunError(f"There is no folder {folder}.")
        if folder.resolve().is_relative_to(drawn.resolve()):
            raise RunError(
                f"{folder} lies where {run.folder} keeps its pictures, and would be written over.",
                "Take another folder for the run: --out FOLDER.",
            )
    others = sorted({path.parent.name for path in drawn.glob("*/manifest.parquet")} - set(folders))
    if others:
        raise RunError(
            f"{run.folder} holds pictures of {', '.join(others)} as well, and would judge them too.",
            "Take another folder for the run: --out FOLDER.",
        )


def match(names: Sequence[str], num_prompts: int, prompt_ids: Sequence[str]) -> list[int] | None:
    """For each name (no ending) the number of its prompt; None where that cannot be told."""
    by_id = {prompt_id: number for number, prompt_id in enumerate(prompt_ids)}
    if all(name in by_id for name in names):
        return [by_id[name] for name in names]
    numbers = [int(found[-1]) if (found := re.findall(r"\d+", name)) else -1 for name in names]
    if len(set(numbers)) == len(names) and min(numbers) >= 0 and max(numbers) <= num_prompts:
        first, last = 0 in numbers, num_prompts in numbers
        # With neither, 1 may be the first or the second prompt, and every picture may belong to the next one.
        return [number - last for number in numbers] if first != last else None
    if len(names) == num_prompts:
        places = {name: place for place, name in enumerate(sorted(names, key=_natural))}
        return [places[name] for name in names]
    return None


def _natural(name: str) -> list[Any]:
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name)]


def _told(manifest: Path, folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = read_table(manifest, IMAGES_SCHEMA.names).to_pylist()
    return [
        row | {"file": Path(row["file"]).name} for row in rows if (folder / Path(row["file"]).name).exists()
    ]


def _matched(folder: Path, prompts: Sequence[PromptRow]) -> list[dict[str, Any]]:
    files = sorted(
        path for path in folder.iterdir() if path.suffix.lower() in PICTURES and path.stem != "grid"
    )
    if not files:
        raise RunError(f"There are no pictures in {folder}.")
    if not prompts:
        raise RunError(
            f"{folder} does not tell what its pictures were drawn from.", "Give the file: --prompts FILE"
        )
    found = match([path.stem for path in files], len(prompts), [prompt.prompt_id for prompt in prompts])
    if found is None:
        raise RunError(
            f"Which of the {len(prompts)} prompts the {len(files)} pictures in {folder} show cannot be told.",
            "Name each picture after its prompt's number, counted from 0. Counted from 1, the last one has to"
            " be there: else nothing tells where the numbers begin.",
        )
    for number, count in Counter(found).items():
        if count > 1:
            both = [path.name for path, its in zip(files, found, strict=True) if its == number]
            raise RunError(
                f"{' and '.join(both)} in {folder} show the same prompt.", "Keep one picture of each prompt."
            )
    return [_row(path, prompts[number]) for path, number in zip(files, found, strict=True)]


def _row(path: Path, prompt: PromptRow) -> dict[str, Any]:
    image = open_rgb(path)
    return {
        "image_id": path.stem,
        "prompt_id": prompt.prompt_id,
        "prompt": prompt.text,
        "category": prompt.category,
        "challenge": prompt.challenge,
        "seed": 0,
        "file": path.name,
        "width_px": image.width,
        "height_px": image.height,
    }


def bring(source: Path, target: Path) -> None:
    """A hard link where the disk has them, else a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
