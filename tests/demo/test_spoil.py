"""Each kind does what it says, measured on a real drawing."""

from __future__ import annotations

import io
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from scipy import ndimage

from photogenic.demo import overlay, spoil
from photogenic.demo.plan import SHARES
from photogenic.demo.sources.sticker import Pixels
from photogenic.demo.sources.twemoji import stickers

SEEDS = range(8)


@pytest.fixture(scope="module")
def picture() -> Pixels:
    """A slice of pizza on white, RGB uint8 [H, W, 3]."""
    pizza = next(sticker for sticker in stickers() if sticker.concept == "1f355")
    drawn = Image.fromarray(pizza.render(240))
    canvas = Image.new("RGB", (256, 256), "white")
    canvas.paste(drawn, (8, 8), drawn)
    return np.asarray(canvas)


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def luma(rgb: Pixels) -> npt.NDArray[np.float64]:
    return np.asarray(rgb @ spoil.LUMA, np.float64)


def detail(rgb: Pixels) -> float:
    return float(ndimage.laplace(luma(rgb)).var())


def chroma(rgb: Pixels) -> float:
    return float(np.ptp(rgb.astype(int), axis=2).mean())


@pytest.mark.parametrize("seed", SEEDS)
def test_blur_takes_away_detail(picture: Pixels, seed: int) -> None:
    blurred = spoil.blur(picture, rng(seed)).rgb
    assert blurred.shape == picture.shape
    assert detail(blurred) < 0.15 * detail(picture)
    assert luma(blurred).mean() == pytest.approx(luma(picture).mean(), abs=1.5)


def test_motion_blurs_along_its_direction_only() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[::8] = 255
    along = spoil._move(stripes, 7, 0.0)
    across = spoil._move(stripes, 7, np.pi / 2)
    assert np.abs(along.astype(int) - stripes).max() == 0
    assert across.std() < 0.4 * stripes.std()


@pytest.mark.parametrize("seed", SEEDS)
def test_over_exposed_is_lighter_and_clipped(picture: Pixels, seed: int) -> None:
    light, parameters = spoil.over_exposed(picture, rng(seed))
    assert 1.0 <= float(parameters["stops"]) <= 2.0
    assert luma(light).mean() > luma(picture).mean()
    assert (light == 255).mean() > (picture == 255).mean() + 0.05


def test_a_stop_doubles_the_light() -> None:
    mid = np.full((4, 4, 3), 100, np.uint8)
    twice = spoil._expose(mid, 1.0)
    assert ((twice / 255.0) ** 2.2).mean() == pytest.approx(2 * (100 / 255.0) ** 2.2, rel=0.01)


@pytest.mark.parametrize("seed", SEEDS)
def test_under_exposed_is_dark_and_noisy(picture: Pixels, seed: int) -> None:
    dark = spoil.under_exposed(picture, rng(seed)).rgb
    assert luma(dark).max() < 140
    assert luma(dark)[:6, :6].std() > 0.5  # a plain background is no longer plain


@pytest.mark.parametrize("seed", SEEDS)
def test_washed_out_has_little_contrast_and_colour(picture: Pixels, seed: int) -> None:
    faded = spoil.washed_out(picture, rng(seed)).rgb
    assert luma(faded).std() < 0.45 * luma(picture).std()
    assert chroma(faded) < 0.25 * chroma(picture)


def test_grey_has_no_colour(picture: Pixels) -> None:
    tones = {}
    for seed in range(30):
        toned, parameters = spoil.grey(picture, rng(seed))
        tones[str(parameters["tone"])] = toned
    assert set(tones) == {"none", "warm"}
    assert chroma(tones["none"]) == 0
    assert 0 < chroma(tones["warm"]) < 35
    luma_of_warm = tones["warm"][..., 0]
    assert np.abs(luma_of_warm - luma(picture)).max() <= 1


@pytest.mark.parametrize("seed", SEEDS)
def test_cut_off_is_a_window_at_an_edge(picture: Pixels, seed: int) -> None:
    window, parameters = spoil.cut_off(picture, rng(seed))
    height, width = window.shape[:2]
    whole = picture.shape[0]
    assert 0.44 * whole <= min(height, width) <= 0.66 * whole
    assert (height < whole, width < whole) == {
        "width": (False, True),
        "height": (True, False),
        "both": (True, True),
    }[str(parameters["sides"])]
    corners = [
        picture[top : top + height, left : left + width]
        for top in (0, whole - height)
        for left in (0, whole - width)
    ]
    assert any(np.array_equal(window, corner) for corner in corners)


