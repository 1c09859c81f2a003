"""Voting in the web room: a queue of pairs for each question, votes as events, sides drawn by the server."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, insert, select

from photogenic.core.errors import RunError
from photogenic.core.records import Vote
from photogenic.evaluate.blind import BlindFolder, models_of
from photogenic.evaluate.config import VotingConfig
from photogenic.evaluate.pairs import Showing, build_pairs, left_first
from photogenic.evaluate.showings import Showroom
from photogenic.evaluate.tables import METADATA, vote_sides
from photogenic.evaluate.votes import ANSWERS
from photogenic.web.queues import NewItem, NewPicture, add_items, add_pictures, create_queue
from photogenic.web.registration import Event, Item, Judgment, Outcome, Person, QueueKind, Registration
from photogenic.web.screens import Screen
from photogenic.web.tables import events, items, judgments, people, queues

KIND = "pairs"
NAME = "evaluate"
PAGES = Path(__file__).parent / "pages"
MIGRATIONS = Path(__file__).parent / "migrations"
TITLES = {"visual_appeal": "Visual appeal", "text_faithfulness": "Text faithfulness"}
LONGEST_MS = 24 * 3600 * 1000
SCREENS = (
    Screen("vote", "Vote", "work voting", "surround", "Your answer"),
    Screen("lead", "The lead's desk", styles=("/static/desk.css",)),
)


def registration(folder: Path) -> Registration:
    """What voting adds to the web room; `folder` holds the blind pictures."""

    def read_picture(locator: Mapping[str, Any]) -> bytes:
        return BlindFolder(folder / "pictures", "").path(locator["digest"]).read_bytes()

    kind = QueueKind(
        name=KIND,
        screen="vote",
        roles=frozenset(("rater",)),
        judging=frozenset(("vote",)),
        read=read_vote,
        check=check_question,
        decide=decide,
        show=_show,
        after=_store_sides,
        page="/evaluate/vote",
        untold=("secret",),  # a lead may vote too
    )
    return Registration(
        name=NAME,
        kinds=(kind,),
        pages=PAGES,
        screens=SCREENS,
        desk="lead",
        migrations=MIGRATIONS,
        tables=METADATA,
        read_picture=read_picture,
    )


# --- one vote ------------------------------------------------------------------------------------------


def read_vote(_kind: str, body: Mapping[str, Any]) -> str:
    """The answer, as left and right were on the screen.

    Raises:
        ValueError: it is no vote.
    """
    unknown = sorted(set(body) - {"question", "choice", "active_ms"})
    if unknown:
        raise ValueError(f"`{unknown[0]}` is no part of a vote.")
    question, choice, active_ms = body.get("question"), body.get("choice"), body.get("active_ms")
    if question not in ANSWERS:
        raise ValueError(f"`question` is none of {', '.join(ANSWERS)}.")
    if choice not in ANSWERS[question]:
        raise ValueError(f"`choice` is none of {', '.join(ANSWERS[question])}.")
    if isinstance(active_ms, bool) or not isinstance(active_ms, int) or not 0 <= active_ms <= LONGEST_MS:
        raise ValueError("`active_ms` is no time in milliseconds.")
    return str(choice)


def check_question(
    event: Event, _person_id: str, _judgments: Sequence[Judgment], queue: Mapping[str, Any]
) -> None:
    """A vote answers what its queue asks.

    Raises:
        ValueError: it answers another question.
    """
    if event.body["question"] != queue["question"]:
        raise ValueError(f"Here is asked about {queue['question']}.")


def decide(cast: Sequence[Judgment], item: Item) -> Outcome:
    """A pair is done once it has its raters; who won is counted later, from all votes."""
    return Outcome("done" if len(cast) >= item.overlap else "pending", item.overlap, "voted")


def _show(connection: Connection, found: Sequence[Item], person: Person) -> list[dict[str, Any]]:
    """The question, which picture goes left for this person and, where it is asked about, the prompt."""
    secrets_of = _queue_bodies(connection, {item.queue_id for item in found})
    return [_shown(item, secrets_of[item.queue_id], person) for item in found]


def _shown(item: Item, queue: Mapping[str, Any], person: Person) -> dict[str, Any]:
    first = left_first(queue["secret"], item.item_id, person.person_id)
    told = {"question": queue["question"], "left": 0 if first else 1}
    return told | ({"prompt": item.body["prompt"]} if queue["question"] == "text_faithfulness" else {})


def _store_sides(connection: Connection, event: Event, item: Item, person: Person) -> None:
    """What this person saw where, in the transaction that takes the vote."""
    if event.kind != "vote":
        return
    queue = _queue_bodies(connection, {item.queue_id})[item.queue_id]
    models = item.body["models"]
    if not left_first(queue["secret"], item.item_id, person.person_id):
        models = models[::-1]
    connection.execute(
        insert(vote_sides).values(event_id=event.event_id, left_model=models[0], right_model=models[1])
    )


def _queue_bodies(connection: Connection, ids: set[str]) -> dict[str, dict[str, Any]]:
    rows = connection.execute(select(queues.c.queue_id, queues.c.body).where(queues.c.queue_id.in_(ids)))
    return {row.queue_id: json.loads(row.body) for row in rows}


# --- queues --------------------------------------------------------------------------------------------


def open_voting(
    connection: Connection,
    folder: Path,
    drawn: Mapping[str, Sequence[Mapping[str, Any]]],
    pictures: Mapping[str, Path],
    config: VotingConfig,
    *,
    seed: int,
) -> list[str]:
    """A queue for each question that has none yet; the ids of all.

    Args:
        folder: takes the blind pictures.
        drawn: model -> rows of its manifest.
        pictures: model -> the folder its files lie in.

    Raises:
        RunError: no two models drew one prompt from one seed, or other pairs are being voted on.
    """
    pairs = build_pairs(drawn, config, seed=seed)
    if not pairs:
        raise RunError("There are no pairs: no two models drew the same prompt from the same seed.")
    showroom = Showroom(folder, pictures, config, seed=seed)
    known = {json.loads(row.body)["question"]: row for row in connection.execute(pairs_queues())}
    mark = showroom.mark(pairs)
    ids = []
    for question in config.questions:
        if question in known:
            if json.loads(known[question].body)["pairs"] != mark:
                raise RunError(*other_pairs(folder))
            ids.append(known[question].queue_id)
            continue
        ids.append(_open_queue(connection, question, pairs, showroom, mark))
    return ids


def other_pairs(folder: Path) -> tuple[str, str]:
    """What is wrong and what to do when a folder's votes are about other pictures."""
    return (
        f"Other pairs are being voted on in {folder}.",
        "Those votes are about other pictures: move that folder away, or take another.",
    )


