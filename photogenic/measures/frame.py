"""What the frame of a picture holds: a plain background, a subject it cuts, bars."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from photogenic.measures.decode import Rgb
from photogenic.measures.vision import opencv

PLAIN_TOLERANCE = 4  # levels around the background's colour that JPEG leaves of a flat one
CONTENT_TOLERANCE = 12  # levels by which content differs from the background
MIN_PLAIN_SHARE = 0.4  # of the outermost ring, for a background to count as plain
MIN_BAR_SHARE = 0.2  # of the ring: two bars take up at least the sides that they lie on
MIN_BAR_EDGE_SHARE = (
    0.6  # of a bar's inner edge that borders on content: a bar ends straight, a margin does not
)
MAX_FRAME_SHARE = 0.06  # of the side: a frame around all four sides is thin


@dataclass(frozen=True)
class Frame:
    """Content and background of one small view."""

    content: NDArray[np.bool_]  # [h, w], everything but the plain background
    is_plain: bool  # whether the background is one flat colour
    edge_touch_ratio: float  # of the outermost ring that content touches; 0 when the background is not plain
    border_ratio: float  # of the area that lies in straight bars along the edges


def look_at_frame(small: Rgb) -> Frame:
    """Finds the plain background of a small view [h, w, 3] (about 128 px) by its outermost ring.

    A picture without one (most photographs) is content throughout.
    """
    ring = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])[None]
    colour = _commonest_colour(ring)
    plain_share = opencv().countNonZero(_alike(ring, colour, PLAIN_TOLERANCE)) / ring.shape[1]
    if plain_share < MIN_BAR_SHARE:
        return Frame(_everything(small.shape[:2]), False, 0.0, 0.0)
    unlike = _alike(small, colour, CONTENT_TOLERANCE) == 0
    border_ratio = _border_ratio(unlike)
    if plain_share < MIN_PLAIN_SHARE:
        return Frame(_everything(small.shape[:2]), False, 0.0, border_ratio)
    content = _enclosed(unlike)
    ring_content = np.concatenate([content[0], content[-1], content[:, 0], content[:, -1]])
    return Frame(content, True, float(ring_content.mean()), border_ratio)


@lru_cache(maxsize=16)
def _everything(shape: tuple[int, int]) -> NDArray[np.bool_]:
    """[h, w], shared by all pictures of that shape, so nobody may write into it."""
    everything = np.ones(shape, np.bool_)
    everything.flags.writeable = False
    return everything


def _commonest_colour(ring: Rgb) -> list[int]:
    """The mean of the fullest of 16 x 16 x 16 colour cells, from [1, n, 3]."""
    cv = opencv()
    cell = int(cv.calcHist([ring], [0, 1, 2], None, [16, 16, 16], [0, 256] * 3).argmax())
    red, green, blue = cell >> 8 << 4, (cell >> 4 & 15) << 4, (cell & 15) << 4
    fullest = cv.inRange(ring, (red, green, blue), (red + 15, green + 15, blue + 15))
    return [round(level) for level in cv.mean(ring, fullest)[:3]]


def _alike(rgb: Rgb, colour: list[int], tolerance: int) -> NDArray[np.uint8]:
    """[h, w]: 255 where every channel is within `tolerance` levels of the colour's, elsewhere 0."""
    low, high = [level - tolerance for level in colour], [level + tolerance for level in colour]
    return np.asarray(opencv().inRange(rgb, tuple(low), tuple(high)))


def _enclosed(unlike: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """All of [h, w] that the ground does not reach from the frame: white eyes belong to the face."""
    cv = opencv()
    ground = np.pad((~unlike).astype(np.uint8), 1, constant_values=1)
    cv.floodFill(ground, None, (0, 0), 2)
    return np.asarray(ground[1:-1, 1:-1] != 2)


def _border_ratio(content: NDArray[np.bool_]) -> float:
    """The area of the bars, from [h, w]: between a pair of them content runs from edge to edge, or to a thin
    frame. A wider margin on all sides is the ground that a subject stands on.
    """
    rows, columns = np.flatnonzero(content.any(axis=1)), np.flatnonzero(content.any(axis=0))
    if rows.size == 0:
        return 0.0
    height, width = content.shape
    margins = [int(rows[0]), height - 1 - int(rows[-1]), int(columns[0]), width - 1 - int(columns[-1])]
    top, bottom, left, right = margins
    if max(left, right) > MAX_FRAME_SHARE * width or not _ends_straight(content, top, bottom):
        top = bottom = 0
    if max(margins[:2]) > MAX_FRAME_SHARE * height or not _ends_straight(content.T, left, right):
        left = right = 0
    inside = (height - top - bottom) * (width - left - right)
    return float(1.0 - inside / (height * width))


def _ends_straight(content: NDArray[np.bool_], top: int, bottom: int) -> bool:
    """Whether the rows that follow the margins of [h, w] are filled from side to side, as a bar's edge is."""
    inner = [content[top : top + 2], content[::-1][bottom : bottom + 2]]  # an edge may fall between two rows
    return all(bool(np.mean(rows.any(axis=0)) >= MIN_BAR_EDGE_SHARE) for rows in inner)
