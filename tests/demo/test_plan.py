from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photogenic.core.errors import PhotogenicError
from photogenic.demo.plan import DUPLICATES, SHARES, Plan, draw_plans, web_text
from photogenic.demo.sources.sticker import Sticker

SIZES_PX = (192, 320)


def sticker(index: int, group: str | None = None) -> Sticker:
    return Sticker(
        key=f"test-{index:04d}",
        concept=f"{index:04x}",
        name=f"thing {index}",
        tags=("odd",) if index % 2 else (),
        group=group or f"group {index % 5}",
        source="test",
        licence="MIT",
        attribution="the tests",
        art="<svg/>",
    )


STICKERS = [sticker(index) for index in range(600)]


def draw(num_samples: int | None = 500, ratio: float = 0.30, seed: int = 0) -> list[Plan]:
    return draw_plans(STICKERS, num_samples, ratio, seed, SIZES_PX)


def test_shares_are_those_that_are_stated() -> None:
    assert sum(SHARES.values()) == 30.0
    counts = Counter(plan.kind for plan in draw())
    assert counts == {"clean": 350} | {
        kind: pytest.approx(5 * share, abs=1) for kind, share in SHARES.items()
    }


@given(num_samples=st.integers(1, 500), ratio=st.floats(0.0, 0.8), seed=st.integers(0, 9))
def test_counts_add_up(num_samples: int, ratio: float, seed: int) -> None:
    plans = draw(num_samples, ratio, seed)
    assert len(plans) == num_samples
    assert sum(plan.kind != "clean" for plan in plans) == round(num_samples * ratio)
    assert len({plan.key for plan in plans}) == num_samples


def test_all_there_are() -> None:
    plans = draw(None)
    originals = [plan for plan in plans if plan.of_key is None]
    assert {plan.key for plan in originals} == {one.key for one in STICKERS}
    assert len(plans) == int(600 / (1 - 0.045))


def test_duplicates_are_of_clean_pictures_and_keep_their_size() -> None:
    plans = {plan.key: plan for plan in draw()}
    copies = [plan for plan in plans.values() if plan.kind in DUPLICATES]
    assert len(copies) == 22  # 4.5 % of 500
    for copy in copies:
        original = plans[str(copy.of_key)]
        assert original.kind == "clean"
        assert (copy.sticker, copy.size_px, copy.clean_key) == (
            original.sticker,
            original.size_px,
            original.key,
        )


def test_wrong_captions_come_from_another_group() -> None:
    plans = [plan for plan in draw() if plan.kind == "wrong_caption"]
    assert plans
    by_number = {one.name.split()[1]: one for one in STICKERS}
    for plan in plans:
        number = "".join(letter for letter in plan.alt_text.split(",")[0] if letter.isdigit())
        assert by_number[number].group != plan.sticker.group
        assert plan.tags == by_number[number].tags


def test_every_other_picture_has_its_own_words() -> None:
    for plan in draw():
        if plan.kind != "wrong_caption":
            assert plan.sticker.name in plan.alt_text.lower()
            assert plan.tags == plan.sticker.tags


def test_neither_order_nor_company_changes_a_picture() -> None:
    assert draw_plans(STICKERS[::-1], 500, 0.30, 0, SIZES_PX) == draw()
    alone = {plan.key: plan for plan in draw_plans(STICKERS[:300], None, 0.0, 0, SIZES_PX)}
    clean = [plan for plan in draw() if plan.kind == "clean" and plan.key in alone]
    assert clean
    assert all(alone[plan.key] == plan for plan in clean)


def test_another_seed_is_another_haystack() -> None:
    kinds = [{plan.key: plan.kind for plan in draw(seed=seed)} for seed in (0, 1)]
    assert kinds[0] != kinds[1]


def test_a_copy_never_takes_another_one_s_key() -> None:
    stickers = [*STICKERS, *(sticker_with_key(f"{one.key}-2") for one in STICKERS[:300])]
    plans = draw_plans(stickers, None, 0.30, 0, SIZES_PX)
    assert len({plan.key for plan in plans}) == len(plans)


def sticker_with_key(key: str) -> Sticker:
    return Sticker(key, key, key, (), "copies", "test", "MIT", "the tests", "<svg/>")


@pytest.mark.parametrize(
    ("num_samples", "ratio", "says"),
    [
        (700, 0.3, "need 669 drawings, but there are 600"),
        (0, 0.3, "at least 1"),
        (10, 0.9, "between 0 and 0.8"),
    ],
)
def test_what_cannot_be_is_refused(num_samples: int, ratio: float, says: str) -> None:
    with pytest.raises(PhotogenicError, match=says):
        draw(num_samples, ratio)


def test_web_texts_are_mostly_plain_names() -> None:
    rng = np.random.default_rng(0)
    texts = Counter(web_text(sticker(1), rng) for _ in range(1000))
    assert texts["thing 1"] > 450
    assert {"thing 1, odd", "Thing 1", "thing 1 sticker"} < set(texts)
