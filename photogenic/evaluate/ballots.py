"""Ballots: blind pairs as files, for raters who cannot come to the page; their answers come back as votes.

What goes out tells nothing of models. The key, which does, stays in the run folder.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from photogenic.core.errors import RunError
from photogenic.core.run import seed_for
from photogenic.core.shards import atomic_path, read_table, write_table
from photogenic.evaluate.config import VotingConfig
from photogenic.evaluate.folders import bring
from photogenic.evaluate.pairs import MIN_GAP, Showing, left_first
from photogenic.evaluate.sheets import SheetPair, draw_sheet
from photogenic.evaluate.showings import Shown, Showroom
from photogenic.evaluate.votes import VOTES_SCHEMA
from photogenic.evaluate.voting import other_pairs
from photogenic.web.downloads import harmless

KEY = "ballots.parquet"
KEY_SCHEMA = pa.schema(
    [field for field in VOTES_SCHEMA if field.name not in ("answer", "seconds")] + [("pairs", pa.string())]
)
RATER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,60}")  # it is a folder's name too
COLUMNS = ("number", "id", "sheet", "left", "right", "prompt", "answer")
WORDS = {
    "visual_appeal": """Which picture do you like better? What it was drawn from is not told on purpose.
Answer left, right or tie.""",
    "text_faithfulness": """Which picture shows what the text says? Beauty is not asked about.
Answer left, right, both or neither.""",
}
README = """Blind pairs
===========

Each folder here is for one rater. In it lie
{files}
with one line a pair: its number, its id, the contact sheet on which it stands, and its two pictures, left and
right. Fill the column `answer` and change nothing else; leave empty what you cannot judge. Some pairs come
twice, and some test attention.

{questions}

