from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter
from scipy.ndimage import gaussian_filter

from photogenic.measures.decode import Picture, Rgb, decode
from photogenic.measures.duplicates import hamming
from photogenic.measures.phash import phash
from photogenic.measures.pixel import COLUMNS, measure, measure_small
from photogenic.measures.scales import small_view

Encode = Callable[..., bytes]


@pytest.fixture
def columns_of(encode: Encode) -> Callable[..., dict[str, float]]:
    """columns_of(rgb, format, **options): saved to a real file, decoded, measured."""

    def of(rgb: Rgb | Image.Image, file_format: str = "PNG", **options: object) -> dict[str, float]:
        data = encode(rgb, file_format, **options)
        return measure(decode(data), data)

    return of


Measured = Callable[..., dict[str, float]]


def test_columns_are_those_documented_and_finite(photographs: dict[str, Rgb], columns_of: Measured) -> None:
    for rgb in (*photographs.values(), np.zeros((1, 1, 3), np.uint8), np.full((1, 700, 3), 255, np.uint8)):
        columns = columns_of(rgb)
        assert list(columns) == list(COLUMNS)
        assert all(type(v) is float and np.isfinite(v) for v in columns.values())
        assert all(0 <= v <= 1 for k, v in columns.items() if k.endswith("_ratio"))


def test_some_columns_are_what_they_are_among_all(photographs: dict[str, Rgb], sticker: Rgb) -> None:
    for rgb in (*photographs.values(), sticker):
        picture, small = Picture(rgb, rgb.shape[1], rgb.shape[0], "test"), small_view(rgb)
        every = measure_small(picture, small, None)
        for name in COLUMNS:
            assert measure_small(picture, small, None, [name]) == {name: every[name]}


def test_every_column_is_in_the_documentation() -> None:
    text = (Path(__file__).parents[2] / "docs" / "measures.md").read_text()
    assert [name for name in COLUMNS if f"| `{name}` |" not in text] == []


def test_light_of_known_pictures(columns_of: Measured) -> None:
    halves = np.zeros((64, 64, 3), np.uint8)
    halves[:, 32:] = 255
    columns = columns_of(halves)
    assert columns["luma_mean"] == pytest.approx(0.5)
    assert columns["contrast"] == 1.0
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 1)).repeat(3, axis=2).astype(np.uint8)
    columns = columns_of(noise)
    assert columns["dark_clip_ratio"] == pytest.approx(6 / 256, abs=0.01)
    assert columns["bright_clip_ratio"] == pytest.approx(6 / 256, abs=0.01)


def test_content_leaves_out_the_plain_ground_but_not_what_it_does_not_reach(columns_of: Measured) -> None:
    ring = Image.new("RGB", (100, 100), "white")
    ImageDraw.Draw(ring).ellipse((20, 20, 79, 79), fill="black")
    ImageDraw.Draw(ring).ellipse((35, 35, 64, 64), fill="white")  # enclosed: an eye, not the ground
    columns = columns_of(ring)
    disc, eye = np.pi * 30**2, np.pi * 15**2
    assert columns["foreground_ratio"] == pytest.approx(disc / 10_000, abs=0.01)
    assert columns["content_luma_mean"] == pytest.approx(eye / disc, abs=0.03)
    assert columns["bright_clip_ratio"] == pytest.approx(eye / disc, abs=0.03)


def test_colour_of_known_pictures(photographs: dict[str, Rgb], columns_of: Measured) -> None:
    cup = Image.fromarray(photographs["coffee"])
    grey = columns_of(cup.convert("L").convert("RGB"))
    assert grey["colourfulness_score"] == 0 and grey["saturation_ratio"] == 0
    assert grey["grey_ratio"] == 1 and grey["tint_ratio"] == 1
    red, green, blue, yellow = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)
    mosaic = np.tile(np.array([[red, green], [blue, yellow]], np.uint8), (32, 32, 1))
    columns = columns_of(mosaic)
    # rg is 255, -255, 0, 0 and yb 127.5, 127.5, -255, 255
    spread, offset = np.hypot(255 / np.sqrt(2), np.std([127.5, 127.5, -255, 255])), 63.75
    assert columns["colourfulness_score"] == pytest.approx(spread + 0.3 * offset)
    assert columns["saturation_ratio"] == 1 and columns["grey_ratio"] == 0


