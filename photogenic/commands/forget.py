"""`photogenic forget`: take samples out of a run for good."""

from __future__ import annotations

from typing import Annotated

import typer

from photogenic.options import RunOption, SetOption, run_folder


def forget(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="ID... RUN_OR_RECIPE", help="sample_ids, uids, keys or members; then the run."
        ),
    ],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Kept with the tombstone.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go; remove nothing.")] = False,
    run: RunOption = None,
    overrides: SetOption = None,
) -> None:
    """Take pictures out of everything in a run, for good.

    Out of pool, scores, needles, caches, reports and exports: for opt-outs and takedowns.

    Copies with the same bytes go with them. A tombstone stays (sample_id, SHA-256, when, why), and no later
    run lets them in again. There is no undo. Models that were trained on them are named: they cannot forget.

    \b
    Examples:
      photogenic forget 5f2a8c... runs/demo --reason "the photographer asked" --dry-run
      photogenic forget holidays/0017.jpg holidays/0018.jpg holidays.yaml
    """
    from photogenic.core.errors import RunError
    from photogenic.core.words import counted
    from photogenic.forget import forget as take_out

    if len(names) < 2:
        raise RunError(
            "Name at least one sample, and then the run.", "For example: photogenic forget ID runs/demo"
        )
    done = take_out(run_folder(names[-1], run, overrides), names[:-1], reason=reason, dry_run=dry_run)
    would = "would be " if dry_run else ""
    for stone in done.stones:
        uid = (
            f"uid {stone.uid[:16]}..."
            if stone.uid
            else "its bytes could not be read: a copy will not be known"
        )
        typer.echo(f"{stone.sample_id}  {uid}")
    typer.echo(f"{counted(len(done.stones), 'sample')} {would}taken out, for good; {would}changed:")
    for change in done.changes:
        typer.echo(f"  {change.path}: {change.what}")
    for model in done.models:
        typer.secho(f"  {model.path} {model.what}", fg="yellow")
    for warning in done.warnings:
        typer.secho(warning, fg="yellow", err=True)