def pairs_queues() -> Select[Any]:
    """The queue of each question, in the order in which they were opened."""
    return select(queues).where(queues.c.kind == KIND).order_by(queues.c.created_at)


def _open_queue(
    connection: Connection, question: str, pairs: Sequence[Showing], showroom: Showroom, mark: str
) -> str:
    body = {
        "question": question,
        "secret": f"{showroom.secret} {question}",
        "pairs": mark,
        "models": models_of(pairs),
    }
    queue_id = create_queue(connection, kind=KIND, title=TITLES[question], body=body)
    new_items, new_pictures = [], []
    for one, shown in showroom.arranged(question, pairs, order_seed=showroom.seed):
        new_pictures += [
            NewPicture(p.digest, NAME, {"digest": p.digest}, p.width_px, p.height_px) for p in shown
        ]
        digests = [picture.digest for picture in shown]
        purpose = "work" if one.is_pair else "gold"
        overlap = showroom.config.raters(question)
        new_items.append(NewItem({**asdict(one), "images": digests}, overlap=overlap, purpose=purpose))
    add_pictures(connection, queue_id, new_pictures)
    add_items(connection, queue_id, new_items)
    return queue_id


# --- votes come out ------------------------------------------------------------------------------------


def votes_of(connection: Connection, purpose: str | None = None) -> list[Vote]:
    """Every vote that holds, repeats and attention checks too, in the order in which they came.

    Args:
        purpose: only of pairs that count (work), or only of repeats and checks (gold).
    """
    query = (
        select(
            events.c.event_id,
            events.c.body.label("said"),
            items.c.body.label("shown"),
            people.c.name,
            people.c.kind,
            judgments.c.answer,
            vote_sides.c.left_model,
            vote_sides.c.right_model,
        )
        .join(judgments, judgments.c.event_id == events.c.event_id)
        .join(items, items.c.item_id == events.c.item_id)
        .join(queues, queues.c.queue_id == events.c.queue_id)
        .join(people, people.c.person_id == events.c.person_id)
        .join(vote_sides, vote_sides.c.event_id == events.c.event_id)
        .where(queues.c.kind == KIND)
        .order_by(events.c.seq)
    )
    if purpose is not None:
        query = query.where(items.c.purpose == purpose)
    return [_vote(row) for row in connection.execute(query)]


def _vote(row: Any) -> Vote:
    said, shown = json.loads(row.said), json.loads(row.shown)
    is_check = shown["purpose"] == "check"
    return Vote(
        vote_id=row.event_id,
        pair_id=shown["pair_id"],
        prompt_id=shown["prompt_id"],
        prompt=shown["prompt"],
        category=shown["category"],
        challenge=shown["challenge"],
        question=said["question"],
        left_model=row.left_model,
        right_model=row.right_model,
        answer=row.answer,
        rater=row.name,
        rater_kind=row.kind,
        seconds=said["active_ms"] / 1000,
        is_repeat=shown["purpose"] == "repeat",
        is_attention_check=is_check,
        expected=("left" if row.left_model == shown["expected"] else "right") if is_check else None,
    )


__all__ = ["decide", "open_voting", "pairs_queues", "read_vote", "registration", "votes_of"]
