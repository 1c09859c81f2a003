"""`photogenic generate`: pictures from one model on demand, or from all models of a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from photogenic.core.errors import PhotogenicError
from photogenic.options import DryRunOption, RunOption, SetOption, open_road

UNSAFE_PROB = 0.5  # as the funnel's own default


def generate(
    target: Annotated[
        str,
        typer.Argument(metavar="MODEL|RECIPE", help="A model's folder, a run, a packaged name; or a recipe."),
    ],
    prompts: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PROMPT...]", help="What to draw; or a file: .txt, .tsv, .csv, .parquet."),
    ] = None,
    count: Annotated[
        int | None, typer.Option("-n", "--count", min=1, metavar="N", help="Pictures per prompt; default: 4.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", min=0, help="Of the first picture, the next has the next; default: 0."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where the pictures go; default: drawn.")
    ] = None,
    sampler: Annotated[
        str | None,
        typer.Option("--sampler", help="dpm++, euler, ddim, unipc, ... or own; default: the family's."),
    ] = None,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="Default: the family's.")] = None,
    guidance: Annotated[
        float | None, typer.Option("--guidance", min=1, help="Guidance scale; default: the family's.")
    ] = None,
    rescale: Annotated[
        float | None, typer.Option("--rescale", min=0, max=1, help="Guidance rescale; default: 0.")
    ] = None,
    interval: Annotated[
        tuple[float, float] | None,
        typer.Option("--guidance-interval", help="The part of the steps that is guided; default: 0 1."),
    ] = None,
    cache_interval: Annotated[
        int | None,
        typer.Option("--cache-interval", min=1, metavar="N", help="Deep blocks every N steps; default: 1."),
    ] = None,
    negative: Annotated[
        str | None, typer.Option("--negative", metavar="TEXT", help="What guidance leads away from.")
    ] = None,
    size: Annotated[
        int | None, typer.Option("--size", min=8, metavar="PX", help="Side; default: the model's.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option("--batch-size", min=1, help="Pictures at a time.")] = None,
    compile_: Annotated[
        str | None,
        typer.Option("--compile", metavar="blocks|whole", help="Compile the model with torch."),
    ] = None,
    device: Annotated[str | None, typer.Option("--device", help="cpu, cuda, mps; default: auto.")] = None,
    check_unsafe: Annotated[
        bool, typer.Option("--check-unsafe", help="Withhold pictures that look unsafe for work.")
    ] = False,
    run: RunOption = None,
    overrides: SetOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Draw pictures, from a model or from each model of a recipe.

    With a model: the prompts that are given. With a recipe: the same prompts and seeds from each model.

    \b
    Examples:
      photogenic generate emu-tiny "a red fox" -n 8 --seed 1
      photogenic generate runs/demo PartiPrompts.tsv -n 1 --out parti --check-unsafe
      torchrun --nproc-per-node 4 -m photogenic generate runs/demo prompts.parquet
      photogenic generate recipes/emu-tiny.yaml
    """
    settings = {
        "sampler": sampler,
        "num_inference_steps": steps,
        "guidance_scale": guidance,
        "guidance_rescale": rescale,
        "guidance_interval": interval,
        "cache_interval": cache_interval,
        "negative_prompt": negative,
        "size_px": size,
        "batch_size": batch_size,
        "compile": compile_,
        "device": device,
        "max_unsafe_prob": UNSAFE_PROB if check_unsafe else None,
    }
    given = {name: value for name, value in settings.items() if value is not None}
    if prompts:
        _refuse("a recipe", {"--run": run, "--set": overrides, "--dry-run": dry_run or None})
        _from_model(target, prompts, count or 4, seed or 0, out or Path("drawn"), given)
        return
    _refuse(
        "prompts", {"-n": count, "--seed": seed, "--out": out, **{f"({name})": given[name] for name in given}}
    )
    _from_recipe(target, run, overrides, dry_run)


def _from_model(
    model: str, words: list[str], count: int, seed: int, out: Path, settings: dict[str, Any]
) -> None:
    from photogenic.generate.on_demand import generate_from_command, prompts_or_file

    typer.echo(generate_from_command(model, prompts_or_file(words), count, seed, out, **settings))


def _from_recipe(recipe: str, run: Path | None, overrides: list[str] | None, dry_run: bool) -> None:
    from photogenic.core.weights import packaged_weights

    if Path(recipe).is_dir():
        raise PhotogenicError(
            f"{recipe} is a model or a run, and there is no prompt.",
            f'Say what to draw: photogenic generate {recipe} "a red fox"',
        )
    road = open_road(recipe, run, overrides, None)
    if recipe in packaged_weights() and not road.run.folder.exists():
        raise PhotogenicError(
            f"{recipe} is a model and a recipe; there is no prompt, and the recipe has not been run.",
            f'Say what to draw: photogenic generate {recipe} "a red fox"; or first: photogenic run {recipe}',
        )
    if "generate" not in road.recipe.stages():
        raise PhotogenicError("The recipe has no section `generate`.", "Add it, or run another stage.")
    if dry_run:
        from photogenic.preflight import show_plan

        show_plan(road, ["generate"])
    else:
        road.only("generate")


def _refuse(needed: str, options: dict[str, Any]) -> None:
    """Options that would silently mean nothing.

    Raises:
        PhotogenicError: names the first of them.
    """
    for name, value in options.items():
        if value is not None:
            raise PhotogenicError(
                f"{name} goes with {needed}, and there is none.",
                "A recipe says how it draws in its section `generate`, or by --set."
                if needed == "prompts"
                else "",
            )
