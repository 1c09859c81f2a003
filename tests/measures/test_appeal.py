from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from photogenic.measures.appeal import NEEDED_COLUMNS, TERMS, appeal_score, rising
from photogenic.measures.decode import Picture, Rgb
from photogenic.measures.pixel import COLUMNS, measure

FAULTLESS = {
    "sharpness_score": 2.2,
    "content_luma_mean": 0.5,
    "luma_mean": 0.7,
    "bright_clip_ratio": 0.0,
    "dark_clip_ratio": 0.0,
    "noise_score": 0.0,
    "jpeg_quality": 100.0,
    "blockiness_score": 0.0,
    "edge_touch_ratio": 0.0,
    "border_ratio": 0.0,
    "contrast": 1.0,
    "colourfulness_score": 100.0,
    "cast_score": 0.0,
    "foreground_ratio": 0.5,
}
WORST = {
    "sharpness_score": 0.0,
    "content_luma_mean": 0.0,
    "luma_mean": 0.0,
    "bright_clip_ratio": 1.0,
    "dark_clip_ratio": 1.0,
    "noise_score": 30.0,
    "jpeg_quality": 1.0,
    "blockiness_score": 2.0,
    "edge_touch_ratio": 0.6,
    "border_ratio": 0.9,
    "contrast": 0.0,
    "colourfulness_score": 0.0,
    "cast_score": 30.0,
    "foreground_ratio": 0.0,
}


def jpeg(rgb: Rgb, quality: int) -> Rgb:
    buffer = BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def tinted(rgb: Rgb) -> Rgb:
    return clipped(rgb * np.array([1.3, 1.0, 0.55]))


def clipped(values: np.ndarray) -> Rgb:
    return np.clip(values, 0, 255).astype(np.uint8)


SPOILS: dict[str, Callable[[Rgb], Rgb]] = {
    "blurred": lambda rgb: np.asarray(Image.fromarray(rgb).filter(ImageFilter.GaussianBlur(2.5))),
    "dark": lambda rgb: clipped(rgb * 0.3),
    "grey": lambda rgb: np.asarray(Image.fromarray(rgb).convert("L").convert("RGB")),
    "washed out": lambda rgb: clipped(140 + rgb * 0.4),
    "low contrast": lambda rgb: clipped(128 + (rgb.astype(float) - 128) * 0.35),
    "compressed": lambda rgb: jpeg(rgb, 8),
    "noisy": lambda rgb: clipped(rgb + np.random.default_rng(0).normal(0, 25, rgb.shape)),
    "burnt out": lambda rgb: clipped(rgb * 3.0 + 60),
}


def score(rgb: Rgb) -> float:
    return appeal_score(measure(Picture(np.ascontiguousarray(rgb), rgb.shape[1], rgb.shape[0], "test")))


def test_the_scale_is_zero_to_ten() -> None:
    assert appeal_score(FAULTLESS) == pytest.approx(10)
    assert 0 < appeal_score(WORST) < 0.001
    assert set(NEEDED_COLUMNS) == set(FAULTLESS) and set(NEEDED_COLUMNS) <= set(COLUMNS)


@pytest.mark.parametrize("name", FAULTLESS)
def test_every_measure_moves_the_score_down_steadily(name: str) -> None:
    path = np.linspace(FAULTLESS[name], WORST[name], 60)
    scores = [appeal_score(FAULTLESS | {name: float(value)}) for value in path]
    assert scores[-1] < 9.3
    assert all(later <= earlier + 1e-9 for earlier, later in pairwise(scores))


def test_one_grave_fault_is_not_made_up_for() -> None:
    for name in ("sharpness_score", "content_luma_mean", "noise_score", "jpeg_quality"):
        assert appeal_score(FAULTLESS | {name: WORST[name]}) <= 1.0


def test_columns_are_scored_as_single_pictures_are() -> None:
    rng = np.random.default_rng(0)
    between = [
        {name: FAULTLESS[name] + share * (WORST[name] - FAULTLESS[name]) for name, share in drawn.items()}
        for drawn in ({name: rng.random() ** 3 for name in NEEDED_COLUMNS} for _ in range(200))
    ]
    rows = [FAULTLESS, WORST, FAULTLESS | {"contrast": 0.4}, FAULTLESS | {"foreground_ratio": 1.0}, *between]
    columns = {name: np.array([row[name] for row in rows]) for name in NEEDED_COLUMNS}
    assert appeal_score(columns).tolist() == [appeal_score(row) for row in rows], "to the last bit"


def test_a_score_is_never_guessed() -> None:
    with pytest.raises(KeyError):
        appeal_score({"contrast": 1.0})
    assert np.isnan(appeal_score(FAULTLESS | {"noise_score": float("nan")}))


def test_each_term_stays_between_zero_and_one() -> None:
    for row in (FAULTLESS, WORST):
        columns = {name: np.array([value]) for name, value in row.items()}
        assert all(0 <= term(columns)[0] <= 1 and 0 < least < 1 for term, least in TERMS)
    assert rising(np.array([0.0, 1.0, 1.5, 2.0, 9.0]), 1, 2).tolist() == [0, 0, 0.5, 1, 1]


@pytest.mark.parametrize("kind", SPOILS)
def test_spoiled_copies_rank_below_their_originals(
    photographs: dict[str, Rgb], sticker: Rgb, kind: str
) -> None:
    for rgb in (*photographs.values(), sticker):
        assert score(SPOILS[kind](rgb)) < 0.85 * score(rgb)


@pytest.mark.parametrize("kind", ["blurred", "dark", "washed out", "low contrast", "compressed", "noisy"])
def test_every_photograph_ranks_above_every_spoiled_one(photographs: dict[str, Rgb], kind: str) -> None:
    spoiled = [score(SPOILS[kind](rgb)) for rgb in photographs.values()]
    assert max(spoiled) < min(score(rgb) for rgb in photographs.values())


def test_a_colour_cast_is_a_mild_fault(photographs: dict[str, Rgb]) -> None:
    for rgb in photographs.values():
        assert 0.6 * score(rgb) < score(tinted(rgb)) < 0.97 * score(rgb)


def test_forced_colours_are_a_fault_of_photographs_only(photographs: dict[str, Rgb]) -> None:
    for name in ("astronaut", "coffee"):
        forced = Image.fromarray(photographs[name])
        forced = ImageEnhance.Color(ImageEnhance.Contrast(forced).enhance(1.6)).enhance(3)
        assert score(np.asarray(forced)) < 0.8 * score(photographs[name])
    loud = FAULTLESS | {"colourfulness_score": 180.0}
    assert appeal_score(loud | {"foreground_ratio": 1.0}) < 1.0
    assert appeal_score(loud | {"foreground_ratio": 0.5}) == pytest.approx(10), "a drawing on plain ground"


def test_a_cut_sticker_ranks_below_the_whole_one(sticker: Rgb) -> None:
    assert score(sticker[:, :330]) < 0.5 * score(sticker)