def test_colourfulness_is_that_of_the_paper(photographs: dict[str, Rgb]) -> None:
    """Hasler & Suesstrunk (2003), section 5: the spreads and means of two opponent colours."""
    for rgb in photographs.values():
        small = small_view(rgb).astype(np.float64)
        red_green = small[:, :, 0] - small[:, :, 1]
        yellow_blue = (small[:, :, 0] + small[:, :, 1]) / 2 - small[:, :, 2]
        spread = np.hypot(red_green.std(), yellow_blue.std())
        expected = spread + 0.3 * np.hypot(red_green.mean(), yellow_blue.mean())
        found = measure(Picture(rgb, rgb.shape[1], rgb.shape[0], "test"))
        assert found["foreground_ratio"] == 1  # all of it counts
        assert found["colourfulness_score"] == pytest.approx(expected, rel=1e-6)


def test_a_tint_agrees_in_one_hue(photographs: dict[str, Rgb], columns_of: Measured) -> None:
    grey = np.asarray(Image.fromarray(photographs["astronaut"]).convert("L"), np.float64)[:, :, None]
    sepia = np.clip(grey * (1.07, 0.95, 0.75), 0, 255).astype(np.uint8)
    assert columns_of(sepia)["tint_ratio"] > 0.97
    assert columns_of(photographs["rocket"])["tint_ratio"] < 0.9


def test_a_single_tint_has_no_spread_of_hues(photographs: dict[str, Rgb], columns_of: Measured) -> None:
    for rgb in photographs.values():
        grey = np.asarray(Image.fromarray(rgb).convert("L"), np.float64)[:, :, None]
        sepia = np.clip(grey * (1.0, 0.85, 0.65), 0, 255).astype(np.uint8)
        assert columns_of(sepia)["hue_spread_score"] < 2 < 8 < columns_of(rgb)["hue_spread_score"]


def test_a_cast_is_the_angle_of_the_light_from_grey(columns_of: Measured) -> None:
    light = np.array([250, 200, 120])
    ramp = np.linspace(0, 1, 200)[None, :, None].repeat(100, axis=0)
    expected = np.degrees(np.arccos(light.sum() / np.sqrt(3 * (light**2).sum())))
    assert columns_of((ramp * light).astype(np.uint8))["cast_score"] == pytest.approx(expected, abs=0.5)
    assert columns_of((ramp * 255).repeat(3, axis=2).astype(np.uint8))["cast_score"] == pytest.approx(
        0, abs=1e-3
    )


def test_a_blank_page_has_the_light_of_its_ground(columns_of: Measured) -> None:
    for level in (0, 128, 255):
        columns = columns_of(np.full((300, 200, 3), level, np.uint8))
        assert columns["content_luma_mean"] == pytest.approx(level / 255, abs=0.01)


def test_a_sharp_subject_anywhere_counts(photographs: dict[str, Rgb], columns_of: Measured) -> None:
    large = Image.fromarray(photographs["astronaut"]).resize((1000, 1000), Image.Resampling.LANCZOS)
    soft = np.asarray(large.filter(ImageFilter.GaussianBlur(8)))
    for top, left in ((0, 0), (500, 500), (300, 100)):
        picture = soft.copy()
        picture[top : top + 500, left : left + 500] = np.asarray(large)[top : top + 500, left : left + 500]
        assert columns_of(picture)["sharpness_score"] > 1.2 > 0.8 > columns_of(soft)["sharpness_score"]


# ---- sharpness and noise


def blurred(rgb: Rgb, sigma_px: float) -> Rgb:
    return np.asarray(Image.fromarray(rgb).filter(ImageFilter.GaussianBlur(sigma_px)))


def test_sharpness_is_the_inverse_of_the_blur_of_an_edge(columns_of: Measured) -> None:
    edges = np.zeros((240, 240, 3), np.uint8)
    edges[60:180, 60:180] = 200
    for sigma_px in (1.5, 2.0, 3.0, 4.0):
        soft = gaussian_filter(edges.astype(float), (sigma_px, sigma_px, 0)).round().astype(np.uint8)
        score = columns_of(soft)["sharpness_score"]
        assert score == pytest.approx(1 / sigma_px, rel=0.15)


def test_every_blurred_photograph_is_below_every_sharp_one(
    photographs: dict[str, Rgb], sticker: Rgb, columns_of: Measured
) -> None:
    pictures = [*photographs.values(), sticker]
    sharp = [columns_of(rgb)["sharpness_score"] for rgb in pictures]
    soft = [columns_of(blurred(rgb, 2.5))["sharpness_score"] for rgb in pictures]
    assert max(soft) < 0.9 < 1.2 < min(sharp)


