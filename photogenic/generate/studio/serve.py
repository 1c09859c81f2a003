"""Run the studio until it is stopped."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from photogenic.core.console import console
from photogenic.core.errors import RunError
from photogenic.generate.studio.app import create_studio
from photogenic.generate.studio.easel import Easel
from photogenic.web.serve import LOOPBACK, listen, local_origins
from photogenic.web.settings import Settings

MAX_BODY_BYTES = 2**16


def serve_studio(
    models: Sequence[str],
    host: str,
    port: int,
    origins: Sequence[str],
    device: str,
    max_unsafe_prob: float | None,
) -> None:
    """Load the models and serve.

    Raises:
        RunError: the port is taken, or others could reach the server but it was not told its address.
        MissingModelError: there is no such model.
    """
    import uvicorn

    if host not in LOOPBACK and not origins:
        raise RunError(
            f"On {host} others can reach this page, and draw: it has no sign-in.",
            "If that is wanted, say by which address they come: --origin http://NAME:PORT",
        )
    listening = listen(host, port)
    with console.status("Loading the models"):
        easel = Easel(models, device, max_unsafe_prob)
    settings = Settings(
        database_url="",
        folder=Path(tempfile.gettempdir()),
        origins=tuple(origins) or local_origins(listening.getsockname()[1]),
        max_body_bytes=MAX_BODY_BYTES,
    )
    console.print("Ctrl-C stops the studio.")
    print(settings.origins[0], flush=True)
    config = uvicorn.Config(
        create_studio(easel, settings),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    uvicorn.Server(config).run(sockets=[listening])
