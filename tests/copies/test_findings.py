"""A model that copies, and one that draws for itself; both of known pictures."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photogenic.copies.findings import Findings
from photogenic.copies.gallery import Gallery, hang
from photogenic.copies.report import write_report
from photogenic.copies.rulers import rulers
from photogenic.core.run import Run
from photogenic.evaluate.compare import Settings
from photogenic.evaluate.config import NearCopyConfig
from photogenic.train.data import Pictures

SIZE_PX = 32
RULERS = rulers(None)
NAMES = [f"thing {number}" for number in range(12)]


def patches(seed: int) -> np.ndarray:
    small = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (5, 5, 3), np.uint8))
    return np.asarray(small.resize((SIZE_PX, SIZE_PX), Image.Resampling.BICUBIC))


def pictures(rgb: list[np.ndarray], texts: list[str]) -> Pictures:
    names = tuple(str(number) for number in range(len(rgb)))
    sizes = np.full((len(rgb), 2), SIZE_PX, np.int32)
    return Pictures(np.stack(rgb), sizes, tuple(texts), names, tuple(texts))


def hung(rgb: list[np.ndarray], texts: list[str], *, once: bool = True) -> Gallery:
    return hang(pictures(rgb, texts), RULERS, None, "pictures", once=once)


def found(drawn: list[np.ndarray], texts: list[str]) -> Findings:
    """Twelve names with four training pictures each, and forty held-out pictures."""
    return Findings(
        drawn=hung(drawn, texts, once=False),
        training=hung([patches(number) for number in range(48)], [NAMES[n // 4] for n in range(48)]),
        held_out=hung([patches(1000 + n) for n in range(40)], [f"strange {n}" for n in range(40)]),
        rulers=RULERS,
        limits=NearCopyConfig(),
        settings=Settings(0.95, 200, 0),
    )


def noisy(rgb: np.ndarray, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 6, rgb.shape)
    return np.clip(rgb + noise, 0, 255).astype(np.uint8)


TWICE = [name for name in NAMES for _ in range(2)]


@pytest.fixture(scope="module")
def parrot() -> Findings:
    """Draws the first training picture of a name, twice, a little noisy."""
    return found([noisy(patches(4 * (n // 2)), n) for n in range(24)], TWICE)


@pytest.fixture(scope="module")
def honest() -> Findings:
    return found([patches(5000 + n) for n in range(24)], TWICE)


def test_a_parrot_is_told_from_one_that_draws_for_itself(parrot: Findings, honest: Findings) -> None:
    assert parrot.near_copies("drawn").mean == 1.0
    assert parrot.nearer("drawn", "pixels").mean == 1.0
    assert parrot.groups["drawn"].neighbour["pixels"].tolist() == [4 * (n // 2) for n in range(24)]
    assert parrot.odds("pixels").of_all > parrot.odds("pixels").by_chance[1]
    assert honest.near_copies("drawn").mean == 0.0 and honest.near_copies("drawn").high > 0.1
    assert honest.nearer("drawn", "pixels").mean < 0.3


def test_real_pictures_set_the_limit(parrot: Findings) -> None:
    share = parrot.nearer("held_out", "pixels").mean
    assert share == pytest.approx(0.05, abs=0.03)  # 2 of 40
    real = parrot.groups["same_names"]
    assert len(real.labels) == 48
    assert (real.neighbour["pixels"] != np.arange(48)).all()  # none is its own neighbour
    assert not real.copies.is_copy.any()


def test_what_the_prompt_names_can_be_left_out(parrot: Findings) -> None:
    found = parrot.odds("pixels")
    assert found.of_other_things < found.of_all - 0.1


def test_who_repeats_one_picture_is_less_varied_than_real_ones(parrot: Findings, honest: Findings) -> None:
    repeated, varied = parrot.diversity(RULERS[0]), honest.diversity(RULERS[0])
    assert repeated is not None and varied is not None
    assert repeated.num_texts == varied.num_texts == 12
    assert repeated.difference.high < 0
    assert varied.difference.low < 0 < varied.difference.high
    assert repeated.real == varied.real
    once = found([patches(5000 + n) for n in range(12)], NAMES)
    assert once.diversity(RULERS[0]) is None


def test_the_page_shows_what_was_copied_and_from_what(
    parrot: Findings, honest: Findings, tmp_path: Path
) -> None:
    page = write_report(parrot, Run(tmp_path / "parrot"), "parrot", 3, "").read_text(encoding="utf-8")
    copied = page.split("Near-copies, the nearest of them")[1].split("The nearest of all")[0]
    pairs = re.findall(r"<figcaption>(.*?) \| (.*?) <b>(\d+) bits</b>", copied)
    assert len(pairs) == 3 and all(drawn == training and int(bits) <= 8 for drawn, training, bits in pairs)
    page = write_report(honest, Run(tmp_path / "honest"), "honest", 3, "").read_text(encoding="utf-8")
    copied = page.split("Near-copies, the nearest of them")[1].split("The nearest of all")[0]
    assert "None." in copied and "<img" not in copied


def test_equal_training_pictures_are_one_and_drawings_are_all_counted() -> None:
    rgb = [patches(1), patches(2), patches(1), patches(1)]
    assert list(hung(rgb, ["a", "b", "a", "c"]).texts) == ["a", "b"]
    assert len(hung(rgb, ["a", "b", "a", "c"], once=False)) == 4
    many = [patches(n % 70) for n in range(150)]  # over several batches, the last with nothing new
    assert len(hung(many, [str(n) for n in range(150)])) == 70