@pytest.mark.parametrize("seed", SEEDS)
def test_tiny(picture: Pixels, seed: int) -> None:
    assert 24 <= max(spoil.tiny(picture, rng(seed)).rgb.shape[:2]) <= 56


@pytest.mark.parametrize("seed", SEEDS)
def test_a_near_duplicate_looks_the_same_and_is_not(picture: Pixels, seed: int) -> None:
    copy = spoil.near_duplicate(picture, rng(seed)).rgb
    assert copy.shape[0] < picture.shape[0]
    small, small_copy = (
        np.asarray(Image.fromarray(rgb).resize((32, 32))).astype(float) for rgb in (picture, copy)
    )
    assert np.corrcoef(small.ravel(), small_copy.ravel())[0, 1] > 0.85


def test_heavy_jpeg_shows_blocks_and_is_sometimes_saved_again(picture: Pixels) -> None:
    seen = set()
    for seed in range(12):
        content, parameters = spoil.heavy_jpeg(picture, rng(seed))
        with Image.open(io.BytesIO(content)) as image:
            assert isinstance(image, JpegImageFile)
            decoded = np.asarray(image.convert("RGB"))
            coarse = sum(image.quantization[0]) / 64  # the mean step of luminance
        again = parameters["saved_again"]
        seen.add(again)
        assert coarse < 12 if again == "yes" else coarse > 100
        assert blockiness(decoded) > 1.3 * blockiness(picture)
    assert seen == {"yes", "no"}


def blockiness(rgb: Pixels) -> float:
    """Steps between columns at the borders of 8 x 8 blocks against those between other columns."""
    steps = np.abs(np.diff(luma(rgb), axis=1)).mean(axis=0)
    at_border = np.arange(1, rgb.shape[1]) % 8 == 0
    return float(steps[at_border].mean() / steps[~at_border].mean())


@pytest.mark.parametrize("seed", SEEDS)
def test_a_truncated_file_does_not_decode(picture: Pixels, seed: int) -> None:
    whole = spoil.encode_jpeg(picture, 90)
    content, parameters = spoil.truncated(whole, rng(seed))
    assert whole.startswith(content)
    assert len(content) == int(len(whole) * float(parameters["part"]))
    with pytest.raises(OSError, match="truncated"):
        Image.open(io.BytesIO(content)).load()


@pytest.mark.parametrize("layout", overlay.LAYOUTS)
def test_each_layout_draws_its_text(picture: Pixels, layout: str) -> None:
    for seed in SEEDS:
        text, image = overlay.LAYOUTS[layout](Image.fromarray(picture), rng(seed))
        changed = (np.asarray(image) != picture).any(axis=2)
        assert text.strip()
        assert 0.004 < changed.mean() < 0.6
        assert changed.any(axis=0).mean() > 0.25  # legible: it spans a good part of the width


@pytest.mark.parametrize("text", ["Image not available for your region", "IMG 2041 12/03/2011"])
def test_long_lines_fit_into_narrow_pictures(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlay, "OFFERS", (text,))
    white = Image.new("RGB", (200, 500), "white")
    _, image = overlay.LAYOUTS["offer"](white, rng(0))
    picture = np.asarray(image)
    rows = np.flatnonzero((picture < 250).any(axis=(1, 2)))
    bar = picture[rows.min() : rows.max() + 1]
    letters = bar.min(axis=2) > 220
    assert letters.any()
    assert not letters[:, 0].any()
    assert not letters[:, -1].any()


KINDS: dict[str, Callable[[Pixels, np.random.Generator], spoil.Spoiled]] = {
    kind: getattr(spoil, kind)
    for kind in SHARES
    if hasattr(spoil, kind) and kind not in ("heavy_jpeg", "truncated")
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_generator_decides_everything(picture: Pixels, kind: str) -> None:
    before = picture.copy()
    first, again, *others = (KINDS[kind](picture, rng(seed)) for seed in (1, 1, *range(2, 12)))
    assert np.array_equal(first.rgb, again.rgb)
    assert first.parameters == again.parameters
    assert any(not np.array_equal(first.rgb, other.rgb) for other in others)
    assert np.array_equal(picture, before)  # the input is left alone
    assert first.rgb.dtype == np.uint8


def test_more_stops_are_lighter(picture: Pixels) -> None:
    means = [luma(spoil._expose(picture, stops)).mean() for stops in (-4.0, -2.5, 0.0, 1.0, 2.0)]
    assert all(lower < higher for lower, higher in pairwise(means))
