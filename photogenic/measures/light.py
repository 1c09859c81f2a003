"""The colour of the light, several ways: what tells a cast from a tint that is meant.

Warmth is log2(red / blue), greenness log2(green / sqrt(red x blue)): daylight, bulbs and shade differ in the
first, tubes and a wrong white balance in the second as well. A cast that was laid on a finished picture moves
all estimates alike and leaves black where it was; and what was white is cut off below white. `finish.py`
judges these numbers together, none is a verdict.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from photogenic.measures.families import Family, gathered
from photogenic.measures.scales import reduced
from photogenic.measures.vision import Rgb, opencv

Values = NDArray[np.float64]
Floats = NDArray[np.float32]

LONG_SIDE_PX = 192  # colours of light are no matter of detail
BLACK = 4.0  # levels that are added, so that black has a balance too: none
DARK, WHITE = 25, 250  # luma from which, and level up to which, a pixel's colour says something
NEUTRAL, NEARLY_NEUTRAL = 0.12, 0.3  # powers of two off grey
MINKOWSKI = 6  # Finlayson & Trezzi, Shades of gray and colour constancy (2004)
GREY_SHARE = 0.005  # of the pixels: the greyest
BALANCES = (2, 98)  # percentiles
BINS, REACH = 30, (3.0, 1.5)  # of the histogram of balances, and how far it goes in warmth and greenness

LIGHT_COLUMNS = (
    "top_warmth",
    "top_greenness",
    "high_warmth",
    "high_greenness",
    "low_warmth",
    "low_greenness",
    "top_least",
    "bottom_most",
    "cut_off_below_white",
    "partly_clipped",
    "clipped",
    "mean_warmth",
    "mean_greenness",
    "shades_warmth",
    "shades_greenness",
    "edges_warmth",
    "edges_greenness",
    "grey_warmth",
    "grey_greenness",
    "grey_spread",
    "warmth_agreed",
    "warmth_apart",
    "greenness_agreed",
    "greenness_apart",
    "neutral",
    "nearly_neutral",
    "usual_warmth",
    "usual_greenness",
    "neutral_by_usual",
    "warmth_p02",
    "warmth_p98",
    "greenness_p02",
    "greenness_p98",
    "black_light",
    "black_red_green",
    "black_yellow_blue",
    "white_least_chroma",
    "hues",
)


def light(rgb: Rgb) -> dict[str, float]:
    """All LIGHT_COLUMNS of [H, W, 3] at the canonical size."""
    small = reduced(rgb, LONG_SIDE_PX)
    return gathered(ends(rgb), clipping(small), lights(small), balances(small), places(small))


def balance(colours: NDArray[np.generic]) -> tuple[Floats, Floats]:
    """[..., 3] => warmth [...] and greenness [...], in powers of two."""
    red, green, blue = np.moveaxis(np.log2(colours.astype(np.float32) + np.float32(BLACK)), -1, 0)
    return red - blue, green - (red + blue) / 2


def ends(rgb: Rgb) -> Family:
    """Where each channel begins and ends, and what piles up at an end that is not white."""
    cv, num = opencv(), rgb.shape[0] * rgb.shape[1]
    below = [np.cumsum(cv.calcHist([rgb], [channel], None, [256], [0, 256]).ravel()) for channel in range(3)]
    bottom, low, high, top = (
        np.array([np.searchsorted(counts, share * num, "right") for counts in below]).clip(0, 255) / 255
        for share in (0.0005, 0.01, 0.99, 0.9995)
    )
    for name, (red, green, blue) in (("top", top), ("high", high), ("low", low)):
        yield f"{name}_warmth", red - blue
        yield f"{name}_greenness", green - (red + blue) / 2
    yield "top_least", top.min()
    yield "bottom_most", bottom.max()
    piles = [
        1 - counts[max(0, round(255 * end) - 3)] / num if end < WHITE / 255 else 0
        for counts, end in zip(below, top, strict=True)
    ]
    yield "cut_off_below_white", np.log2(max(piles) + 1e-4)


def clipping(small: Rgb) -> Family:
    """Pixels of which one or two channels are white, and all three."""
    white = (small >= 252).sum(axis=2)
    yield "partly_clipped", np.log2(((white > 0) & (white < 3)).mean() + 1e-4)
    yield "clipped", np.log2((white == 3).mean() + 1e-4)


def lights(small: Rgb) -> Family:
    """The light's colour by four estimates, and how far they agree."""
    cv, levels = opencv(), small.astype(np.float32)
    smooth = cv.GaussianBlur(levels, (0, 0), 1)
    slopes = np.square(np.diff(smooth, axis=1)[:-1]) + np.square(np.diff(smooth, axis=0)[:, :-1])
    greyest = greyest_pixels(levels, smooth)
    found = {
        "mean": levels.mean(axis=(0, 1)),
        "shades": 255 * ((levels / 255) ** MINKOWSKI).mean(axis=(0, 1)) ** (1 / MINKOWSKI),
        "edges": 8 * np.sqrt(slopes.mean(axis=(0, 1))),  # van de Weijer et al., Edge-based colour constancy
        "grey": np.median(greyest, axis=0),
    }
    warmths, greens = balance(np.array(list(found.values())))
    for name, warmth, green in zip(found, warmths, greens, strict=True):
        yield f"{name}_warmth", warmth
        yield f"{name}_greenness", green
    yield "grey_spread", sum(values.std() for values in balance(greyest))
    for name, values in (("warmth", warmths), ("greenness", greens)):
        yield f"{name}_agreed", np.clip(0, values.min(), values.max())
        yield f"{name}_apart", values.max() - values.min()


