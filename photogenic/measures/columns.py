"""Everything that pixels tell about one file, from its bytes and one scaled decode."""

from __future__ import annotations

from functools import lru_cache

from photogenic.measures.appeal import NEEDED_COLUMNS, appeal_score
from photogenic.measures.decode import decode
from photogenic.measures.phash import phash
from photogenic.measures.pixel import COLUMNS, measure_small
from photogenic.measures.scales import small_view


def measure_file(data: bytes, columns: tuple[str, ...]) -> dict[str, float | str]:
    """`decoder`, and of `pixel.COLUMNS`, `phash` and `appeal_score` those that are asked for.

    Where the appeal score is asked for, what it is made of is told as well. Raises DecodeError.
    """
    picture = decode(data, exact=False)
    small = small_view(picture.rgb)
    values: dict[str, float | str] = {"decoder": picture.decoder}
    measures = measure_small(picture, small, data, _measured_for(columns))
    values |= measures
    if "phash" in columns:
        values["phash"] = phash(small)
    if "appeal_score" in columns:
        values["appeal_score"] = appeal_score(measures)
    return values


@lru_cache(maxsize=16)
def _measured_for(columns: tuple[str, ...]) -> tuple[str, ...]:
    """The pixel measures among the columns, and those that the appeal score is made of where it is one."""
    needed = {*columns, *(NEEDED_COLUMNS if "appeal_score" in columns else ())}
    return tuple(name for name in COLUMNS if name in needed)
