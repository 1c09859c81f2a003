"""A real review, served by the real command, worked on in a real Chromium."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from ports import free_port, wait_for_port

from photogenic.core.run import Run

from .photographs import write_haystack
from .watching import LONGEST_S

NUM_PICTURES = 24
START = """
import sys
from photogenic.cli import main
sys.argv[0] = "photogenic"
main()
"""


@dataclass
class Served:
    """A server of one review, and the lead's way into it."""

    recipe: Path
    run: Path
    port: int
    process: subprocess.Popen[str] | None = None
    link: str = ""
    lead: Any = None  # a browser context, signed in
    contexts: list[Any] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Serve, on the same port as before."""
        arguments = ["review", str(self.recipe), "--run", str(self.run), "--port", str(self.port)]
        said = self.run.with_name("said.txt")  # a pipe that nobody reads would stop a server that says much
        with said.open("a", encoding="utf-8") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-c", START, *arguments], stdout=subprocess.PIPE, stderr=errors, text=True
            )
        assert self.process.stdout is not None
        self.link = self.process.stdout.readline().strip()
        if not self.link:
            raise RuntimeError(said.read_text(encoding="utf-8"))
        wait_for_port(self.port, self.process)  # the link is printed a moment before

    def kill(self) -> None:
        """As a power cut would."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def queue(self, screen: str) -> str:
        """The id of the open queue with this screen."""
        found = [one for one in self.get(self.lead, "/api/queues")["queues"] if one["screen"] == screen]
        return str(found[0]["id"])

    def get(self, context: Any, path: str) -> Any:
        answer = context.request.get(self.url + path)
        assert answer.ok, answer.text()
        return answer.json()

    def post(self, context: Any, path: str, body: dict[str, Any]) -> Any:
        answer = context.request.post(self.url + path, data=body, headers={"Origin": self.url})
        assert answer.ok, answer.text()
        return answer.json()

    def invite(self, name: str, role: str) -> str:
        return str(self.post(self.lead, "/api/invites", {"name": name, "role": role})["link"])


def patient(context: Any) -> Any:
    """The context, with the time that a busy machine needs."""
    context.set_default_timeout(LONGEST_S * 1000)
    return context


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("photographs")


@pytest.fixture(scope="session")
def serve(
    chromium: Any, photographs: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Served]]:
    """`serve(name, rounds, num=24)`: a review of so many pictures, the lead signed in; one for each name."""
    running: dict[str, Served] = {}

    def start(name: str, rounds: list[dict[str, Any]], num: int = NUM_PICTURES) -> Served:
        if name not in running:
            folder = tmp_path_factory.mktemp(name)
            write_haystack(Run(folder / "run"), photographs, num)
            recipe = folder / "recipe.yaml"
            recipe.write_text(
                yaml.safe_dump(
                    {
                        "name": name,
                        "pool": {"sources": {"photographs": str(photographs)}},
                        "review": {"decisions": "people", "rounds": rounds},
                    }
                )
            )
            served = Served(recipe, folder / "run", free_port())
            served.start()
            served.lead = patient(chromium.new_context(base_url=served.url))
            page = served.lead.new_page()
            page.goto(served.link)
            page.get_by_role("heading", name="Hello").wait_for()
            page.close()
            running[name] = served
        return running[name]

    yield start
    for served in running.values():
        served.kill()


@pytest.fixture
def person(chromium: Any) -> Iterator[Callable[..., Any]]:
    """`person(served, "Ada", "generalist")`: a browser context of somebody who has just signed in by link."""
    contexts: list[Any] = []

    def sign_in(served: Served, name: str, role: str, **options: Any) -> Any:
        context = patient(chromium.new_context(base_url=served.url, **options))
        contexts.append(context)
        page = context.new_page()
        page.goto(served.invite(name, role))
        page.get_by_role("heading", name=f"Hello, {name}").wait_for()
        page.close()
        return context

    yield sign_in
    for context in contexts:
        context.close()
