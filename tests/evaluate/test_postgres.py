"""A vote whose database is PostgreSQL, as for many raters."""

from __future__ import annotations

from dataclasses import replace

import pytest
from web.postgres import running_server

from evaluate.test_poll import NUM_PAIRS, poll
from photogenic.evaluate.poll import Poll

from .test_desk import Vote

__all__ = ["poll"]  # a fixture
pytestmark = pytest.mark.postgres


def test_people_vote_and_the_lead_counts(poll: Poll) -> None:
    with running_server() as url:
        voting = poll.config.voting.model_copy(update={"database": url, "appeal_raters": 2})
        vote = Vote(replace(poll, config=poll.config.model_copy(update={"voting": voting})))
        assert vote.poll.begin(vote.room) == [vote.appeal, vote.faithfulness]
        lead, raters = vote.person("Lea", "lead"), [vote.person(name, "rater") for name in ("Ann", "Bo")]
        judged = sum(vote.judge(rater, vote.appeal, 60) for rater in raters)
        told = lead.get("/api/evaluate/standing").json()
        assert told["questions"][0]["num_pairs_done"] == NUM_PAIRS
        assert sum(hour["decisions"] for hour in told["questions"][0]["per_hour"]) == judged
        assert lead.post("/api/evaluate/verdict").json() == {"num_votes": judged}
        assert "Visual appeal" in lead.get("/api/evaluate/pages/verdict.html").text
        vote.room.database.close()
