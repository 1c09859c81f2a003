"""Commands beside the road: pictures on demand, votes, exports, haystacks; cli.py gives them names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from photogenic.core.words import counted
from photogenic.options import (
    RunOption,
    RunOrRecipeArgument,
    SetOption,
    run_folder,
)

ERROR_EXIT = 2


def verdict(
    votes: Annotated[Path, typer.Argument(metavar="VOTES", help="Votes as .jsonl, .csv or .parquet.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the report goes.")] = Path(
        "verdict"
    ),
    base: Annotated[
        str | None,
        typer.Option("--base", metavar="MODEL", help="Hold the others against this one; default: base."),
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option("--pictures", metavar="DIR", help="RUN/generate: show the clearest pairs."),
    ] = None,
    appeal_raters: Annotated[
        int | None,
        typer.Option(
            "--appeal-raters",
            min=1,
            metavar="N",
            help="Raters that a pair was to have; default: what is usual.",
        ),
    ] = None,
    faithfulness_raters: Annotated[
        int | None,
        typer.Option("--faithfulness-raters", min=1, metavar="N", help="The same for text faithfulness."),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option("--export", metavar="FILE", help="Also write the votes as .jsonl, .csv or .parquet."),
    ] = None,
) -> None:
    """Count raters' votes: who was preferred, and how surely.

    And how far raters agree.

    \b
    Example:
      photogenic verdict votes.jsonl --out verdict
    """
    from photogenic.evaluate.poll import leanings_of, pictures_of
    from photogenic.evaluate.sentences import in_a_sentence
    from photogenic.evaluate.verdict import judge
    from photogenic.evaluate.verdict_report import write_verdict
    from photogenic.evaluate.votes import read_votes, write_votes

    cast = read_votes(votes)
    told = {"visual_appeal": appeal_raters, "text_faithfulness": faithfulness_raters}
    planned = {question: number for question, number in told.items() if number is not None}
    findings = judge(cast, base=base, planned=planned)
    shown = None if pictures is None else pictures_of(pictures)
    went_by = [] if pictures is None else leanings_of(pictures.resolve().parent, findings)
    page = write_verdict(out, findings, shown, went_by)
    if export is not None:
        write_votes(export, cast)
    for panel in findings.panels:
        for contest in panel.contests:
            typer.echo(in_a_sentence(panel, contest))
    typer.echo(f"The whole verdict: {page}")


def export(
    recipe: RunOrRecipeArgument,
    to: Annotated[str, typer.Option("--to", metavar="FORM", help="webdataset, folder, parquet or ids.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where it goes; outside the pool.")],
    what: Annotated[str, typer.Option("--what", metavar="TABLE", help="needles or candidates.")] = "needles",
    run: RunOption = None,
    overrides: SetOption = None,
) -> None:
    """Write needles or candidates as files for other programs.

    The original bytes, with captions and scores beside them.

    The same command again goes on where it was stopped, and tries again what could not be read.

    \b
    Examples:
      photogenic export pictures.yaml --to folder --out best      the chosen pictures, bytes as they were
      photogenic export runs/demo --to webdataset --out needles
    """
    from photogenic.export import export as write

    done = write(run_folder(recipe, run, overrides), what, to, out)
    typer.echo(f"{counted(done.num_samples, what.removesuffix('s'))} in {out}.")
    if done.unreadable:
        typer.secho(
            f"{len(done.unreadable)} could not be read: {out / 'unreadable.jsonl'}", fg="red", err=True
        )
        raise typer.Exit(ERROR_EXIT)
