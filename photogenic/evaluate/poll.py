"""One vote of people over a run's drawn pictures: its pairs, its server, its votes, its verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from photogenic.core.manifest import IMAGES_SCHEMA
from photogenic.core.records import Vote
from photogenic.core.run import Run
from photogenic.core.shards import read_table
from photogenic.evaluate.config import EvaluateConfig
from photogenic.evaluate.pairs import pair_pictures
from photogenic.evaluate.pictures import drawn_tables
from photogenic.evaluate.verdict import judge
from photogenic.evaluate.verdict_report import write_verdict
from photogenic.evaluate.votes import write_votes
from photogenic.evaluate.voting import open_voting, registration, votes_of
from photogenic.web.app import open_room
from photogenic.web.registration import Registration
from photogenic.web.room import Room
from photogenic.web.settings import Settings

FORMATS = ("jsonl", "csv", "parquet")


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
        return registration(self.folder)

    def open_room(self) -> Room:
        """The room without a server, for commands."""
        return open_room(self.settings(), self.registration())

    def begin(self, room: Room) -> list[str]:
        """A queue for each question, made if it is not there yet; their ids.

        Raises:
            RunError: nothing was drawn, there are no pairs, or the database holds votes on other pictures.
        """
        tables = drawn_tables(self.run)
        with room.database.writing() as connection:
            return open_voting(
                connection,
                self.folder,
                {name: table.to_pylist() for name, table in tables.items()},
                {name: self.run.folder / "generate" / name for name in tables},
                self.config.voting,
                seed=self.seed,
            )

    def conclude(self, room: Room) -> tuple[list[Vote], Path | None]:
        """Write votes.{jsonl,csv,parquet} and, if any vote counts, verdict.html beside the report."""
        with room.database.reading() as connection:
            votes = votes_of(connection)
        for suffix in FORMATS:
            write_votes(self.folder / f"votes.{suffix}", votes)
        return votes, self._verdict(votes)

    def _verdict(self, votes: Sequence[Vote]) -> Path | None:
        counted = [vote for vote in votes if not (vote.is_repeat or vote.is_attention_check)]
        if not counted:
            return None
        models = {model for vote in counted for model in (vote.left_model, vote.right_model)}
        base = self.config.base if self.config.base in models else None
        return write_verdict(
            self.run.folder / "evaluate", judge(votes, base=base), pictures_of(self.run.folder / "generate")
        )


def pictures_of(folder: Path) -> dict[str, dict[str, Path]]:
    """pair_id -> model -> file, of the pictures that `folder`/<model>/manifest.parquet tell of."""
    tables = {
        path.parent.name: read_table(path, IMAGES_SCHEMA.names) for path in folder.glob("*/manifest.parquet")
    }
    return pair_pictures({name: table.to_pylist() for name, table in tables.items()}, folder)
