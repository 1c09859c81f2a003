"""People vote: ten at once with the server killed in between; forged, doubled and out-of-turn votes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from ports import free_port, wait_for_port

from evaluate.voters import Voter
from photogenic.core.errors import RunError
from photogenic.core.run import Run
from photogenic.evaluate.config import EvaluateConfig, VotingConfig
from photogenic.evaluate.folders import PromptRow, import_folders
from photogenic.evaluate.poll import Poll
from photogenic.evaluate.verdict import judge
from photogenic.evaluate.votes import read_votes
from photogenic.web.people import invite
from photogenic.web.room import Room

NUM_PAIRS = 24
CONFIG = EvaluateConfig(base="base", voting=VotingConfig(repeat_ratio=0.1, check_ratio=0.1))
SERVER = """
import sys
from pathlib import Path
from evaluate.test_poll import CONFIG
from photogenic.core.run import Run
from photogenic.evaluate.poll import Poll
from photogenic.web.serve import serve
poll = Poll(CONFIG, Run(Path(sys.argv[1])), 0)
serve(poll.settings(), poll.registration(), host="127.0.0.1", port=int(sys.argv[2]))
"""


@pytest.fixture
def poll(tmp_path: Path) -> Poll:
    folders = {}
    for shade, name in ((90, "base"), (160, "tuned")):
        folders[name] = tmp_path / name
        folders[name].mkdir()
        for number in range(NUM_PAIRS):
            Image.new("RGB", (48, 48), (shade, 5 * number, 40)).save(folders[name] / f"{number}.png")
    prompts = [PromptRow(f"p{n}", f"prompt {n}", "Animals" if n % 2 else "Food") for n in range(NUM_PAIRS)]
    run = Run(tmp_path / "run")
    import_folders(run, folders, prompts)
    return Poll(CONFIG, run, 0)


def begin(poll: Poll, raters: int, kind: str = "person") -> tuple[Room, list[str], list[str]]:
    """The room, its queues, and an invite for each rater."""
    room = poll.open_room()
    queues = poll.begin(room)
    with room.database.writing() as connection:
        links = [
            invite(connection, name=f"Rater {n}", role="rater", lifetime_s=600, kind=kind).token
            for n in range(raters)
        ]
    return room, queues, links


class Server:
    """A server process that can be killed and started again on its port."""

    def __init__(self, poll: Poll) -> None:
        self.port = free_port()
        self.origin = f"http://127.0.0.1:{self.port}"
        self.poll = poll
        self.start()

    def start(self) -> None:
        tests = str(Path(__file__).parents[1])
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(self.poll.run.folder), str(self.port)],
            cwd=tests,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_for_port(self.port, self.process)
        except TimeoutError:
            self.kill()
            raise

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def test_ten_voters_and_a_killed_server_lose_and_double_nothing(poll: Poll) -> None:
    room, queues, links = begin(poll, 10)
    server = Server(poll)
    try:
        voters = [Voter(server.origin, link) for link in links]
        threads = [threading.Thread(target=voter.vote_all, args=(queues[0],)) for voter in voters]
        for thread in threads:
            thread.start()
        while sum(len(voter.sent) for voter in voters) < 40:
            assert any(thread.is_alive() for thread in threads), "nobody votes any more"
            time.sleep(0.02)
        server.kill()
        server.start()
        for thread in threads:
            thread.join(timeout=400)
        assert not any(thread.is_alive() for thread in threads)
    finally:
        server.kill()
    votes, findings = poll.conclude(room)
    room.database.close()
    sent = [event for voter in voters for event in voter.sent]
    assert len(sent) == len(set(sent)) and set(sent) == {vote.vote_id for vote in votes}
    counted = [vote for vote in votes if not (vote.is_repeat or vote.is_attention_check)]
    assert Counter(vote.pair_id for vote in counted) == dict.fromkeys({v.pair_id for v in counted}, 5)
    assert len({vote.pair_id for vote in counted}) == NUM_PAIRS
    assert len({(vote.rater, vote.pair_id) for vote in counted}) == len(counted)
    assert any(vote.is_attention_check for vote in votes) and any(vote.is_repeat for vote in votes)
    lefts = Counter(vote.left_model for vote in counted)
    assert 30 < lefts["base"] < 90  # 120 coins
    for suffix in ("jsonl", "csv", "parquet"):
        assert read_votes(poll.folder / f"votes.{suffix}") == votes
    assert findings is not None and "data:image/webp" in poll.page.read_text(encoding="utf-8")
    [panel] = judge(votes).panels
    assert panel.num_votes == 5 * NUM_PAIRS and panel.left_share.mean == 1.0  # everybody answered left


def test_forged_doubled_and_out_of_turn_votes_are_refused(poll: Poll) -> None:
    room, queues, links = begin(poll, 2)
    server = Server(poll)
    try:
        honest, other = (Voter(server.origin, link) for link in links)
        [item, *_] = honest.call(f"/api/queues/{queues[0]}/claim", {"count": 2, "held": []})["items"]
        shown = json.dumps(item)
        assert "base" not in shown and "tuned" not in shown and "prompt" not in item["body"]

        def refusal(voter: Voter, event: dict[str, object]) -> str:
            answer = voter.call("/api/events", {"events": [event]})
            return answer["refused"][0]["error"] if answer["refused"] else ""

        assert refusal(other, other.event(queues[0], item)) == "This item was not given to you."
        assert "none of left, right, tie" in refusal(honest, honest.event(queues[0], item, choice="both"))
        other_question = honest.event(queues[0], item, question="text_faithfulness", choice="both")
        assert refusal(honest, other_question) == "Here is asked about visual_appeal."
        assert "no part of a vote" in refusal(honest, honest.event(queues[0], item, left_model="tuned"))
        assert "no time" in refusal(honest, honest.event(queues[0], item, active_ms=-1))
        assert "no such item" in refusal(honest, honest.event(queues[1], item))
        vote = honest.event(queues[0], item)
        assert refusal(honest, vote) == "" and refusal(honest, vote) == ""
        assert (
            refusal(honest, vote | {"body": {**vote["body"], "choice": "right"}})
            == "Another event has this id."
        )
        assert refusal(other, {**vote, "item_id": item["id"]}) == "Another event has this id."
    finally:
        server.kill()
    votes, _ = poll.conclude(room)
    room.database.close()
    assert [vote.vote_id for vote in votes] == [vote["event_id"]]


def test_a_model_that_votes_over_the_page_is_called_one(poll: Poll) -> None:
    room, queues, [link] = begin(poll, 1, kind="model")
    server = Server(poll)
    try:
        voter = Voter(server.origin, link)
        [item] = voter.call(f"/api/queues/{queues[0]}/claim", {"count": 1, "held": []})["items"]
        voter.call("/api/events", {"events": [voter.event(queues[0], item)]})
    finally:
        server.kill()
    votes, _ = poll.conclude(room)
    room.database.close()
    assert [vote.rater_kind for vote in votes] == ["model"]


def test_votes_on_other_pictures_do_not_mix(poll: Poll) -> None:
    room, queues, _ = begin(poll, 0)
    assert poll.begin(room) == queues  # the same pictures: the same queues
    fewer = replace(poll, config=EvaluateConfig(base="base", voting=VotingConfig(max_pairs=3)))
    with pytest.raises(RunError, match="Other pairs are being voted on"):
        fewer.begin(room)
    picture = next((poll.run.folder / "generate" / "tuned").glob("*.png"))
    picture.unlink()
    Image.new("RGB", (48, 48), "white").save(picture)
    with pytest.raises(RunError, match="Other pairs are being voted on"):
        poll.begin(room)
    room.database.close()


@pytest.mark.parametrize("name", ["votes.jsonl", "votes.db"])
def test_a_vote_goes_on_from_its_backup(poll: Poll, tmp_path: Path, name: str) -> None:
    room, queues, [ann, bo] = begin(poll, 2)
    server = Server(poll)
    try:
        Voter(server.origin, ann).vote_all(queues[0])
        poll.backup(tmp_path / name)  # while it is served
        Voter(server.origin, bo).vote_all(queues[0])  # lost
    finally:
        server.kill()
    room.database.close()
    with pytest.raises(RunError, match="not empty"):
        poll.restore(tmp_path / name)
    for path in poll.folder.glob("votes.sqlite*"):
        path.unlink()
    poll.restore(tmp_path / name)
    room = poll.open_room()
    assert poll.begin(room) == queues
    server = Server(poll)
    try:
        voter = Voter(server.origin, bo)  # invited before the backup, and not there yet
        voter.vote_all(queues[0])
    finally:
        server.kill()
    votes, _ = poll.conclude(room)
    room.database.close()
    counted = [vote for vote in votes if not (vote.is_repeat or vote.is_attention_check)]
    assert {vote.rater for vote in counted} == {"Rater 0", "Rater 1"}
    assert Counter(vote.pair_id for vote in counted) == dict.fromkeys({v.pair_id for v in counted}, 2)
    assert len({vote.pair_id for vote in counted}) == NUM_PAIRS