def test_sharpness_is_blind_to_contrast_noise_and_compression(
    photographs: dict[str, Rgb], columns_of: Measured
) -> None:
    rng = np.random.default_rng(0)
    for rgb in photographs.values():
        sharp, soft = columns_of(rgb)["sharpness_score"], columns_of(blurred(rgb, 2))["sharpness_score"]
        dull = (rgb * 0.4 + 80).astype(np.uint8)
        assert columns_of(dull)["sharpness_score"] == pytest.approx(sharp, rel=0.25)
        soft_and_noisy = np.clip(blurred(rgb, 2) + rng.normal(0, 4, rgb.shape), 0, 255).astype(np.uint8)
        assert columns_of(soft_and_noisy)["sharpness_score"] < soft + 0.5 < sharp
        assert columns_of(blurred(rgb, 2), "JPEG", quality=30)["sharpness_score"] < sharp


def test_motion_blurs_edges_of_one_direction_only(photographs: dict[str, Rgb], columns_of: Measured) -> None:
    for rgb in photographs.values():
        moved = np.mean([np.roll(rgb, shift, axis=1) for shift in range(-5, 6)], axis=0).astype(np.uint8)
        assert columns_of(moved)["sharpness_score"] < 0.6 * columns_of(rgb)["sharpness_score"]


