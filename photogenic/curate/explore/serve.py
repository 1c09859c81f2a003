"""Serve the page on this machine alone."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from contextlib import closing

from photogenic.core.run import Run
from photogenic.curate.config import CurateConfig
from photogenic.curate.explore.app import Desk, create_app
from photogenic.curate.explore.edit import RecipeFile
from photogenic.curate.explore.pictures import Pictures
from photogenic.curate.explore.pool import ExploredPool
from photogenic.engines.local import LocalPool


def explore(
    run: Run, config: CurateConfig, recipe: RecipeFile | None, *, port: int, ready: Callable[[str], None]
) -> None:
    """Serve until Ctrl-C. `ready` is called with the link once it can be opened; port 0 takes a free one.

    Raises:
        RunError: the run has not been curated.
    """
    import uvicorn

    pool = ExploredPool.read(run, config)
    token = secrets.token_urlsafe(24)
    with closing(LocalPool(1)) as engine, socket.create_server(("127.0.0.1", port)) as listening:
        desk = Desk(pool, config, recipe, Pictures(pool, engine, config.timeout_s))
        settings = uvicorn.Config(create_app(desk, token), log_level="error", access_log=False)
        ready(f"http://127.0.0.1:{listening.getsockname()[1]}/{token}/")
        uvicorn.Server(settings).run(sockets=[listening])
