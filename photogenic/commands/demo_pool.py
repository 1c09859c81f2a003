"""`photogenic demo-pool`: draw a haystack of stickers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from photogenic.core.errors import PhotogenicError
from photogenic.options import WorkersOption, num_cores


def demo_pool(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to write; must not exist.")],
    sources: Annotated[
        str, typer.Option("--sources", metavar="A,B,...", help="Names of sources, or `all` (docs/data.md).")
    ] = "openmoji,twemoji",
    num_samples: Annotated[
        int | None,
        typer.Option(
            "--num-samples", min=1, metavar="N", help="Default: 2000 of the demo's sources, else all."
        ),
    ] = None,
    spoiled_ratio: Annotated[
        float, typer.Option("--spoiled-ratio", min=0, max=0.8, help="Share of spoiled pictures.")
    ] = 0.3,
    sizes: Annotated[
        str, typer.Option("--sizes", metavar="MIN,MAX", help="Longer side of the drawings, pixels.")
    ] = "192,320",
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Which are drawn, and how they are spoiled.")
    ] = 0,
    node_modules: Annotated[
        Path | None, typer.Option("--node-modules", metavar="DIR", help="Where npm put packages of stickers.")
    ] = None,
    max_openclipart: Annotated[
        int,
        typer.Option("--max-openclipart", min=0, metavar="N", help="Of that library, at most; 0: all of it."),
    ] = 3000,
    workers: WorkersOption = None,
) -> None:
    """Draw the demo's haystack: stickers, a share of them spoiled.

    DIR becomes an ordinary folder of pictures with metadata.jsonl. What was spoiled, and how, is written next
    to it (DIR.truth.jsonl), where no stage comes across it; only the closing story reads it.

    \b
    Examples:
      photogenic demo-pool runs/haystack
      photogenic demo-pool runs/stickers --sources all --max-openclipart 0 --node-modules node_modules
    """
    from photogenic.demo.haystack import write_haystack
    from photogenic.demo.sources import ALL_SOURCES, DEMO_SOURCES
    from photogenic.demo.tour import NUM_SAMPLES

    names = ALL_SOURCES if sources == "all" else tuple(sources.split(","))
    least, _, largest = sizes.partition(",")
    if not (least.isdecimal() and largest.isdecimal()):
        raise PhotogenicError(f"--sizes is {sizes!r}.", "Give two numbers of pixels: --sizes 192,320")
    summary = write_haystack(
        folder,
        names,
        num_samples=num_samples or (NUM_SAMPLES if set(names) <= set(DEMO_SOURCES) else None),
        spoiled_ratio=spoiled_ratio,
        seed=seed,
        node_modules=node_modules,
        sizes_px=(int(least), int(largest)),
        max_openclipart=max_openclipart or None,
        workers=workers or num_cores(),
    )
    typer.echo(f"{summary.num_samples} pictures in {folder}, {summary.spoiled_ratio:.0%} of them spoiled.")
