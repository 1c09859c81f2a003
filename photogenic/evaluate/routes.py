"""Routes of the lead's desk of a vote: how far it is, the votes as files, the verdict."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fastapi import APIRouter
from fastapi.responses import Response

from photogenic.evaluate.standing import standing
from photogenic.evaluate.votes import write_votes
from photogenic.web.downloads import MEDIA_TYPES, attachment
from photogenic.web.guard import REPORT_POLICY
from photogenic.web.refusals import Refusal, not_found
from photogenic.web.registration import LEAD, Permissions
from photogenic.web.room import PersonHere, RoomHere, note

if TYPE_CHECKING:
    from photogenic.evaluate.poll import Poll

PERMISSIONS: Permissions = {
    ("GET", "/api/evaluate/standing"): LEAD,
    ("GET", "/api/export/votes.{suffix}"): LEAD,
    ("POST", "/api/evaluate/verdict"): LEAD,
    ("GET", "/api/evaluate/pages/{name}.html"): LEAD,
}


def router_for(poll: Poll) -> APIRouter:
    """The routes of one vote."""
    router = APIRouter()
    counting = threading.Lock()  # the files of a count have one name

    @router.get("/api/evaluate/standing")
    def read_standing(room: RoomHere) -> dict[str, Any]:
        """How far each question is, how much each rater has judged, when the votes were counted last."""
        with room.database.reading() as connection:
            told = standing(connection)
        return told | {"counted_at": poll.page.stat().st_mtime if poll.page.exists() else None}

    @router.get("/api/export/votes.{suffix}")
    def export(suffix: Literal["jsonl", "csv", "parquet"], room: RoomHere) -> Response:
        """Every vote that holds: who, what stood where, the answer; those that came back on ballots too."""
        with room.database.reading() as connection:
            votes = poll.votes(connection)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"votes.{suffix}"
            write_votes(path, votes)
            content = path.read_bytes()
        return Response(content, media_type=MEDIA_TYPES[suffix], headers=attachment(f"votes.{suffix}"))

    @router.post("/api/evaluate/verdict")
    def count(room: RoomHere, person: PersonHere) -> dict[str, Any]:
        """Count the votes so far, and write them and the verdict into the run folder."""
        with counting:
            votes, findings = poll.conclude(room)
        if findings is None:
            raise Refusal(409, "Nobody has judged a pair yet.", "A verdict needs votes.")
        with room.database.writing() as connection:
            note(connection, person, "verdict", f"{len(votes)} votes")
        return {"num_votes": len(votes)}

    @router.get("/api/evaluate/pages/{name}.html")
    def read_page(name: Literal["verdict", "report"]) -> Response:
        """The verdict as it was counted last, or the page of the measures."""
        path = poll.page.with_name(f"{name}.html")
        if not path.exists():
            raise not_found("page yet")
        headers = {"Content-Security-Policy": REPORT_POLICY}
        return Response(path.read_bytes(), media_type="text/html; charset=utf-8", headers=headers)

    return router
