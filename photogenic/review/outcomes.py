"""What the judgments of a picture come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from photogenic.web.registration import Event, Item, Judgment, Outcome

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
    """A caption needs a second reader (when overlap is 2); one that is returned is written anew.

    `judgments` are in the order in which they were given. The newest caption holds: what was said before it
    was said of another one, and is forgotten. A reader may write a better one, which waits for another reader
    in turn.
    """
    answers = [one.answer for one in judgments]
    if "return" in answers or "caption" not in answers:
        return Outcome("pending", 1, forget=tuple(one.person_id for one in judgments))
    newest = len(answers) - 1 - answers[::-1].index("caption")
    earlier = tuple(one.person_id for one in judgments[:newest])
    num_said = len(judgments) - newest
    if num_said >= item.overlap:
        return Outcome("done", num_said, "caption", forget=earlier)
    return Outcome("pending", item.overlap, forget=earlier)


def check_reading(
    event: Event, person_id: str, judgments: Sequence[Judgment], _queue: Mapping[str, Any]
) -> None:
    """An approval or a return is of the caption that stands there, and of somebody else's.

    Raises:
        ValueError: it is not.
    """
    others = [one.event_id for one in judgments if one.answer == "caption" and one.person_id != person_id]
    if event.kind != "caption" and event.body["caption_event_id"] not in others:
        raise ValueError("This is not the caption that is to be read; look at it again.")
