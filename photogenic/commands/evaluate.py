"""`photogenic evaluate`: measures, and what people say; of a recipe's models or of folders made elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from photogenic.core.errors import PhotogenicError
from photogenic.options import DryRunOption, RunOption, SetOption, open_road

if TYPE_CHECKING:
    from photogenic.evaluate.poll import Poll


def evaluate(
    target: Annotated[
        list[str] | None,
        typer.Argument(metavar="RECIPE | FOLDER FOLDER...", help="A recipe, or folders of pictures."),
    ] = None,
    prompts: Annotated[
        Path | None, typer.Option("--prompts", metavar="FILE", help="What the folders' pictures show.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Of folders: where all goes; default: judged.")
    ] = None,
    clip: Annotated[
        str | None, typer.Option("--clip", help="Of folders: the CLIP for the measures; default: none.")
    ] = None,
    vote: Annotated[
        bool, typer.Option("--vote/--no-vote", help="Of folders: serve the voting page after measuring.")
    ] = True,
    finish: Annotated[
        bool, typer.Option("--finish", help="Serve nothing: write the votes there are, and the verdict.")
    ] = False,
    host: Annotated[str, typer.Option("--host", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any that is free.")] = 0,
    origin: Annotated[
        list[str] | None,
        typer.Option("--origin", metavar="URL", help="The address that others use. Repeatable."),
    ] = None,
    plan: Annotated[
        float | None,
        typer.Option("--plan", metavar="P", help="Say how many prompts and votes a win rate of P needs."),
    ] = None,
    tie_ratio: Annotated[
        float, typer.Option("--tie-ratio", metavar="P", help="With --plan: share of prompts that tie.")
    ] = 0.0,
    power: Annotated[
        float, typer.Option("--power", metavar="P", help="With --plan: chance to see it.")
    ] = 0.8,
    alpha: Annotated[
        float, typer.Option("--alpha", metavar="P", help="With --plan: chance to see what is not there.")
    ] = 0.05,
    run: RunOption = None,
    overrides: SetOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Measure the drawn pictures, model against model; with `judges: people` also serve a page to vote on.

    \b
    Examples:
      photogenic evaluate recipes/emu-tiny.yaml
      photogenic evaluate mine.yaml --set evaluate.judges=people
      photogenic evaluate pictures/ours pictures/theirs --prompts PartiPrompts.tsv
      photogenic evaluate --plan 0.6 --tie-ratio 0.3
    """
    if plan is not None:
        from photogenic.evaluate.plan import plan as tell

        typer.echo(tell(plan, tie_ratio=tie_ratio, power=power, alpha=alpha))
        return
    names = target or []
    if not names:
        raise PhotogenicError("Nothing is named.", "Give a recipe, or two folders of pictures.")
    if len(names) == 1:
        poll = _of_recipe(names[0], run, overrides, dry_run)
    else:
        poll = _of_folders([Path(name) for name in names], prompts, out or Path("judged"), clip, vote)
    if poll is not None:
        _ask(poll, finish, host, port, origin or [])


def _of_recipe(recipe: str, run: Path | None, overrides: list[str] | None, dry_run: bool) -> Poll | None:
    road = open_road(recipe, run, overrides, None)
    section = road.recipe.evaluate
    if section is None:
        raise PhotogenicError("The recipe has no section `evaluate`.", "Add it, or run another stage.")
    if dry_run:
        from photogenic.preflight import show_plan

        show_plan(road, ["evaluate"])
        return None
    road.only("evaluate")
    if section.judges != "people":
        return None
    from photogenic.evaluate.poll import Poll

    return Poll(section, road.run, road.recipe.seed)


def _of_folders(
    folders: list[Path], prompts: Path | None, out: Path, clip: str | None, vote: bool
) -> Poll | None:
    from photogenic.core.prompts import read_prompts
    from photogenic.core.run import Run
    from photogenic.evaluate.automatic import evaluate as measure
    from photogenic.evaluate.config import EvaluateConfig
    from photogenic.evaluate.folders import PromptRow, import_folders
    from photogenic.evaluate.poll import Poll

    named = {folder.resolve().name: folder for folder in folders}
    if len(named) < len(folders):
        raise PhotogenicError("Two folders have one name.", "Rename one: the name stands for the model.")
    rows = [] if prompts is None else read_prompts(prompts)
    run = Run(out)
    import_folders(
        run, named, [PromptRow(row.prompt_id, row.text, row.category, row.challenge) for row in rows]
    )
    config = EvaluateConfig(clip=clip, base=next(iter(named)), judges="people" if vote else "measures")
    measure(config, run, seed=0)
    typer.echo(f"Measures: {run.folder / 'evaluate' / 'report.html'}")
    return Poll(config, run, 0) if vote else None


def _ask(poll: Poll, finish: bool, host: str, port: int, origins: list[str]) -> None:
    from photogenic.core.console import console
    from photogenic.web.serve import serve

    if not finish:
        with console.status("Making the pairs"):
            room = poll.open_room()
            try:
                poll.begin(room)
            finally:
                room.database.close()
        serve(poll.settings(), poll.registration(), host=host, port=port, origins=origins)
    room = poll.open_room()
    try:
        votes, page = poll.conclude(room)
    finally:
        room.database.close()
    typer.echo(f"{len(votes)} votes: {poll.folder / 'votes.jsonl'}")
    if page is not None:
        typer.echo(f"The verdict: {page}")
