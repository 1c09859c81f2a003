"""What JPEG did to a picture: the quality it was saved with, and the blocks that outlive a second save."""

from __future__ import annotations

import struct
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from photogenic.measures.vision import opencv

# ITU-T T.81, table K.1 (luminance), in zigzag order as files store it.
_LUMINANCE = np.array(
    [
        *(16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40),
        *(26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61, 60, 57, 51),
        *(56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87),
        *(95, 98, 103, 104, 103, 62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99),
    ]
)

MIN_GRID_PX = 4
MIN_BLOCKS = 8  # a side; a smaller picture has too few edges to average over
MAX_STEP, MAX_EXCESS = 12, 2  # levels; larger ones are edges of the picture itself

_START_OF_SCAN, _QUANTISATION = 0xDA, 0xDB
_STANDALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a length


def jpeg_quality(data: bytes) -> float:
    """1-100 on libjpeg's scale: the quality with the luminance table nearest the file's; 100 for no JPEG."""
    table = _luminance_table(data)
    return 100.0 if table is None else _nearest_quality(table)


@lru_cache(maxsize=1024)  # files of one camera or program share theirs
def _nearest_quality(table: bytes) -> float:
    values = np.frombuffer(table, ">u2" if len(table) == 128 else "u1").astype(np.int64)
    return float(1 + np.abs(_tables() - values).sum(axis=1).argmin())


@lru_cache(maxsize=1)
def _tables() -> NDArray[np.int64]:
    """[100, 64]: libjpeg's luminance tables for the qualities 1-100 (jcparam.c, jpeg_quality_scaling)."""
    quality = np.arange(1, 101)
    scale = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    tables: NDArray[np.int64] = np.clip((_LUMINANCE[None] * scale[:, None] + 50) // 100, 1, 255)
    return tables


def _luminance_table(data: bytes) -> bytes | None:
    """Quantisation table 0, 64 values of 8 or 16 bit in zigzag order; None when there is none."""
    if data[:2] != b"\xff\xd8":
        return None
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF or marker in _STANDALONE:  # fill bytes
            position += 1 if marker == 0xFF else 2
            continue
        if marker == _START_OF_SCAN:
            return None
        (length,) = struct.unpack_from(">H", data, position + 2)
        if marker == _QUANTISATION:
            table = _table_zero(data[position + 4 : position + 2 + length])
            if table is not None:
                return table
        position += 2 + length
    return None


def _table_zero(segment: bytes) -> bytes | None:
    """Table 0 among those that one segment holds, each a byte of precision and number, then 64 values."""
    position = 0
    while position < len(segment):
        sixteen_bit, number = segment[position] >> 4, segment[position] & 15
        size = 128 if sixteen_bit else 64
        values = segment[position + 1 : position + 1 + size]
        if len(values) < size:
            return None
        if number == 0:
            return values
        position += 1 + size
    return None


def blockiness_score(grey: NDArray[np.uint8], grid_px: int = 8) -> float:
    """How much larger steps are on a grid of `grid_px` than beside it, in levels (0-2), from [H, W].

    After Z. Wang, A. Bovik & B. Evans, Blind measurement of blocking artifacts in images (2000). The grid's
    phase is searched for, since the picture may have been cropped. Of the two directions the weaker counts,
    and no single line of the picture counts for more than MAX_EXCESS. 0 where blocks are below 4 px.
    """
    if min(grey.shape) <= MIN_BLOCKS * grid_px or grid_px < MIN_GRID_PX:
        return 0.0
    cv = opencv()
    sideways, downwards = cv.absdiff(grey[:, 1:], grey[:, :-1]), cv.absdiff(grey[1:], grey[:-1])
    return min(_grid_excess(sideways, 0, grid_px), _grid_excess(downwards, 1, grid_px))


def _grid_excess(steps: NDArray[np.uint8], along: int, grid_px: int) -> float:
    """From steps between neighbours [h, w], each line of which runs along the axis `along`."""
    cv = opencv()
    sums = cv.reduce(cv.min(steps, MAX_STEP), along, cv.REDUCE_SUM, dtype=cv.CV_32S).ravel()
    num_blocks = sums.size // grid_px
    lines = (sums[: num_blocks * grid_px] / steps.shape[along]).reshape(num_blocks, grid_px)
    excess = np.clip(lines - _medians(lines), -MAX_EXCESS, MAX_EXCESS)
    phases = excess.mean(axis=0)
    return float(phases.max() - _medians(phases[None])[0, 0])


def _medians(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each row of [n, m], as [n, 1]. np.median spends more time on checks than on so few values."""
    ordered, middle = np.sort(rows, axis=1), rows.shape[1] // 2
    upper = ordered[:, middle : middle + 1]
    return upper if rows.shape[1] % 2 else (ordered[:, middle - 1 : middle] + upper) / 2
