"""benchmarks/lessons.py and heads.py: what the second network learns from, and where its head begins."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from photogenic.measures.darkroom import AMOUNTS, ANSWERS, NUM_ASPECTS, POSTURES, SIDE_PX, squeezed
from photogenic.measures.decode import Rgb

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import heads
import learning_darkroom
from examples import ALL_ASPECTS, ASPECTS, BY_FORMAT, INTACT, Examples
from framing import FRAMING
from lessons import FREE, INTACT_FRESH, KEPT, NUM_USUAL, OFTEN, UNASKED, Lesson, done_to, often
from test_learning_network import network_of, random_start

NAMES = ("coffee", "astronaut", "chelsea")
KINDS = (
    [INTACT] * 6
    + ["haze", "noise", "dull", "tilted", "moved"]
    + ["sideways", "banded", "wet lens", *BY_FORMAT]
)


@pytest.fixture
def lesson(photographs: dict[str, Rgb]) -> Lesson:
    examples = []
    for name in NAMES:
        crops = np.stack([squeezed(photographs[name])] * len(KINDS))
        nothing = np.zeros((len(KINDS), 1))
        kinds = np.array(KINDS)
        examples.append(Examples(f"good--{name}", photographs[name], crops, nothing, nothing[:, 0], kinds))
    return Lesson([(f"plain--{name}", photographs[name]) for name in NAMES], examples)


def test_a_batch_holds_what_was_done_and_crops_of_every_sort(lesson: Lesson) -> None:
    batch, again, other = lesson.batch([0, 1]), lesson.batch([0, 1]), lesson.batch([0, 2])
    np.testing.assert_array_equal(batch.crops, again.crops)
    assert not np.array_equal(batch.pictures, other.pictures)
    assert batch.pictures.shape[1:] == batch.crops.shape[1:] == (SIDE_PX, SIDE_PX, 3)
    assert batch.amounts.shape == (len(batch.pictures), len(AMOUNTS))
    assert len(batch.postures) == len(batch.formats) == len(batch.pictures)
    assert len(batch.pictures) + len(batch.crops) == 33
    assert (batch.aspects == FREE).sum() == KEPT[FREE] + INTACT_FRESH
    assert batch.aspects.max() < NUM_ASPECTS and UNASKED not in batch.aspects
    plain = Lesson([("plain--coffee", lesson.photographs[0])], []).batch([0, 1])
    assert len(plain.pictures) == 32 and not len(plain.crops)


def test_what_a_square_does_not_show_is_not_asked(lesson: Lesson) -> None:
    assert len(ASPECTS) == NUM_USUAL and list(ALL_ASPECTS).index("proportions") == NUM_ASPECTS
    assert not set(BY_FORMAT) & set(lesson.further)
    assert set(lesson.aspects[-len(BY_FORMAT) :].tolist()) == {UNASKED}


def test_kinds_that_pass_unseen_come_more_often(lesson: Lesson) -> None:
    counts = Counter(lesson.further)
    assert counts["sideways"] == OFTEN["sideways"] > 1 == counts["wobbling"]
    assert Counter(often(FRAMING)) == {kind: OFTEN.get(kind, 1) for kind in FRAMING}


def test_a_part_is_told_with_its_format_and_its_posture(photographs: dict[str, Rgb]) -> None:
    """White on the left, black on the right: where it is white tells how it was turned."""
    seen = set()
    for seed in range(60):
        left = np.zeros((300, 500, 3), np.uint8)
        left[:, :250] = 255
        picture, amounts, posture, aspect = done_to(np.ascontiguousarray(left), np.random.default_rng(seed))
        grey = picture.mean(axis=2)
        across = abs(grey[:, :20].mean() - grey[:, -20:].mean())
        down = abs(grey[:20].mean() - grey[-20:].mean())
        assert (across < down) == (POSTURES[posture] == "on_side")
        assert np.log(5 / 3 * 0.8) - 0.01 <= aspect <= np.log(1.7) + 0.01
        assert posture == 0 or amounts[0] == 0  # turned by a few degrees are only upright ones
        seen.add(posture)
    assert seen == {0, 1, 2}


def test_the_head_begins_with_what_the_layers_say_already(
    lesson: Lesson, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stripes lie or stand, which any layers see; what was known before stays."""
    stripes = np.zeros((300, 450, 3), np.uint8)
    stripes[np.arange(300) // 3 % 2 == 0] = 255
    lesson.photographs = [stripes] * 6
    monkeypatch.setattr(heads, "NUM_DONE", 240)
    monkeypatch.setattr(heads, "NUM_CROPS", 4)
    monkeypatch.setattr(heads, "STRENGTH", 1.0)  # of so few pictures and layers more is believed
    network = network_of(random_start(tmp_path / "start.pth", 0), 1)
    was = network.head.weight.detach().clone()
    known = ANSWERS.index("aspect_9")
    network.unlearnt = ANSWERS[known:]
    heads.begin(network, lesson, 0)
    torch.testing.assert_close(network.head.weight[:known].detach(), was[:known])
    assert not torch.equal(network.head.weight[known:], was[known:])
    pictures, _, postures, _ = lesson.done(60, np.random.default_rng(1))
    with torch.inference_mode():
        answers = network.eval()(torch.from_numpy(pictures)).numpy()
    first, on_side = ANSWERS.index(POSTURES[0]), POSTURES.index("on_side")
    said = answers[:, first : first + len(POSTURES)].argmax(axis=1)
    assert ((said == on_side) == (postures == on_side)).mean() > 0.9


def test_a_batch_in_which_nothing_stands_upright_is_learnt_from_too(lesson: Lesson, tmp_path: Path) -> None:
    """One of 4,096 is such, and a mean over no picture is no number."""
    batch, network = lesson.batch([0, 1]), network_of(random_start(tmp_path / "start.pth", 0), 1)
    lying = replace(batch, postures=np.full_like(batch.postures, POSTURES.index("on_side")))
    losses = [learning_darkroom.loss_of(network, each) for each in (batch, lying)]
    assert all(torch.isfinite(loss) for loss in losses) and losses[0] != losses[1]


@pytest.mark.filterwarnings("ignore")  # the exporter's, about sizes that are fixed when it looks
def test_learning_changes_what_is_not_fixed_and_lowers_the_loss(lesson: Lesson, tmp_path: Path) -> None:
    network = network_of(random_start(tmp_path / "start.pth", 0), 1)
    fixed, free = (network.features[each][0].weight.detach().clone() for each in (0, -1))
    before = learning_darkroom.loss_of(network, lesson.batch([5, 5])).item()
    learning_darkroom.learn(network, lesson, 6, 2e-3, 0, num_fixed=5)
    torch.testing.assert_close(network.features[0][0].weight.detach(), fixed)
    assert not torch.equal(network.features[-1][0].weight, free)
    assert network.front is None  # ready to be exported
    assert learning_darkroom.loss_of(network, lesson.batch([5, 5])).item() < before
