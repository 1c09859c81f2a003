"""`photogenic studio`: type a prompt and see models draw it, side by side."""

from __future__ import annotations

from typing import Annotated

import typer

from photogenic.options import HostOption, OriginOption


def studio(
    models: Annotated[
        list[str],
        typer.Argument(metavar="MODEL...", help="Models side by side: folders, runs, packaged names."),
    ],
    host: HostOption = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any that is free.")] = 0,
    origin: OriginOption = None,
    device: Annotated[str, typer.Option("--device", help="cpu, cuda, mps or auto.")] = "auto",
    check_unsafe: Annotated[
        bool, typer.Option("--check-unsafe/--no-check-unsafe", help="Withhold pictures that look unsafe.")
    ] = True,
) -> None:
    """Serve a page where models draw a prompt side by side.

    From the same seed, and as the pictures form.

    \b
    Examples:
      photogenic studio emu-tiny
      photogenic studio emu-tiny runs/demo
    """
    from photogenic.generate.studio.serve import serve_studio

    serve_studio(models, host, port, origin or [], device, 0.5 if check_unsafe else None)
