"""`photogenic review`: decide which candidates are needles; with `decisions: people`, in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from photogenic.core.errors import PhotogenicError
from photogenic.options import (
    BackupOption,
    DryRunOption,
    HostOption,
    OriginOption,
    RecipeArgument,
    RestoreOption,
    RunOption,
    SetOption,
    WorkersOption,
    open_road,
    port_option,
)
from photogenic.review.settled import Taken, left_by_finish

if TYPE_CHECKING:
    from photogenic.review.config import ReviewConfig
    from photogenic.road import Road

PORT = 8741  # the same at every start, so that links and what browsers keep stay good; beside the vote's


def review(
    recipe: RecipeArgument,
    run: RunOption = None,
    overrides: SetOption = None,
    dry_run: DryRunOption = False,
    workers: WorkersOption = None,
    host: HostOption = "127.0.0.1",
    port: Annotated[int | None, port_option(PORT)] = None,
    origin: OriginOption = None,
    backup: BackupOption = None,
    restore: RestoreOption = None,
    export: Annotated[
        Path | None,
        typer.Option("--export", metavar="FILE", help="Write all decisions: .jsonl, .csv or .parquet."),
    ] = None,
    bring_in: Annotated[
        Path | None,
        typer.Option(
            "--import",
            metavar="FILE",
            help="Take decisions made elsewhere into the rounds: .csv, .jsonl, .parquet.",
        ),
    ] = None,
    advance: Annotated[
        bool, typer.Option("--advance", help="Close the open round and open the next over what it kept.")
    ] = False,
    draft: Annotated[
        bool, typer.Option("--draft", help="Ask the endpoint of `review.drafting` for drafts of captions.")
    ] = False,
    finish: Annotated[bool, typer.Option("--finish", help="Write needles.parquet.")] = False,
    captions: Annotated[
        Taken | None,
        typer.Option(
            "--captions",
            help="With --finish, the captions to take. settled, the default: refuse while any is unread or"
            " unwritten; written: unread ones too; read: only those that a second reader has read."
            " Where none is taken the alternative text stands.",
        ),
    ] = None,
    learn: Annotated[
        bool, typer.Option("--learn", help="Learn a taste from the decisions so far: RUN/review/taste.json.")
    ] = False,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Make the state anew from the events; the server must not run.")
    ] = False,
) -> None:
    """Decide which candidates are needles.

    With `decisions: people` this serves the rounds and prints the lead's sign-in link.

    \b
    Examples:
      photogenic review my-pictures.yaml
      photogenic review my-pictures.yaml --host 0.0.0.0 --port 8000 --origin https://review.example.org
      photogenic review my-pictures.yaml --backup review.jsonl
      photogenic review my-pictures.yaml --import decisions.csv --advance
      photogenic review my-pictures.yaml --finish
    """
    road = open_road(recipe, run, overrides, workers)
    section = road.recipe.review
    if section is None:
        raise PhotogenicError("The recipe has no section `review`.", "Add it, or run another stage.")
    if captions and not finish:
        raise PhotogenicError("--captions says which captions --finish takes.", "Add --finish.")
    if dry_run:
        from photogenic.preflight import show_plan

        show_plan(road, ["review"])
    elif section.decisions != "people":
        road.only("review")
    elif backup or restore or export or bring_in or advance or draft or learn or rebuild or finish:
        files = {"restore": restore, "backup": backup, "import": bring_in, "export": export}
        _administer(
            road,
            section,
            files,
            advance=advance,
            draft=draft,
            learn=learn,
            rebuild=rebuild,
            finish=finish,
            captions=captions or "settled",
        )
    else:
        _serve(road, section, host, port, origin or [])


def _serve(road: Road, section: ReviewConfig, host: str, port: int | None, origins: list[str]) -> None:
    from photogenic.core.console import console
    from photogenic.review.desk import Review
    from photogenic.web.serve import serve

    review = Review(section, road.run, road.recipe.seed, _encoders(road))
    with console.status("Making the first round"):
        room = review.open_room()
        review.begin(room)
        room.database.close()
    serve(review.settings(), review.registration(), host=host, port=port, usual_port=PORT, origins=origins)


def _encoders(road: Road) -> Path | None:
    """The folder of the model to be tuned, where the recipe names one."""
    from photogenic.core.weights import weights_folder

    pretrain = road.recipe.pretrain
    return weights_folder(pretrain.weights) if pretrain is not None and pretrain.weights else None


def _administer(
    road: Road,
    section: ReviewConfig,
    files: dict[str, Path | None],
    *,
    advance: bool,
    draft: bool,
    learn: bool,
    rebuild: bool,
    finish: bool,
    captions: Taken,
) -> None:
    from photogenic.review import administration
    from photogenic.review.desk import Review

    if finish:
        road.require("review")  # before needles are written, or decisions taken in
    review = Review(section, road.run, road.recipe.seed)
    for name, path in files.items():
        if path is not None:
            typer.echo(administration.DUTIES[name](review, path))
    if advance:
        typer.echo(administration.advance(review))
    if draft:
        for sentence in administration.draft(review):
            typer.echo(sentence)
    if learn:
        typer.echo(administration.learn(review))
    if rebuild:
        typer.echo(administration.rebuild(review))
    if finish:
        administration.finish(review, captions)
        if not road.only("review") and (left := left_by_finish(road.run.folder)):
            typer.echo(f"review: {left}")  # what was done already says nothing by itself
