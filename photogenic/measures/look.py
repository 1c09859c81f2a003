"""What several measures of one picture share: each is made when it is first asked for, and once."""

from __future__ import annotations

from functools import cached_property
from itertools import accumulate, combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from photogenic.measures.closeups import Grey, detail_closeup
from photogenic.measures.decode import Picture, Rgb
from photogenic.measures.frame import Frame, look_at_frame
from photogenic.measures.scales import CANONICAL_LONG_SIDE_PX
from photogenic.measures.vision import opencv

Levels = list[float]  # [256], how many pixels have that luma or a lower one
Planes = NDArray[np.float32]  # [3, N] or [N], levels
Mean = list[float]  # [3]
Covariance = list[list[float]]  # [3, 3]


class Look:
    """One picture that is being measured. "Content" is everything but a plain background."""

    def __init__(self, picture: Picture, small: Rgb, data: bytes | None) -> None:
        """small: its view of at most 128 px. data: the file's bytes, where there is a file."""
        self.picture = picture
        self.small = small
        self.data = data

    @property
    def long_side_px(self) -> int:
        """Of the picture as it was decoded."""
        return int(max(self.picture.rgb.shape[:2]))

    @property
    def scale(self) -> float:
        """From the picture as it was decoded to the canonical size."""
        return min(1.0, CANONICAL_LONG_SIDE_PX / self.long_side_px)

    @property
    def grid_px(self) -> int:
        """The side of JPEG's blocks of 8 px as this picture holds them."""
        return round(8 * self.long_side_px / max(self.picture.width_px, self.picture.height_px))

    @cached_property
    def luma(self) -> Grey:
        """Of the small view. [h, w]"""
        return np.asarray(opencv().cvtColor(self.small, opencv().COLOR_RGB2GRAY))

    @cached_property
    def frame(self) -> Frame:
        """Content and background of the small view."""
        return look_at_frame(self.small)

    @cached_property
    def detail(self) -> Grey:
        """The part with the most detail, as it was decoded."""
        return detail_closeup(self.picture.rgb, self.luma)

    @cached_property
    def levels(self) -> Levels:
        """Of the whole picture's luma."""
        return _levels(self.luma)

    @cached_property
    def content_levels(self) -> Levels:
        """Of the content's luma."""
        return _levels(self.luma, self.frame.content.view(np.uint8)) if self._is_partial else self.levels

    @cached_property
    def channels(self) -> list[Grey]:
        """Red, green and blue of the content, as bytes. [h, w] or [1, N]"""
        pixels = self.small[self.frame.content][None] if self._is_partial else self.small
        return list(opencv().split(pixels))

    @cached_property
    def planes(self) -> Planes:
        """Red, green and blue of the content. [3, N]"""
        return np.array(self.channels, np.float32).reshape(3, -1)

    @cached_property
    def value(self) -> Planes:
        """The largest of each pixel's channels. [N]"""
        red, green, blue = self.planes
        return np.asarray(np.maximum(np.maximum(red, green), blue))

    @cached_property
    def chroma(self) -> Planes:
        """By how much the largest of each pixel's channels exceeds the smallest. [N]"""
        red, green, blue = self.planes
        return np.asarray(self.value - np.minimum(np.minimum(red, green), blue))

    @cached_property
    def moments(self) -> tuple[Mean, Covariance]:
        """Mean [3] and covariance [3, 3] of the content's channels.

        From sums of whole numbers, so that nothing is rounded before the last division. OpenCV sums the
        squares of bytes fastest, and products follow from them: |a - b|^2 = |a|^2 + |b|^2 - 2ab.
        """
        channels, num = self.channels, self.channels[0].size
        sums = [int(opencv().sumElems(channel)[0]) for channel in channels]
        squares = [_sum_of_squares(channel) for channel in channels]
        covariance = [[0.0] * 3 for _ in channels]
        for a, b in combinations_with_replacement(range(3), 2):
            apart = _sum_of_squares(channels[a], channels[b]) if a != b else 0
            product = (squares[a] + squares[b] - apart) // 2
            covariance[a][b] = covariance[b][a] = (num * product - sums[a] * sums[b]) / num**2
        return [total / num for total in sums], covariance

    @cached_property
    def _is_partial(self) -> bool:
        """Whether content is told from ground. A blank picture has no content: its ground counts."""
        return self.frame.is_plain and bool(self.frame.content.any())


def _sum_of_squares(*channels: Grey) -> int:
    """Of one channel, or of how far two are apart. OpenCV may square a root for it: not quite whole."""
    total: float = opencv().norm(*channels, opencv().NORM_L2SQR)
    return round(total)


def _levels(luma: Grey, where: Grey | None = None) -> Levels:
    """From [h, w]; where: only of the pixels that are not 0 in it. A list, for what is asked of it
    afterwards takes NumPy longer than plain numbers.
    """
    counts = opencv().calcHist([luma], [0], where, [256], [0, 256])
    return list(accumulate(counts.ravel().tolist()))