def greyest_pixels(levels: Floats, smooth: Floats) -> Floats:
    """Pixels [N, 3] whose channels agree in contrast (Qian et al., On finding gray pixels, 2019)."""
    contrast = opencv().Laplacian(np.log2(smooth + np.float32(BLACK)), -1, ksize=3).reshape(-1, 3)
    mean = contrast.mean(axis=1, keepdims=True)
    strength = np.abs(mean[:, 0])
    off = np.square(contrast - mean).sum(axis=1) / np.square(strength + np.float32(0.02))
    pixels = levels.reshape(-1, 3)
    tells = (pixels.max(axis=1) < WHITE) & (pixels.mean(axis=1) > DARK) & (strength > np.median(strength))
    off[~tells] = np.inf
    num = max(20, round(GREY_SHARE * len(pixels)))
    return pixels[np.argpartition(off, num)[:num]]


def balances(small: Rgb) -> Family:
    """How warm and how green the pixels are: how many are neutral, and whether the most usual balance is."""
    pixels = small.reshape(-1, 3)
    tells = (pixels.max(axis=1) < WHITE) & (pixels.mean(axis=1) > DARK)
    warmths, greens = balance(pixels[tells] if tells.sum() > 100 else pixels)
    off = np.hypot(warmths, 2 * greens)
    yield "neutral", np.log2((off < NEUTRAL).mean() + 1e-3)
    yield "nearly_neutral", np.log2((off < NEARLY_NEUTRAL).mean() + 1e-3)
    places = [
        ((values / reach + 1) / 2 * BINS).clip(0, BINS - 1).astype(np.int64)
        for values, reach in zip((warmths, greens), REACH, strict=True)
    ]
    counts = np.bincount(places[0] * BINS + places[1], minlength=BINS * BINS).astype(np.float32)
    counts = opencv().GaussianBlur(counts.reshape(BINS, BINS), (0, 0), 1)
    most = np.unravel_index(int(counts.argmax()), counts.shape)
    for name, place, reach in zip(("warmth", "greenness"), most, REACH, strict=True):
        yield f"usual_{name}", ((place + 0.5) / BINS * 2 - 1) * reach
    middle = slice(BINS // 2 - 2, BINS // 2 + 2)
    yield "neutral_by_usual", np.log2((counts[middle, middle].max() + 1) / (counts.max() + 1))
    for name, values in (("warmth", warmths), ("greenness", greens)):
        for percent, value in zip(BALANCES, np.percentile(values, BALANCES), strict=True):
            yield f"{name}_p{percent:02d}", value


def places(small: Rgb) -> Family:
    """In CIELAB: the colour of the darkest places, the least chroma of the lightest, the number of hues."""
    lab = opencv().cvtColor(small.astype(np.float32) / 255, opencv().COLOR_RGB2Lab).reshape(-1, 3)
    chroma, num = np.hypot(lab[:, 1], lab[:, 2]), max(1, len(lab) // 50)
    order = np.argpartition(lab[:, 0], (num, len(lab) - num))
    for name, value in zip(("light", "red_green", "yellow_blue"), lab[order[:num]].mean(axis=0), strict=True):
        yield f"black_{name}", value
    yield "white_least_chroma", chroma[order[-num:]].min()
    hues = np.degrees(np.arctan2(lab[:, 2], lab[:, 1]))[chroma > 8]
    yield "hues", (np.histogram(hues, bins=12, range=(-180, 180))[0] > 0.01 * len(lab)).sum()
