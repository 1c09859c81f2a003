"""The pictures that are compared, and the numbers about each of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from photogenic.core.console import progress
from photogenic.core.errors import RunError, StorageError
from photogenic.core.manifest import IMAGES_SCHEMA, iter_samples
from photogenic.core.run import Run
from photogenic.core.shards import read_table
from photogenic.evaluate.copies import Looks, joined, looks_of
from photogenic.evaluate.space import Space
from photogenic.measures.appeal import appeal_score
from photogenic.measures.decode import CANONICAL_LONG_SIDE_PX, Picture, centre, decode
from photogenic.measures.pixel import COLUMNS, measure
from photogenic.measures.taste import Taste

Floats = NDArray[np.float64]
PICTURES_AT_ONCE = 32  # decoded at a time; bounds the memory to some 25 MB


@dataclass(frozen=True)
class Item:
    """A picture that is still bytes."""

    name: str  # what a report calls it
    text: str  # its prompt or caption
    read: Callable[[], bytes]


@dataclass(frozen=True)
class Measured:
    """Pictures with their numbers; all of length n, in the order of `items`."""

    items: Sequence[Item]
    columns: dict[str, Floats]  # measure -> [n]; NaN where there is none
    looks: Looks
    centres: Looks | None = None  # of their largest centred squares, where they were asked for


def drawn_tables(run: Run) -> dict[str, pa.Table]:
    """Model -> its manifest, models by name.

    Raises:
        RunError: nothing has been drawn.
    """
    paths = sorted((run.folder / "generate").glob("*/manifest.parquet"))
    if not paths:
        raise RunError(f"{run.folder} has no drawn pictures.", "Run `photogenic generate RECIPE` first.")
    tables = {path.parent.name: read_table(path, IMAGES_SCHEMA.names) for path in paths}
    return {name: table for name, table in tables.items() if table.num_rows}


def drawn_items(run: Run, model: str, table: pa.Table) -> list[Item]:
    """The pictures of one model."""
    folder = run.folder / "generate" / model
    return [
        Item(f"{row['prompt']}, seed {row['seed']}", row["prompt"], _reader(folder / Path(row["file"]).name))
        for row in table.to_pylist()
    ]


def needle_items(run: Run) -> list[Item]:
    """The needles of the run, or [] where no review has chosen any."""
    path = run.folder / "review" / "needles.parquet"
    if not path.exists():
        return []
    table, sources = read_table(path), run.sources()
    return [
        Item(caption or sample.key, caption, partial(sources.read, sample.locator))
        for sample, caption in zip(iter_samples(table), table["caption"].to_pylist(), strict=True)
    ]


def measure_items(
    items: Sequence[Item],
    space: Space | None,
    size_px: int,
    what: str,
    taste: Taste | None = None,
    *,
    with_centres: bool = False,
) -> Measured:
    """Decode every picture once, at `size_px` at most, for numbers differ between sizes.

    Args:
        space: gives embeddings and the agreement with the text; None leaves both out.
        size_px: longer side at which pictures are measured.
        what: names the pictures while they are being measured.
        taste: gives taste_prob. What it listens to and is not measured here counts as average.
        with_centres: look at the largest centred squares too.
    """
    rows: list[dict[str, float]] = []
    parts: list[Looks] = []
    centres: list[Looks] = []
    with progress(f"measuring {what}", len(items)) as advance:
        for begin in range(0, len(items), PICTURES_AT_ONCE):
            part = items[begin : begin + PICTURES_AT_ONCE]
            read = [item.read() for item in part]
            pictures = [decode(data, min_long_side_px=size_px) for data in read]
            rows += [_numbers(picture, data) for picture, data in zip(pictures, read, strict=True)]
            parts.append(looks_of([picture.rgb for picture in pictures], space))
            if with_centres:
                larger = [decode(data, min_long_side_px=2 * size_px).rgb for data in read]
                centres.append(looks_of([centre(rgb) for rgb in larger], space))
            advance(len(part))
    columns = {name: np.array([row[name] for row in rows], np.float64) for name in (*COLUMNS, "appeal_score")}
    if taste is not None:
        columns["taste_prob"] = np.array([taste.of_one(row) for row in rows], np.float64)
    looks = joined(parts)
    if space is not None and looks.embeds is not None:
        columns["clip_score"] = space.agreement(looks.embeds, [item.text for item in items])
    return Measured(items, columns, looks, joined(centres) if with_centres else None)


def measured_size(tables: dict[str, pa.Table]) -> int:
    """The longer side at which all pictures are measured: that of the smallest drawn, 512 px at most."""
    sides: list[int] = [
        max(width, height)
        for table in tables.values()
        for width, height in zip(table["width_px"].to_pylist(), table["height_px"].to_pylist(), strict=True)
    ]
    return min([CANONICAL_LONG_SIDE_PX, *sides])


def _reader(path: Path) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise StorageError(
                f"Cannot read {path}: {error.strerror}.", "Run `photogenic generate RECIPE` again."
            ) from error

    return read


def _numbers(picture: Picture, data: bytes) -> dict[str, float]:
    numbers: dict[str, Any] = measure(picture, data)
    return {**numbers, "appeal_score": appeal_score(numbers)}
