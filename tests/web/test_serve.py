"""Where a server listens: on the same port at every start, and if another program has it, on a free one."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from photogenic.commands import evaluate, review
from photogenic.core.errors import RunError
from photogenic.web.serve import listen, listen_as_usual, serve
from photogenic.web.settings import origin_of

from .office import Office

HOST = "127.0.0.1"


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that another program has."""
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        yield other.getsockname()[1]


def test_a_server_comes_back_on_its_port(taken: int) -> None:
    with listen(HOST, 0) as first:
        port = first.getsockname()[1]
    with listen_as_usual(HOST, port) as again:
        assert again.getsockname()[1] == port


def test_review_and_vote_can_run_beside_each_other() -> None:
    assert review.PORT != evaluate.PORT


def test_a_usual_port_that_is_taken_is_said_and_a_free_one_serves(
    taken: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with listen_as_usual(HOST, taken) as listening:
        assert listening.getsockname()[1] not in (0, taken)
    assert f"Port {taken} is taken by another program" in " ".join(capsys.readouterr().err.split())


def test_a_port_that_was_asked_for_is_never_another_one(taken: int) -> None:
    with pytest.raises(RunError, match=f"Cannot listen on {HOST}:{taken}"):
        listen(HOST, taken)


def test_who_has_told_others_an_address_is_not_moved_away_from_it(taken: int, office: Office) -> None:
    """A proxy, or the address that was sent round, would lead to the other program."""
    with pytest.raises(RunError, match="Choose another --port"):
        serve(
            office.settings,
            office.registration,
            host=HOST,
            port=None,
            usual_port=taken,
            origins=("https://vote.example.org",),
        )


@pytest.mark.parametrize(
    ("told", "origin"),
    [
        ("https://review.example.org/", "https://review.example.org"),
        ("https://Review.Example.org:443", "https://review.example.org"),
        (" http://team:8000 ", "http://team:8000"),
        ("http://[::1]:8741", "http://[::1]:8741"),
    ],
)
def test_an_address_is_taken_as_browsers_name_it(told: str, origin: str) -> None:
    """Compared letter by letter as it was typed, every write would come from another site."""
    assert origin_of(told) == origin


@pytest.mark.parametrize("told", ["review.example.org", "https://", "https://a.org/review", "http://a:port"])
def test_what_is_no_address_is_said_before_anything_is_served(told: str, office: Office) -> None:
    with pytest.raises(RunError, match="is no address of a server"):
        serve(office.settings, office.registration, host=HOST, port=0, origins=(told,))
