"""What the judgments of a picture come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from photogenic.web.registration import Item, Judgment, Outcome

VERDICTS = ("keep", "drop", "unsure")


def decide(judgments: Sequence[Judgment], item: Item) -> Outcome:
    """Adaptive overlap: a majority of the planned judgments settles it, else one more, then the lead.

    With an overlap of 2: two that agree settle it; if they do not, a third is asked; if there is still no
    majority, it is adjudicated. `unsure` speaks for neither side. Decisions made elsewhere may be more than
    were asked for: then the larger side has to be larger.
    """
    enough = item.overlap // 2 + 1
    said = Counter(one.answer for one in judgments)
    for verdict, other in (("keep", "drop"), ("drop", "keep")):
        if said[verdict] >= enough and said[verdict] > said[other]:
            return Outcome("done", len(judgments), verdict)
    if len(judgments) <= item.overlap:
        return Outcome("pending", item.overlap + (len(judgments) == item.overlap))
    return Outcome("adjudicate", len(judgments))


def decide_caption(judgments: Sequence[Judgment], item: Item) -> Outcome:
    """A caption needs a second reader (when overlap is 2); one that is returned is written anew."""
    said = Counter(one.answer for one in judgments)
    if said["return"] or not judgments:
        return Outcome("pending", 1, forget=tuple(one.person_id for one in judgments))
    if said["caption"] > 1:  # the reader wrote a better one: it is the reader's now, and waits for another
        earlier = tuple(one.person_id for one in judgments[:-1])
        if item.overlap == 1:  # no second reader: the newest holds
            return Outcome("done", 1, "caption", forget=earlier)
        return Outcome("pending", item.overlap, forget=earlier)
    if said["caption"] and len(judgments) >= item.overlap:
        return Outcome("done", len(judgments), "caption")
    return Outcome("pending", item.overlap)