def test_noise_makes_no_blurred_photograph_sharp(photographs: dict[str, Rgb], columns_of: Measured) -> None:
    rng = np.random.default_rng(0)
    for rgb in photographs.values():
        large = Image.fromarray(rgb).resize((900, 900 * rgb.shape[0] // rgb.shape[1]))
        soft = blurred(np.asarray(large), 6)
        noise = rng.normal(0, 5, soft.shape[:2])[:, :, None]
        noisy = np.clip(soft + noise, 0, 255).astype(np.uint8)
        picture = Picture(noisy, noisy.shape[1], noisy.shape[0], "test")  # larger than it is measured at
        assert measure(picture)["sharpness_score"] < 1.2


@pytest.mark.parametrize("long_side_px", [516, 524, 548, 580])
def test_nor_where_the_decoder_gave_hardly_more_than_the_canonical_size(
    photographs: dict[str, Rgb], long_side_px: int
) -> None:
    """A bilinear step by a factor near to one smooths the noise in some places and leaves it in others."""
    rng = np.random.default_rng(0)
    for rgb in photographs.values():
        height_px = long_side_px * rgb.shape[0] // rgb.shape[1]
        sharp = np.asarray(Image.fromarray(rgb).resize((long_side_px, height_px), Image.Resampling.LANCZOS))
        noise = rng.normal(0, 5, sharp.shape[:2])[:, :, None]
        scores = []
        for view in (sharp, blurred(sharp, 2)):
            noisy = np.clip(view + noise, 0, 255).astype(np.uint8)
            scores.append(measure(Picture(noisy, long_side_px, height_px, "test"))["sharpness_score"])
        assert scores[0] > 1.6 and scores[1] < 1.2


def test_nothing_to_judge_has_no_sharpness(columns_of: Measured) -> None:
    ramp = np.tile(np.linspace(0, 255, 300).astype(np.uint8)[None, :, None], (200, 1, 3))
    assert columns_of(ramp)["sharpness_score"] == 0
    assert columns_of(np.full((200, 200, 3), 90, np.uint8))["sharpness_score"] == 0


@pytest.mark.parametrize("sigma", [2.0, 5.0, 10.0])
def test_noise_is_measured_in_levels(photographs: dict[str, Rgb], columns_of: Measured, sigma: float) -> None:
    rng = np.random.default_rng(1)
    for rgb in (
        photographs["astronaut"],
        photographs["chelsea"],
    ):  # the others are reduced, and noise with them
        noise = rng.normal(0, sigma, rgb.shape[:2])[:, :, None]  # the same in all channels: sigma of the luma
        noisy = np.clip(rgb * 0.8 + 20 + noise, 0, 255).astype(np.uint8)
        assert columns_of(noisy)["noise_score"] == pytest.approx(sigma, rel=0.2, abs=0.6)
        assert columns_of(rgb)["noise_score"] < 1.5


# ---- the frame


def test_a_cut_subject_touches_the_frame(sticker: Rgb, columns_of: Measured) -> None:
    assert columns_of(sticker)["edge_touch_ratio"] == 0
    assert columns_of(sticker)["foreground_ratio"] == pytest.approx(np.pi * 206**2 / 512**2, abs=0.01)
    cut = sticker[:, :330]
    assert 0.1 < columns_of(cut)["edge_touch_ratio"] < 0.35
    assert columns_of(cut, "JPEG", quality=70)["edge_touch_ratio"] > 0.1


def test_photographs_have_no_plain_ground(photographs: dict[str, Rgb], columns_of: Measured) -> None:
    for rgb in photographs.values():
        columns = columns_of(rgb)
        assert columns["foreground_ratio"] == 1
        assert columns["edge_touch_ratio"] == 0 and columns["border_ratio"] == 0


@pytest.mark.parametrize("colour", [0, 255, 128])
def test_bars_are_measured_by_their_area(
    photographs: dict[str, Rgb], columns_of: Measured, colour: int
) -> None:
    for name in ("coffee", "chelsea"):
        letterbox = photographs[name].copy()
        height, width = letterbox.shape[:2]
        letterbox[: height // 8] = letterbox[-(height // 8) :] = colour
        assert columns_of(letterbox)["border_ratio"] == pytest.approx(0.25, abs=0.03)
        pillars = photographs[name].copy()
        pillars[:, : width // 5] = pillars[:, -(width // 5) :] = colour
        assert columns_of(pillars)["border_ratio"] == pytest.approx(0.4, abs=0.03)


def test_a_margin_around_a_subject_is_no_bar(sticker: Rgb, columns_of: Measured) -> None:
    assert columns_of(sticker)["border_ratio"] == 0
    square = Image.new("RGB", (200, 200), "white")
    square.paste("navy", (40, 40, 160, 160))
    assert columns_of(square)["border_ratio"] == 0


# ---- JPEG


@pytest.mark.parametrize("quality", range(1, 101, 3))
def test_jpeg_quality_is_that_it_was_saved_with(
    photographs: dict[str, Rgb], columns_of: Measured, quality: int
) -> None:
    small = np.ascontiguousarray(photographs["chelsea"][:32, :32])
    assert columns_of(small, "JPEG", quality=quality)["jpeg_quality"] == quality
    assert columns_of(small, "JPEG", quality=quality, progressive=True)["jpeg_quality"] == quality


def test_other_formats_and_odd_bytes_have_full_quality(
    photographs: dict[str, Rgb], encode: Encode, columns_of: Measured
) -> None:
    cat = photographs["chelsea"]
    assert columns_of(cat, "WEBP", quality=10)["jpeg_quality"] == 100
    picture = decode(encode(cat))
    for data in (None, b"", b"\xff\xd8", b"\xff\xd8\xff\xdb\x00", b"\xff\xd8\xff\xdb\x00\x03\x00" * 3):
        assert measure(picture, data)["jpeg_quality"] == 100


def test_blocks_outlive_a_second_save(
    photographs: dict[str, Rgb], encode: Encode, columns_of: Measured
) -> None:
    for rgb in (photographs["astronaut"], photographs["chelsea"]):  # seen at native size
        damaged = decode(encode(rgb, "JPEG", quality=12), min_long_side_px=4000).rgb
        second = columns_of(damaged[3:, 5:])  # cropped: the grid has moved
        assert second["jpeg_quality"] == 100 and second["blockiness_score"] > 0.6
        assert columns_of(rgb)["blockiness_score"] < 0.2


# ---- perceptual hash


def distance(a: Rgb, b: Rgb) -> int:
    return int(hamming(phash(a), phash(b)))


def test_hashes_of_near_duplicates_are_near_and_of_others_far(
    photographs: dict[str, Rgb], sticker: Rgb, encode: Encode
) -> None:
    pictures = [*photographs.values(), sticker]
    for rgb in pictures:
        image = Image.fromarray(rgb)
        smaller = np.asarray(image.resize((image.width * 2 // 5, image.height * 2 // 5)))
        assert distance(rgb, smaller) <= 4
        assert distance(rgb, decode(encode(rgb, "JPEG", quality=25)).rgb) <= 6
        assert distance(rgb, np.clip(rgb * 0.97, 0, 255).astype(np.uint8)) <= 6
        for other in pictures:
            assert other is rgb or distance(rgb, other) >= 14


def test_a_hash_has_64_bits_and_blank_pictures_share_zero() -> None:
    for level in (0, 77, 255):
        assert phash(np.full((300, 200, 3), level, np.uint8)) == 0
    hashes = [
        phash(np.random.default_rng(n).integers(0, 256, (16, 16, 3)).astype(np.uint8)) for n in range(50)
    ]
    assert len(set(hashes)) == 50 and 2**63 < max(hashes) < 2**64


def test_colour_tells_one_outline_from_another(sticker: Rgb) -> None:
    recoloured = np.ascontiguousarray(sticker[:, :, [2, 0, 1]])
    assert distance(sticker, recoloured) > 8
