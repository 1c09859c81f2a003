"""What judgments come to, in every order of who said what."""

from __future__ import annotations

from itertools import product

import pytest

from photogenic.review.outcomes import decide, decide_caption
from photogenic.web.registration import Item, Judgment, Outcome


def item(overlap: int) -> Item:
    return Item("i", "q", 0, "work", None, {}, "pending", None, None, overlap, overlap, 0, overlap, 0)


def judgments(*answers: str) -> list[Judgment]:
    return [Judgment(f"p{n}", f"e{n}", answer) for n, answer in enumerate(answers)]


@pytest.mark.parametrize(
    ("overlap", "answers", "state", "wanted", "outcome"),
    [
        (1, "", "pending", 1, None),
        (1, "k", "done", 1, "keep"),
        (1, "u", "pending", 2, None),
        (1, "uk", "done", 2, "keep"),
        (1, "uu", "adjudicate", 2, None),
        (2, "k", "pending", 2, None),
        (2, "kk", "done", 2, "keep"),
        (2, "kd", "pending", 3, None),
        (2, "kdd", "done", 3, "drop"),
        (2, "kdu", "adjudicate", 3, None),
        (3, "kk", "done", 2, "keep"),
        (3, "kdu", "pending", 4, None),
        (3, "kduk", "done", 4, "keep"),
    ],
)
def test_adaptive_overlap(overlap: int, answers: str, state: str, wanted: int, outcome: str | None) -> None:
    words = {"k": "keep", "d": "drop", "u": "unsure"}
    given = judgments(*(words[letter] for letter in answers))
    assert decide(given, item(overlap)) == Outcome(state, wanted, outcome)


def test_the_order_of_judgments_does_not_matter_and_the_overlap_is_never_passed_by_two() -> None:
    for overlap in range(1, 6):
        for answers in product(("keep", "drop", "unsure"), repeat=overlap):
            found = decide(judgments(*answers), item(overlap))
            assert found == decide(judgments(*reversed(answers)), item(overlap))
            assert found.wanted <= overlap + 1


def test_captions_need_a_reader_and_come_back_when_returned() -> None:
    two = item(2)
    assert decide_caption([], two) == Outcome("pending", 1)
    assert decide_caption(judgments("caption"), two) == Outcome("pending", 2)
    assert decide_caption(judgments("caption", "approve"), two) == Outcome("done", 2, "caption")
    assert decide_caption(judgments("caption", "return"), two).forget == ("p0", "p1")
    assert decide_caption(judgments("caption", "caption"), two) == Outcome("pending", 2, forget=("p0",))
    assert decide_caption(judgments("caption"), item(1)) == Outcome("done", 1, "caption")


def test_what_was_said_of_an_earlier_caption_is_not_said_of_the_newest() -> None:
    two = item(2)
    assert decide_caption(judgments("approve", "caption"), two) == Outcome("pending", 2, forget=("p0",))
    assert decide_caption(judgments("approve"), two) == Outcome("pending", 1, forget=("p0",))
    later = judgments("approve", "caption", "approve")
    assert decide_caption(later, two) == Outcome("done", 2, "caption", forget=("p0",))