Judge alone, in the order of the numbers, and do not change an answer later.
"""


@dataclass(frozen=True)
class Rater:
    """Somebody who gets ballots; `kind` is person or model."""

    name: str
    kind: str


@dataclass(frozen=True)
class Ballot:
    """One pair as one rater gets it; `key` is all that a vote holds beside the answer."""

    number: int
    key: Mapping[str, Any]
    left: Path
    right: Path

    @property
    def ballot_id(self) -> str:
        return str(self.key["vote_id"])


def hand_out(
    folder: Path,
    keep: Path,
    pairs: Sequence[Showing],
    pictures: Mapping[str, Path],
    config: VotingConfig,
    raters: Sequence[Rater],
    *,
    seed: int,
    per_sheet: int,
) -> int:
    """Write ballots, pictures and contact sheets to `folder`, and the key to `keep`; how many ballots.

    A pair goes to as many raters as the configuration plans, or to all where there are fewer. Each rater gets
    an order, repeats and sides of their own; a repeat is never on the sheet of its pair.

    Raises:
        RunError: a rater's name is no folder's name or is there twice, `folder` is not empty, there are no
            pairs, or `keep` has ballots of other pairs.
    """
    _check(folder, pairs, raters)
    showroom = Showroom(keep, pictures, config, seed=seed)
    mark = showroom.mark(pairs)
    known = read_key(keep)
    if any(row["pairs"] != mark for row in known):
        raise RunError(*other_pairs(keep))
    given: dict[tuple[str, str], list[Ballot]] = {}
    for question in config.questions:
        shares = share_out(pairs, [rater.name for rater in raters], config.raters(question))
        for rater in raters:
            order = showroom.arranged(
                question,
                shares[rater.name],
                order_seed=seed_for(seed, "ballots", question, rater.name),
                min_gap=max(MIN_GAP, per_sheet),
            )
            given[rater.name, question] = [
                _ballot(number, one, question, rater, showroom) for number, one in enumerate(order, 1)
            ]
    # The key first: whatever ballots there are can be counted.
    _write_key(keep, known, [ballot for ballots in given.values() for ballot in ballots], mark)
    for (name, asked), ballots in given.items():
        _write_ballots(folder, name, asked, ballots, per_sheet)
    _write_readme(folder / "README.txt", config.questions)
    return sum(map(len, given.values()))


def share_out(pairs: Sequence[Showing], raters: Sequence[str], overlap: int) -> dict[str, list[Showing]]:
    """Each pair to `overlap` raters, all raters as equally as can be; which of them meet, chance decides.

    In turns, six raters of whom three judge a pair would be the same two threes all along: nobody of the one
    would ever be held against anybody of the other.
    """
    shares: dict[str, list[Showing]] = {rater: [] for rater in raters}
    for pair in pairs:
        chances = {rater: seed_for("share", pair.pair_id, rater) for rater in raters}
        fewest_first = sorted(raters, key=lambda rater: (len(shares[rater]), chances[rater]))
        for rater in fewest_first[:overlap]:
            shares[rater].append(pair)
    return shares


def _check(folder: Path, pairs: Sequence[Showing], raters: Sequence[Rater]) -> None:
    if not pairs:
        raise RunError("There are no pairs: no two models drew the same prompt from the same seed.")
    if not raters:
        raise RunError("Nobody is named who gets the ballots.", "Name each rater: --rater NAME.")
    names = [rater.name.lower() for rater in raters]
    for rater in raters:
        if not RATER_NAME.fullmatch(rater.name):
            raise RunError(
                f"{rater.name!r} cannot be the name of a rater's folder.",
                "Use letters, digits, spaces, points, hyphens and underscores.",
            )
        if names.count(rater.name.lower()) > 1:
            raise RunError(f"Rater {rater.name!r} is named twice.")
    if folder.exists() and any(folder.iterdir()):
        raise RunError(f"{folder} is not empty.", "Ballots may have been filled in there: take another.")


def _ballot(
    number: int, order: tuple[Showing, Shown], question: str, rater: Rater, showroom: Showroom
) -> Ballot:
    one, shown = order
    told = f"{question} {one.pair_id} {one.purpose}"
    first = left_first(showroom.secret, told, rater.name)
    models = one.models if first else one.models[::-1]
    left, right = (showroom.blind.path(picture.digest) for picture in (shown if first else shown[::-1]))
    ballot_id = _ballot_id(f"{showroom.secret} ballot {told} {rater.name}")
    is_check = one.purpose == "check"
    key = {
        "vote_id": ballot_id,
        "pair_id": one.pair_id,
        "prompt_id": one.prompt_id,
        "prompt": one.prompt,
        "category": one.category,
        "challenge": one.challenge,
        "question": question,
        "left_model": models[0],
        "right_model": models[1],
        "rater": rater.name,
        "rater_kind": rater.kind,
        "is_repeat": one.purpose == "repeat",
        "is_attention_check": is_check,
        "expected": ("left" if models[0] == one.expected else "right") if is_check else None,
    }
    return Ballot(number, key, left, right)


def _ballot_id(told: str) -> str:
    """12 hex digits that no spreadsheet takes for a number: it would save 12345678901e as 1.2E+10."""
    digest = hashlib.sha256(told.encode()).hexdigest()
    found = (digest[start : start + 12] for start in range(len(digest) - 11))
    return next(one for one in found if re.search("[abcdf]", one))


def read_key(keep: Path) -> list[dict[str, Any]]:
    """All ballots that were handed out, as rows of KEY_SCHEMA."""
    rows: list[dict[str, Any]] = []
    if (keep / KEY).exists():
        rows = read_table(keep / KEY, KEY_SCHEMA.names).to_pylist()
    return rows


def _write_key(keep: Path, known: Sequence[Mapping[str, Any]], ballots: Sequence[Ballot], mark: str) -> None:
    rows = {row["vote_id"]: dict(row) for row in known}
    rows |= {ballot.ballot_id: {**ballot.key, "pairs": mark} for ballot in ballots}
    write_table(keep / KEY, pa.Table.from_pylist(list(rows.values()), KEY_SCHEMA))


# --- files ---------------------------------------------------------------------------------------------


def _write_ballots(
    folder: Path, rater: str, question: str, ballots: Sequence[Ballot], per_sheet: int
) -> None:
    own = folder / rater
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    own.mkdir(exist_ok=True)
    with_prompt = question == "text_faithfulness"
    rows: list[dict[str, Any]] = []
    for start in range(0, len(ballots), per_sheet):
        on_sheet = ballots[start : start + per_sheet]
        name = f"{question}-{start // per_sheet + 1:03d}.png"
        sheet = draw_sheet(
            [
                SheetPair(one.number, one.left, one.right, one.key["prompt"] if with_prompt else None)
                for one in on_sheet
            ],
            per_sheet,
        )
        sheet.save(own / name)
        rows += [_row(folder, one, name, with_prompt) for one in on_sheet]
    columns = [column for column in COLUMNS if with_prompt or column != "prompt"]
    with (
        atomic_path(own / f"{question}.csv") as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def _row(folder: Path, ballot: Ballot, sheet: str, with_prompt: bool) -> dict[str, Any]:
    row = {"number": ballot.number, "id": ballot.ballot_id, "sheet": sheet}
    for side in ("left", "right"):
        file = f"pictures/{ballot.ballot_id}-{side}.png"
        bring(getattr(ballot, side), folder / file)
        row[side] = f"../{file}"
    return row | ({"prompt": harmless(ballot.key["prompt"])} if with_prompt else {}) | {"answer": ""}


def _write_readme(path: Path, questions: Sequence[str]) -> None:
    files = "\n".join(f"    {question}.csv" for question in questions)
    words = "\n\n".join(f"{question}.csv: {WORDS[question]}" for question in questions)
    path.write_text(README.format(files=files, questions=words), encoding="utf-8")
