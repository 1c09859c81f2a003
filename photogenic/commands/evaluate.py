"""`photogenic evaluate`: measures, and what raters say; of a recipe's models or of folders made elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from photogenic.core.errors import PhotogenicError
from photogenic.core.names import RESOLVED
from photogenic.core.words import counted
from photogenic.options import (
    BackupOption,
    DryRunOption,
    HostOption,
    OriginOption,
    RestoreOption,
    RunOption,
    SetOption,
    open_run_or_recipe,
    port_option,
)

if TYPE_CHECKING:
    from photogenic.evaluate.poll import Poll

PER_SHEET = 12
PORT = 8742  # the same at every start, so that links and what browsers keep stay good; beside the review's


def evaluate(
    target: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RECIPE | RUN | FOLDER FOLDER...", help="A recipe, its run, or folders of pictures."
        ),
    ] = None,
    prompts: Annotated[
        Path | None, typer.Option("--prompts", metavar="FILE", help="What the folders' pictures show.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Of folders: the run folder; default: judged.")
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
    ballots: Annotated[
        Path | None,
        typer.Option(
            "--ballots", metavar="DIR", help="Serve nothing: write blind pairs for raters elsewhere."
        ),
    ] = None,
    rater: Annotated[
        list[str] | None,
        typer.Option("--rater", metavar="NAME", help="With --ballots: who gets them. Repeatable."),
    ] = None,
    rater_kind: Annotated[
        str, typer.Option("--rater-kind", metavar="KIND", help="With --ballots: person or model.")
    ] = "person",
    per_sheet: Annotated[
        int, typer.Option("--per-sheet", min=1, max=60, help="With --ballots: pairs on a contact sheet.")
    ] = PER_SHEET,
    answers: Annotated[
        Path | None,
        typer.Option(
            "--answers", metavar="DIR", help="Read filled ballots; write the votes and the verdict."
        ),
    ] = None,
    backup: BackupOption = None,
    restore: RestoreOption = None,
    host: HostOption = "127.0.0.1",
    port: Annotated[int | None, port_option(PORT)] = None,
    origin: OriginOption = None,
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
    """Hold models against each other, by measures or blind votes.

    Measures what they drew, model against model; with `judges: people` also serves a page to vote on.

    \b
    Examples:
      photogenic evaluate recipes/emu-tiny.yaml
      photogenic evaluate mine.yaml --set evaluate.judges=people
      photogenic evaluate pictures/ours pictures/theirs --prompts PartiPrompts.tsv
      photogenic evaluate judged --finish
      photogenic evaluate mine.yaml --ballots ballots --rater ann --rater bo
      photogenic evaluate mine.yaml --answers ballots
      photogenic evaluate mine.yaml --backup votes.jsonl
      photogenic evaluate --plan 0.6 --tie-ratio 0.3
    """
    if plan is not None:
        from photogenic.evaluate.plan import plan as tell

        typer.echo(tell(plan, tie_ratio=tie_ratio, power=power, alpha=alpha))
        return
    names = target or []
    if not names:
        raise PhotogenicError("Nothing is named.", "Give a recipe, or two folders of pictures.")
    vote = vote or any((ballots, answers, backup, restore))
    elsewhere = finish or any((ballots, answers, backup, restore))
    if len(names) == 1:
        poll = _of_one(names[0], run, overrides, dry_run, elsewhere)
    else:
        poll = _of_folders(
            [Path(name) for name in names], prompts, out or Path("judged"), clip, vote, overrides
        )
    if poll is None:
        return
    if restore is not None or backup is not None:
        for duty, file in ((poll.restore, restore), (poll.backup, backup)):
            if file is not None:
                typer.echo(duty(file))
        return
    if ballots is not None:
        _hand_out(poll, ballots, rater or [], rater_kind, per_sheet)
        return
    if answers is not None:
        returned = poll.take_in(answers)
        typer.echo(
            f"{counted(len(returned.votes), 'answer')}, {counted(returned.num_blank, 'ballot')} without one."
        )
    elif not finish:
        _serve(poll, host, port, origin or [])
    _conclude(poll)


def _of_one(
    name: str, run: Path | None, overrides: list[str] | None, dry_run: bool, elsewhere: bool
) -> Poll | None:
    """The poll of a recipe, of its run folder, or of the run folder that folders were made into."""
    from photogenic.evaluate.judged import SAID, read_said
    from photogenic.evaluate.poll import Poll

    folder = Path(name)
    if (folder / SAID).is_file():
        from photogenic.core.run import Run

        return Poll(read_said(folder, overrides or []), Run(folder), 0)
    road = open_run_or_recipe(name, run, overrides)
    section = road.recipe.evaluate
    if section is None:
        raise PhotogenicError("The recipe has no section `evaluate`.", "Add it, or run another stage.")
    if dry_run:
        from photogenic.preflight import show_plan

        show_plan(road, ["evaluate"])
        return None
    road.only("evaluate")
    asks = section.judges == "people" or elsewhere
    return Poll(section, road.run, road.recipe.seed) if asks else None


def _of_folders(
    folders: list[Path],
    prompts: Path | None,
    out: Path,
    clip: str | None,
    vote: bool,
    overrides: list[str] | None,
) -> Poll | None:
    from photogenic.core.prompts import read_prompts
    from photogenic.core.run import Run
    from photogenic.evaluate.automatic import evaluate as measure
    from photogenic.evaluate.config import EvaluateConfig
    from photogenic.evaluate.folders import PromptRow, import_folders
    from photogenic.evaluate.judged import say
    from photogenic.evaluate.poll import Poll

    named = {folder.resolve().name: folder for folder in folders}
    if len(named) < len(folders):
        raise PhotogenicError("Two folders have one name.", "Rename one: the name stands for the model.")
    rows = [] if prompts is None else read_prompts(prompts)
    run = Run(out)
    config = say(out, EvaluateConfig(clip=clip, base=next(iter(named)), judges="people"), overrides or [])
    import_folders(
        run, named, [PromptRow(row.prompt_id, row.text, row.category, row.challenge) for row in rows]
    )
    measure(config, run, seed=0)
    typer.echo(f"Measures: {run.folder / 'evaluate' / 'report.html'}")
    return Poll(config, run, 0) if vote else None


def _hand_out(poll: Poll, folder: Path, names: list[str], kind: str, per_sheet: int) -> None:
    from photogenic.evaluate.ballots import KEY, Rater
    from photogenic.evaluate.votes import RATER_KINDS

    if kind not in RATER_KINDS:
        raise PhotogenicError(f"`--rater-kind` is {kind!r}.", f"Use {' or '.join(RATER_KINDS)}.")
    count = poll.hand_out(folder, [Rater(name, kind) for name in names], per_sheet=per_sheet)
    typer.echo(f"{counted(count, 'ballot')} for {counted(len(names), 'rater')}: {folder}")
    typer.echo(f"What tells the models apart stays here: {poll.folder / KEY}")


def _serve(poll: Poll, host: str, port: int | None, origins: list[str]) -> None:
    from photogenic.core.console import console
    from photogenic.web.serve import serve

    with console.status("Making the pairs"):
        room = poll.open_room()
        try:
            poll.begin(room)
        finally:
            room.database.close()
    serve(poll.settings(), poll.registration(), host=host, port=port, usual_port=PORT, origins=origins)


def _conclude(poll: Poll) -> None:
    from photogenic.evaluate.sentences import in_a_sentence

    room = poll.open_room()
    try:
        votes, findings = poll.conclude(room)
    finally:
        room.database.close()
    typer.echo(f"{counted(len(votes), 'vote')}: {poll.folder / 'votes.jsonl'}")
    if findings is None:
        return
    for panel in findings.panels:
        for contest in panel.contests:
            typer.echo(in_a_sentence(panel, contest))
    _tell_again(poll)
    typer.echo(f"The verdict: {poll.page}")


def _tell_again(poll: Poll) -> None:
    """The story, where it has been told, with what the votes say now."""
    resolved = poll.run.folder / RESOLVED
    if resolved.is_file() and (poll.run.folder / "report.html").is_file():
        from photogenic.recipe import load_recipe
        from photogenic.story import write

        write(load_recipe(resolved), poll.run)
