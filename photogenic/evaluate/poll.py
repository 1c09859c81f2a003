"""One vote of people over a run's drawn pictures: its pairs, its server, its votes, its verdict."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from photogenic.core.errors import RunError
from photogenic.core.manifest import IMAGES_SCHEMA
from photogenic.core.records import Vote
from photogenic.core.run import Run
from photogenic.core.shards import read_table
from photogenic.evaluate.ballots import Rater, hand_out, read_key
from photogenic.evaluate.beside import (
    VERDICT_PAGE,
    is_of_these,
    mention_votes,
    note_counted,
    note_pictures,
)
from photogenic.evaluate.compare import Settings as Statistics
from photogenic.evaluate.config import EvaluateConfig
from photogenic.evaluate.leanings import Leanings, leanings
from photogenic.evaluate.measured import read_measured
from photogenic.evaluate.pairs import build_pairs, pair_pictures
from photogenic.evaluate.pictures import drawn_tables
from photogenic.evaluate.returns import Returned, take_in
from photogenic.evaluate.routes import PERMISSIONS, router_for
from photogenic.evaluate.tables import METADATA
from photogenic.evaluate.verdict import SETTINGS, Findings, judge
from photogenic.evaluate.verdict_report import write_verdict
from photogenic.evaluate.votes import ANSWERS, read_votes, write_votes
from photogenic.evaluate.voting import open_voting, other_pairs, registration, votes_of
from photogenic.web import backup as backups
from photogenic.web.app import open_room
from photogenic.web.registration import Registration
from photogenic.web.room import Room
from photogenic.web.settings import Settings

FORMATS = ("jsonl", "csv", "parquet")
RETURNED = "returned.jsonl"  # votes that came back on ballots


@dataclass(frozen=True)
class Poll:
    """What the recipe says, and the run folder it is about."""

    config: EvaluateConfig
    run: Run
    seed: int

    @property
    def folder(self) -> Path:
        """Where database, blind pictures and votes lie."""
        return self.run.stage("evaluate") / "voting"

    def settings(self) -> Settings:
        """Where the server keeps what."""
        self.folder.mkdir(parents=True, exist_ok=True)
        url = self.config.voting.database or f"sqlite:///{(self.folder / 'votes.sqlite').resolve()}"
        return Settings(database_url=url, folder=self.folder, title="photogenic vote")

    def registration(self) -> Registration:
        """What the vote brings to the web room."""
        return replace(registration(self.folder), router=router_for(self), permissions=PERMISSIONS)

    def open_room(self) -> Room:
        """The room without a server, for commands."""
        return open_room(self.settings(), self.registration())

    def backup(self, path: Path) -> str:
        """Write a backup of the page's votes and raters, also while the server runs; a sentence about it."""
        with closing(self.open_room().database) as database:
            return backups.backup(database, path, [METADATA])

    def restore(self, path: Path) -> str:
        """Bring a backup into an empty database; a sentence about it."""
        with closing(self.open_room().database) as database:
            return backups.restore(database, path, [METADATA])

    def begin(self, room: Room) -> list[str]:
        """A queue for each question, made if it is not there yet; their ids.

        Raises:
            RunError: nothing was drawn, there are no pairs, or votes, here or on ballots, are about others.
        """
        rows, pictures = self._drawn()
        with room.database.writing() as connection:
            room.database.alone(connection)
            ids = open_voting(connection, self.folder, rows, pictures, self.config.voting, seed=self.seed)
        note_pictures(self.folder, self.run.folder)
        return ids

    def hand_out(self, folder: Path, raters: Sequence[Rater], *, per_sheet: int) -> int:
        """Write blind pairs to `folder` for raters who cannot come to the page; how many.

        Raises:
            RunError: see `ballots.hand_out`; or the votes of the page are about other pictures.
        """
        rows, pictures = self._drawn()
        self.folder.mkdir(parents=True, exist_ok=True)
        pairs = build_pairs(rows, self.config.voting, seed=self.seed)
        num_ballots = hand_out(
            folder,
            self.folder,
            pairs,
            pictures,
            self.config.voting,
            raters,
            seed=self.seed,
            per_sheet=per_sheet,
        )
        note_pictures(self.folder, self.run.folder)
        return num_ballots

    def take_in(self, path: Path) -> Returned:
        """Add the answers in `path` to those that came before.

        Raises:
            RunError: see `returns.take_in`; or a ballot was answered otherwise before.
        """
        returned = take_in(path, read_key(self.folder))
        known = {vote.vote_id: vote for vote in self._returned()}
        for vote in returned.votes:
            before = known.setdefault(vote.vote_id, vote)
            if before.answer != vote.answer:
                raise RunError(
                    f"Ballot {vote.vote_id} of {vote.rater} was answered {before.answer} before,"
                    f" and {vote.answer} now.",
                    f"A vote never changes. To count all ballots anew, move {self.folder / RETURNED} away.",
                )
        write_votes(self.folder / RETURNED, list(known.values()))
        return returned

    def conclude(self, room: Room) -> tuple[list[Vote], Findings | None]:
        """Write votes.{jsonl,csv,parquet} and, if any vote counts, verdict.html beside the report.

        The report then says so first.
        """
        with room.database.reading() as connection:
            votes = self.votes(connection)
        for suffix in FORMATS:
            write_votes(self.folder / f"votes.{suffix}", votes)
        return votes, self._verdict(votes)

    def votes(self, connection: Connection) -> list[Vote]:
        """Those of the page, then those that came back on ballots."""
        return [*votes_of(connection), *self._returned()]

    @property
    def page(self) -> Path:
        """Where the verdict is."""
        return self.run.folder / "evaluate" / VERDICT_PAGE

    def _verdict(self, votes: Sequence[Vote]) -> Findings | None:
        counted = [vote for vote in votes if not (vote.is_repeat or vote.is_attention_check)]
        if not counted:
            return None
        models = {model for vote in counted for model in (vote.left_model, vote.right_model)}
        base = self.config.base if self.config.base in models else None
        findings = judge(
            votes,
            base=base,
            planned={question: self.config.voting.raters(question) for question in ANSWERS},
            settings=Statistics(self.config.confidence, self.config.num_resamples, SETTINGS.seed),
        )
        as_voted_on = is_of_these(self.folder, self.run.folder)  # no others are shown as if they had won
        pictures = pictures_of(self.run.folder / "generate") if as_voted_on else None
        went_by = leanings_of(self.run.folder, findings) if as_voted_on else []
        write_verdict(self.page.parent, findings, pictures, went_by)
        note_counted(self.folder, self.run.folder)
        mention_votes(self.run.folder)
        return findings

    def _returned(self) -> list[Vote]:
        path = self.folder / RETURNED
        return read_votes(path) if path.exists() else []

    def _drawn(self) -> tuple[dict[str, list[dict[str, Any]]], dict[str, Path]]:
        tables = drawn_tables(self.run)
        if not is_of_these(self.folder, self.run.folder):
            raise RunError(*other_pairs(self.folder))
        return (
            {name: table.to_pylist() for name, table in tables.items()},
            {name: self.run.folder / "generate" / name for name in tables},
        )


def leanings_of(run_folder: Path, findings: Findings) -> list[Leanings]:
    """What the raters went by, where the pictures of the run that are there now have been measured."""
    measured = read_measured(run_folder)
    return [] if measured is None else leanings(findings, measured)


def pictures_of(folder: Path) -> dict[str, dict[str, Path]]:
    """pair_id -> model -> file, of the pictures that `folder`/<model>/manifest.parquet tell of."""
    tables = {
        path.parent.name: read_table(path, IMAGES_SCHEMA.names) for path in folder.glob("*/manifest.parquet")
    }
    return pair_pictures({name: table.to_pylist() for name, table in tables.items()}, folder)
