"""The review on the web room: its registration, its rounds one after another, its needles."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, select, update

from photogenic.core.errors import RunError
from photogenic.core.records import Locator
from photogenic.core.run import Run
from photogenic.measures.taste import load
from photogenic.review.config import ReviewConfig
from photogenic.review.imports import known_answers
from photogenic.review.kinds import KINDS
from photogenic.review.opening import candidates_of, open_round
from photogenic.review.results import kept_samples, open_captions
from photogenic.web.app import open_room
from photogenic.web.registration import Registration
from photogenic.web.room import Room
from photogenic.web.screens import Screen
from photogenic.web.settings import Settings
from photogenic.web.tables import queues

HERE = Path(__file__).parent
STYLES = ("/static/photo-stage.css", "/review/common.css")
DESK_STYLES = (*STYLES, "/static/desk.css")
SCREENS = (
    Screen("grid", "Grid", "work culling", "surround", "Screen", STYLES),
    Screen("loupe", "Loupe", "work loupe", "surround", "Decision", STYLES),
    Screen("captions", "Captions", "work captions", "desk", "Save", STYLES),
    Screen("adjudicate", "Adjudicate", "work adjudication", "desk", "Outcome", STYLES),
    Screen("guidelines", "Guidelines", styles=STYLES),
    Screen("lead", "The lead's desk", styles=DESK_STYLES),
)


@dataclass(frozen=True)
class Review:
    """One review: what the recipe says, and the run folder it works in."""

    config: ReviewConfig
    run: Run
    seed: int
    encoders: Path | None = None  # the model's folder, whose tokenizers count what writers write

    def settings(self, **changes: Any) -> Settings:
        """Where its database and its pictures lie."""
        folder = self.run.folder / "review"
        url = self.config.database or f"sqlite:///{(folder / 'review.db').resolve()}"
        return Settings(database_url=url, folder=folder, title="photogenic review", **changes)

    def registration(self) -> Registration:
        """What the review brings to the web room."""
        from photogenic.review.routes import PERMISSIONS, router_for
        from photogenic.review.tables import METADATA

        return Registration(
            name="review",
            kinds=KINDS,
            router=router_for(self),
            permissions=PERMISSIONS,
            pages=HERE / "pages",
            screens=SCREENS,
            desk="lead",
            migrations=HERE / "migrations",
            tables=METADATA,
            read_picture=self.read_picture,
        )

    def read_picture(self, locator: Mapping[str, Any]) -> bytes:
        return self.run.sources().read(Locator(**locator))

    def open_room(self) -> Room:
        """The room without a server, for commands."""
        return open_room(self.settings(), self.registration())

    # --- rounds --------------------------------------------------------------------------------------------

    def begin(self, room: Room) -> str:
        """The first round's queue, made if it is not there yet."""
        with room.database.reading() as connection:
            existing = self.queue_of(connection, 0)
        if existing is not None:
            return str(existing.queue_id)
        rows = candidates_of(self.run)
        with room.database.writing() as connection:
            room.database.alone(connection)
            existing = self.queue_of(connection, 0)  # another command may have been quicker
            return self._open(connection, 0, rows) if existing is None else str(existing.queue_id)

    def queue_of(self, connection: Connection, number: int) -> Row[Any] | None:
        """The queue of a round; None: it has not begun."""
        rows = connection.execute(
            select(queues).where(queues.c.kind != "relook").order_by(queues.c.created_at)
        )
        return next((row for row in rows if json.loads(row.body).get("round") == number), None)

    def latest(self, connection: Connection) -> int:
        """The number of the round that was opened last."""
        begun = [n for n in range(len(self.config.rounds)) if self.queue_of(connection, n) is not None]
        return max(begun, default=-1)

    def advance(self, connection: Connection, number: int) -> str:
        """Close round `number` and open the next over what was kept; the id of its queue.

        Raises:
            RunError: the round has not begun, is the last, or has kept nothing.
        """
        queue = self.queue_of(connection, number)
        if queue is None or number + 1 >= len(self.config.rounds):
            left = (
                open_captions(connection, queue.queue_id).words if queue and queue.kind == "captions" else ""
            )
            raise RunError(
                "There is no round after this one.",
                f"Write the needles instead{f', once captions are settled: {left}' if left else ''}.",
            )
        # From here on nobody judges in it, for what is kept later is lost, and nobody else opens the next.
        connection.execute(
            select(queues.c.queue_id).where(queues.c.queue_id == queue.queue_id).with_for_update()
        )
        following = self.queue_of(connection, number + 1)
        if following is not None:
            return str(following.queue_id)
        kept = kept_samples(connection, queue)
        if not kept:
            raise RunError("This round has kept nothing yet.", "A round without pictures would have no end.")
        rows = candidates_of(self.run)
        rows = rows.filter(pc.is_in(rows["sample_id"], pa.array(sorted(kept))))
        connection.execute(update(queues).where(queues.c.queue_id == queue.queue_id).values(state="closed"))
        return self._open(connection, number + 1, rows)

    def _open(self, connection: Connection, number: int, rows: pa.Table) -> str:
        answers = known_answers(self.config.gold, self.run) if self.config.gold else {}
        return open_round(
            connection,
            self.run,
            self.config,
            number,
            rows,
            answers=answers,
            seed=self.seed,
            taste=self._taste(rows) if self.config.rounds[number].order == "taste" else None,
        )

    def _taste(self, rows: pa.Table) -> NDArray[np.float64] | None:
        """How likely each row would be kept, by what was learnt so far; None: nothing was yet."""
        path = self.config.taste or self.run.folder / "review" / "taste.json"
        if self.config.taste is None and not path.exists():
            return None
        return load(path.expanduser()).score(rows)
