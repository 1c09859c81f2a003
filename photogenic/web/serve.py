"""Run the server: choose a port, print the lead's sign-in link, stop cleanly."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import select

from photogenic.core.console import console
from photogenic.core.errors import RunError
from photogenic.web.app import create_app
from photogenic.web.people import invite
from photogenic.web.registration import Registration
from photogenic.web.room import Room, note
from photogenic.web.settings import Settings, origin_of
from photogenic.web.tables import people

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def serve(
    settings: Settings,
    *registrations: Registration,
    host: str,
    port: int | None,
    usual_port: int = 0,
    origins: Sequence[str] = (),
) -> None:
    """Serve until stopped. Without `origins`, only addresses of this machine are answered.

    Args:
        port: where to listen; 0: any that is free; None: on `usual_port`, or on a free one where that is
            taken and nobody was told of it (by `origins`).

    Raises:
        RunError: the port is taken, others could reach the server but it was not told its address, or what it
            was told is none.
    """
    import uvicorn

    if host not in LOOPBACK and not origins:
        raise RunError(
            f"On {host} others can reach this server, so it has to know the address that they use.",
            "Add --origin https://review.example.org (or http://NAME:PORT in a trusted network).",
        )
    addresses = tuple(map(origin_of, origins))
    if port is not None:
        listening = listen(host, port)
    else:
        listening = listen(host, usual_port) if origins else listen_as_usual(host, usual_port)
    settings = replace(settings, origins=addresses or local_origins(listening.getsockname()[1]))
    app = create_app(settings, *registrations)
    link = lead_link(app.state.room)
    console.print(f"Serving on {settings.origins[0]}. Sign in as the lead, once, within a week:")
    print(link, flush=True)
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, date_header=False)
    )
    server.run(sockets=[listening])


def lead_link(room: Room) -> str:
    """A fresh link for the first lead; made from the machine itself, so it needs no other permission."""
    with room.database.writing() as connection:
        lead = connection.execute(
            select(people)
            .where(people.c.role == "lead", people.c.kind == "person", people.c.active.is_(True))
            .order_by(people.c.created_at)
        ).first()
        made = invite(
            connection,
            name=lead.name if lead else "Lead",
            role="lead",
            lifetime_s=room.settings.invite_s,
            person_id=lead.person_id if lead else None,
        )
        note(connection, None, "invite", "the lead", invite_id=made.invite_id, by="command line")
    return f"{room.settings.origins[0]}/#invite={made.token}"


def listen_as_usual(host: str, port: int) -> socket.socket:
    """On the port that is the same at every start; if another program has it, say so and take a free one."""
    try:
        return _bound(host, port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise _cannot_listen(host, port, error) from error
    console.print(
        f"Port {port} is taken by another program: this server takes a free one. What browsers keep for port"
        f" {port}, sign-ins and unsent answers, stays there."
    )
    return listen(host, 0)


def listen(host: str, port: int) -> socket.socket:
    """On this port; 0: any that is free.

    Raises:
        RunError: it is taken, or this user may not have it.
    """
    try:
        return _bound(host, port)
    except OSError as error:
        raise _cannot_listen(host, port, error) from error


def _cannot_listen(host: str, port: int, error: OSError) -> RunError:
    return RunError(f"Cannot listen on {host}:{port}: {error.strerror}.", "Choose another --port.")


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError:
        listening.close()
        raise
    return listening


def local_origins(port: int) -> tuple[str, ...]:
    return tuple(f"http://{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]"))
