"""Write a haystack: an ordinary folder of pictures with `metadata.jsonl`, part of it spoiled.

    FOLDER/<source>/<group>/<key>.png|jpg|webp   the pictures
    FOLDER/metadata.jsonl                        file_name, key, alt_text, tags, group, concept, source, ...
    FOLDER/README.txt                            whose pictures these are
    FOLDER.truth.jsonl                           key, file_name, kind, of_key, parameters: next to the folder,
                                                 so that no stage comes across it

A degraded picture takes the place of the good one, for a haystack seldom holds both; only duplicates are
added. FOLDER is complete or absent: all is written to a hidden sibling that is renamed at the end.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from photogenic.core.console import console, progress
from photogenic.core.errors import PhotogenicError, RunError, WorkerError
from photogenic.core.shards import atomic_path, fingerprint, is_done, mark_done
from photogenic.demo.paint import Painted, paint
from photogenic.demo.plan import Plan, draw_plans
from photogenic.demo.sources import open_sources
from photogenic.demo.sources.sticker import Sticker

VERSION = 1  # raise when the same settings give other pictures

MAX_OPENCLIPART = 3000  # more of it would drown the other hands' styles

LICENCE_TEXTS = {
    "CC-BY-SA-4.0": "https://creativecommons.org/licenses/by-sa/4.0/",
    "CC-BY-4.0": "https://creativecommons.org/licenses/by/4.0/",
    "Apache-2.0": "https://www.apache.org/licenses/LICENSE-2.0",
    "MIT": "https://opensource.org/license/mit",
    "public-domain": "https://creativecommons.org/publicdomain/",
}
README_HEAD = "The pictures of this folder, by source:\n"
README_TAIL = """
Changes: each drawing was rendered, set on a plain background with a margin, and encoded; a part was spoiled
on purpose (blurred, overlaid with text, cut, mislabelled, ...). Pictures made from share-alike drawings stay
under the same licence. Each row of metadata.jsonl names source, licence and attribution of its picture.
"""


@dataclass(frozen=True)
class HaystackSummary:
    """What was written."""

    folder: Path
    num_samples: int
    num_by_kind: dict[str, int]  # "clean" and the kinds of spoiling
    num_by_source: dict[str, int]
    missing: list[str]  # a sentence for each source that is not installed

    @property
    def spoiled_ratio(self) -> float:
        """Share of spoiled pictures among all."""
        return 1.0 - self.num_by_kind.get("clean", 0) / self.num_samples


def truth_path(folder: Path) -> Path:
    """Where the truth about a haystack lies: next to it."""
    return folder.with_name(f"{folder.name}.truth.jsonl")


def write_haystack(
    folder: Path,
    sources: Sequence[str],
    *,
    num_samples: int | None,
    spoiled_ratio: float = 0.30,
    seed: int = 0,
    node_modules: Path | None = None,
    sizes_px: tuple[int, int] = (192, 320),
    max_openclipart: int | None = MAX_OPENCLIPART,
    workers: int = 2,
) -> HaystackSummary:
    """Draw, spoil and write; a finished folder with the same settings is left as it is.

    Neither the order of `sources` nor the number of workers changes a picture.

    Args:
        folder: must not exist, be empty, or be what the same call wrote before.
        num_samples: how many pictures in all; None: all there are.
        spoiled_ratio: share of spoiled pictures among all, 0 to 0.8.
        node_modules: where npm put the packages that come from there.
        sizes_px: least and largest longer side of the drawings, before a margin is added.
        max_openclipart: how many drawings of that library are taken, drawn by `seed`; None: all.

    Raises:
        RunError: the folder holds something else.
        PhotogenicError: a source is unknown, none is installed, or too few pictures are there.
    """
    found, missing = open_sources(
        sources, node_modules=node_modules, max_openclipart=max_openclipart, seed=seed
    )
    for sentence in missing:
        console.print(sentence, markup=False)  # "photogenic[demo]" is no markup
    if not found:
        raise PhotogenicError("None of the sources is installed.", "\n".join(missing))
    key = fingerprint(VERSION, sorted(found), num_samples, spoiled_ratio, seed, sizes_px, max_openclipart)
    if not (is_done(folder, key) and truth_path(folder).is_file()):
        _refuse_foreign(folder)
        stickers = [sticker for reader in found.values() for sticker in reader]
        plans = draw_plans(stickers, num_samples, spoiled_ratio, seed, sizes_px)
        _write(folder, plans, workers, key)
    return _summary(folder, missing)


def _refuse_foreign(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunError(
            f"{folder} is there already, and is not the whole of what these settings write.",
            "Choose another folder, or remove this one if you do not need it.",
        )


def _write(folder: Path, plans: list[Plan], workers: int, key: str) -> None:
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    painted = list(_painted(partial, plans, workers))
    _write_lines(partial / "metadata.jsonl", [_metadata_row(one.plan, one.file_name) for one in painted])
    _write_readme(partial / "README.txt", [one.plan.sticker for one in painted])
    _write_lines(truth_path(folder), [_truth_row(one) for one in painted])
    mark_done(partial, key)
    os.sync()  # thousands of small files: one sync before the rename instead of one for each
    partial.replace(folder)


def _painted(folder: Path, plans: list[Plan], workers: int) -> Iterator[Painted]:
    """In the order of the plans; a drawing that cannot be drawn is left out."""
    tasks = [(folder, plan) for plan in plans]
    with progress("Drawing the haystack", len(plans)) as advance:
        for painted in _map(tasks, workers):
            advance(1)
            if painted is not None:
                yield painted


def _map(tasks: list[tuple[Path, Plan]], workers: int) -> Iterable[Painted | None]:
    if workers <= 1:
        yield from map(paint, tasks)
        return
    # Spawned, for a forked child of a process with threads may hang.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            yield from pool.map(paint, tasks, chunksize=16)
        except BrokenProcessPool as error:
            raise WorkerError(
                "A process that drew pictures died; perhaps memory ran out.",
                "Run the same command again, with fewer workers.",
            ) from error


def _metadata_row(plan: Plan, file_name: str) -> dict[str, Any]:
    return {
        "file_name": file_name,
        "key": plan.key,
        "alt_text": plan.alt_text,
        "tags": list(plan.tags),
        "group": plan.sticker.group,
        "concept": plan.sticker.concept,
        "source": plan.sticker.source,
        "licence": plan.sticker.licence,
        "attribution": plan.sticker.attribution,
    }


def _truth_row(painted: Painted) -> dict[str, Any]:
    plan = painted.plan
    return {
        "key": plan.key,
        "file_name": painted.file_name,
        "kind": plan.kind,
        "of_key": plan.of_key,
        "parameters": painted.parameters,
    }


def _write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _write_readme(path: Path, stickers: list[Sticker]) -> None:
    counts = Counter((sticker.source, sticker.licence, _owner(sticker)) for sticker in stickers)
    lines = [
        f"{source}: {count} pictures, {licence}\n    {owner}\n    {LICENCE_TEXTS[licence]}"
        for (source, licence, owner), count in sorted(counts.items())
    ]
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join([README_HEAD, *lines, README_TAIL]), encoding="utf-8")


def _owner(sticker: Sticker) -> str:
    # The clip art library has hundreds of authors; metadata.jsonl names each.
    return "Open Clip Art Library, many authors" if sticker.source == "openclipart" else sticker.attribution


def _summary(folder: Path, missing: list[str]) -> HaystackSummary:
    by_kind = Counter(row["kind"] for row in _read_lines(truth_path(folder)))
    by_source = Counter(row["source"] for row in _read_lines(folder / "metadata.jsonl"))
    return HaystackSummary(folder, by_source.total(), dict(by_kind), dict(by_source), missing)


def _read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
