"""The studio: jobs in line, events as they happen, limits, the unsafe check; and the page in a browser."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from photogenic.generate.on_demand import generate_from_command
from photogenic.generate.studio.app import create_studio
from photogenic.generate.studio.easel import Easel
from photogenic.generate.studio.jobs import Cancelled, Job, Limits, Line
from photogenic.web.refusals import Refusal
from photogenic.web.settings import Settings

ORIGIN = "http://testserver"
LIMITS = Limits(max_prompt_chars=40, max_count=2, max_steps=30, max_size_px=64)


def settings(folder: Path, origin: str = ORIGIN) -> Settings:
    return Settings(database_url="", folder=folder, origins=(origin,), max_body_bytes=4096)


@pytest.fixture(scope="module")
def easel(weights: dict[str, Path]) -> Easel:
    return Easel([str(weights["base"]), str(weights["tuned"])], "cpu", 1.0)


@pytest.fixture
def client(easel: Easel, tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(create_studio(easel, settings(tmp_path), LIMITS), headers={"Origin": ORIGIN}) as client:
        yield client


def finish(client: TestClient, job: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Everything that is told of a job, to its end."""
    text = client.get(f"/api/jobs/{job['id']}/events").text
    blocks = [block.split("\n") for block in text.strip().split("\n\n") if block.startswith("event")]
    return [(lines[0][7:], json.loads(lines[1][6:])) for lines in blocks]


def test_all_models_draw_a_prompt_from_one_seed_and_tell_of_it(
    client: TestClient, weights: dict[str, Path], tmp_path: Path
) -> None:
    asked = {"prompt": "a cat", "seed": 5, "count": 2, "num_inference_steps": 3}
    job = client.post("/api/jobs", json=asked).json()
    told = finish(client, job)
    assert told[-1][0] == "done"
    pictures = {(words["model"], words["number"]): words for name, words in told if name == "picture"}
    assert set(pictures) == {(model, number) for model in ("base", "tuned") for number in (0, 1)}
    assert {words["seed"] for words in pictures.values()} == {5, 6}
    state = client.get(f"/api/jobs/{job['id']}").json()
    shown = [client.get(picture["url"]) for picture in state["pictures"]]
    images = [np.asarray(Image.open(BytesIO(answer.content))) for answer in shown]
    assert all(image.shape == (32, 32, 3) for image in images) and not np.array_equal(images[0], images[2])
    # The same prompt and seed on the command line are the same picture.
    options = {"num_inference_steps": 3, "batch_size": 1}
    generate_from_command(str(weights["base"]), ["a cat"], 1, 5, tmp_path, **options)
    [file] = (tmp_path / "base").glob("a-cat-*.png")
    assert np.abs(np.asarray(Image.open(file)).astype(int) - images[0]).max() <= 1
    assert [one["id"] for one in client.get("/api/jobs").json()["jobs"]] == [job["id"]]


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"prompt": " "}, "The prompt is empty."),
        ({"prompt": "x" * 41}, "at most 40 characters"),
        ({"prompt": "x", "count": 3}, "At most 2 pictures"),
        ({"prompt": "x", "num_inference_steps": 31}, "At most 30 steps"),
        ({"prompt": "x", "size_px": 128}, "at most 64 px"),
        ({"prompt": "x", "size_px": 34}, "no side that these models can draw: it has to be a multiple of 4."),
        ({"prompt": "x", "sampler": "eulr"}, "no sampler 'eulr'"),
        ({"prompt": "x", "seed": -1}, "greater than or equal to 0"),
        ({"prompt": "x", "steps": 3}, "Extra inputs"),
    ],
)
def test_what_is_too_much_is_refused(client: TestClient, asked: dict[str, Any], sentence: str) -> None:
    answer = client.post("/api/jobs", json=asked)
    assert answer.status_code == 422 and sentence in answer.json()["error"]


def test_strangers_are_refused(client: TestClient) -> None:
    asked = {"prompt": "a cat"}
    assert client.post("/api/jobs", json=asked, headers={"Origin": "http://evil.example"}).status_code == 403
    assert client.get("/api/models", headers={"Host": "evil.example"}).status_code == 421
    assert client.post("/api/jobs", content=b"x" * 5000).status_code == 413
    assert client.get("/api/jobs/absent").status_code == 404
    assert client.get("/studio/../app.py").status_code == 404


def test_unsafe_pictures_and_previews_are_withheld(weights: dict[str, Path], tmp_path: Path) -> None:
    """Any picture is likelier unsafe than a limit of 0."""
    easel = Easel([str(weights["base"])], "cpu", 0.0)
    with TestClient(create_studio(easel, settings(tmp_path), LIMITS), headers={"Origin": ORIGIN}) as client:
        job = client.post("/api/jobs", json={"prompt": "a cat", "num_inference_steps": 2}).json()
        told = finish(client, job)
        assert all(words.get("preview") is None for name, words in told if name == "step")
        [picture] = client.get(f"/api/jobs/{job['id']}").json()["pictures"]
        assert picture["withheld"]
        assert np.unique(Image.open(BytesIO(client.get(picture["url"]).content))).tolist() == [128]


def test_first_come_first_served_and_a_full_line_is_said() -> None:
    drawn: list[str] = []
    go = threading.Event()

    def draw(job: Job) -> None:
        go.wait(20)
        drawn.append(job.request["prompt"])

    line = Line(draw, Limits(max_waiting=4, max_waiting_each=3))
    line.start()
    jobs = [line.add({"prompt": str(number)}, "one") for number in range(3)]
    with pytest.raises(Refusal, match="3 of your jobs"):
        line.add({"prompt": "x"}, "one")
    jobs.append(line.add({"prompt": "3"}, "two"))
    with pytest.raises(Refusal, match="4 jobs are in line"):
        line.add({"prompt": "x"}, "three")
    line.cancel(jobs[1].job_id)
    go.set()
    assert [list(job.listen())[-1] for job in jobs] and drawn == ["0", "2", "3"]
    assert [job.state for job in jobs] == ["done", "cancelled", "done", "done"]
    line.stop()


def test_cancel_leaves_at_the_next_step_and_a_failure_does_not_stop_the_line() -> None:
    def draw(job: Job) -> None:
        if job.request["prompt"] == "bad":
            raise RuntimeError("out of memory")
        for step in range(2000):
            job.check()
            job.tell("step", model="m", number=0, step=step, total=2000)
            time.sleep(0.005)

    line = Line(draw, Limits())
    line.start()
    long, bad = line.add({"prompt": "long"}, "one"), line.add({"prompt": "bad"}, "one")
    for told in long.listen():
        if told is not None and told["event"] == "step":
            line.cancel(long.job_id)
            break
    assert [told for told in long.listen() if told is not None][-1]["event"] == "cancelled"
    assert [told for told in bad.listen() if told is not None][-1]["error"] == "out of memory"
    assert sum(told["event"] == "step" for told in long.told) == 1  # of steps only the last is kept
    line.stop()
    with pytest.raises(Cancelled):
        long.check()
