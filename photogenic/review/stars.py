"""Star ratings of photographers' programs: `xmp:Rating` in a side-car beside the picture, or inside its file.

Lightroom, Bridge, darktable, digiKam and others write it: 0 to 5 stars, -1 for rejected. A side-car is
`picture.xmp` or `picture.jpg.xmp`; where both a side-car and the file have a rating, the side-car's holds.
"""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa

from photogenic.core.errors import RunError
from photogenic.core.manifest import iter_samples
from photogenic.core.records import Sample
from photogenic.core.run import Run
from photogenic.core.shards import Sources
from photogenic.review.captions import caption_for
from photogenic.review.export import Needles
from photogenic.review.imports import samples_of

PACKET = re.compile(rb"<x:xmpmeta.*?</x:xmpmeta>", re.DOTALL)
# As an attribute or as an element. It is searched and not parsed: a packet is somebody else's XML.
RATING = re.compile(rb"""\bxmp:Rating\s*(?:=\s*["']|>)\s*(-?\d+)(?:\.0+)?\s*(?:["']|<)""")


def rating_of(xmp: bytes) -> int | None:
    """The stars that an XMP text tells, -1 to 5; None: none."""
    found = RATING.search(xmp)
    return max(-1, min(5, int(found[1]))) if found else None


def rating_in_file(data: bytes) -> int | None:
    """The stars of the XMP packet inside a picture's bytes (JPEG, TIFF, PNG, WebP, DNG); None: none."""
    ratings = (rating_of(packet[0]) for packet in PACKET.finditer(data))
    return next((rating for rating in ratings if rating is not None), None)


def stars_of(sample: Sample, sources: Sources) -> int | None:
    """The sample's stars, by its side-car or else its file.

    Raises:
        StorageError: its file cannot be read.
    """
    path = sources.path(sample.locator)
    if isinstance(path, Path):
        for beside in (
            path.with_name(f"{path.name}.xmp"),
            path.with_suffix(".xmp"),
            path.with_suffix(".XMP"),
        ):
            rating = rating_of(beside.read_bytes()) if beside.is_file() else None
            if rating is not None:
                return rating
    return rating_in_file(sources.read(sample.locator))


def needles_from_stars(run: Run, min_stars: int) -> Needles:
    """The candidates (or, without a funnel, the pool's pictures) with `min_stars` or more.

    Raises:
        RunError: not a single picture has a rating.
        StorageError: a file cannot be read.
    """
    table, sources = samples_of(run), run.sources()
    stars = [stars_of(sample, sources) for sample in iter_samples(table)]
    if all(count is None for count in stars):
        raise RunError(
            "None of the pictures has a star rating in XMP.",
            "Let your program write ratings to side-cars or into the files, or decide otherwise.",
        )
    kept = [row for row, count in enumerate(stars) if count is not None and count >= min_stars]
    rows = table.take(pa.array(kept, pa.int64()))
    return Needles(
        rows=rows,
        captions=[caption_for(text) for text in rows["alt_text"].to_pylist()],
        decided_by=[f"{stars[row]} stars in XMP" for row in kept],
        scores=[None] * len(kept),
    )
