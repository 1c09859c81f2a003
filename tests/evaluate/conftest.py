"""A run in which two models have drawn: real PNG files, manifests, needles."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from photogenic.core.manifest import IMAGES_SCHEMA, NEEDLES_SCHEMA, sample_id_for
from photogenic.core.run import Run
from photogenic.core.shards import write_json, write_table
from photogenic.evaluate.automatic import evaluate
from photogenic.evaluate.config import EvaluateConfig

from .tiny_clip import write_tiny_clip

COLOURS = ("crimson", "orange", "gold", "seagreen", "teal", "royalblue", "purple", "hotpink")
SHAPES = ("disc", "square", "triangle", "ring", "cross")
SIZE_PX = 64


def shape(colour: str, name: str, seed: int, size_px: int = SIZE_PX) -> Image.Image:
    """A coloured shape on white; the seed moves it and changes its size."""
    rng = np.random.default_rng([seed, len(colour), SHAPES.index(name)])
    image = Image.new("RGB", (4 * size_px, 4 * size_px), "white")
    pen = ImageDraw.Draw(image)
    x, y = rng.uniform(0.38, 0.62, 2) * 4 * size_px
    r = rng.uniform(0.2, 0.34) * 4 * size_px
    box = (x - r, y - r, x + r, y + r)
    if name == "disc":
        pen.ellipse(box, fill=colour)
    elif name == "square":
        pen.rectangle(box, fill=colour)
    elif name == "triangle":
        pen.polygon([(x, y - r), (x - r, y + r), (x + r, y + r)], fill=colour)
    elif name == "ring":
        pen.ellipse(box, outline=colour, width=round(r / 3))
    else:
        pen.line((x - r, y, x + r, y), fill=colour, width=round(r / 2))
        pen.line((x, y - r, x, y + r), fill=colour, width=round(r / 2))
    return image.resize((size_px, size_px), Image.Resampling.LANCZOS)


def spoil(image: Image.Image) -> Image.Image:
    """What an untuned model might draw: blurred and washed out."""
    blurred = image.filter(ImageFilter.GaussianBlur(2.2))
    return Image.blend(blurred, Image.new("RGB", image.size, (200, 200, 200)), 0.45)


Draw = Callable[[str, str, int], Image.Image]  # colour, shape, seed


def draw_model(
    run: Run, model: str, draw: Draw, num_prompts: int = len(COLOURS) * len(SHAPES), num_seeds: int = 1
) -> None:
    """Draw colours and shapes in PNG files, and write the manifest."""
    folder, rows = run.stage("generate") / model, []
    folder.mkdir()
    prompts = [(colour, name) for name in SHAPES for colour in COLOURS][:num_prompts]
    for number, (colour, name) in enumerate(prompts):
        for seed in range(1000 * number, 1000 * number + num_seeds):
            image, file = draw(colour, name, seed), f"{colour}-{name}-{seed}.png"
            image.save(folder / file)
            rows.append(_image_row(model, colour, name, seed, file, image.size))
    write_table(folder / "manifest.parquet", pa.Table.from_pylist(rows, IMAGES_SCHEMA))


def draw_pale(colour: str, name: str, seed: int) -> Image.Image:
    """As `shape`, but blurred and washed out."""
    return spoil(shape(colour, name, seed))


def put_needles(run: Run, wanted: list[tuple[str, str, int]], beside_px: int = 0) -> None:
    """Draw needles of 96 px, with so much dark ground on both sides, and write needles.parquet."""
    folder = run.folder / "needles"
    folder.mkdir(parents=True)
    rows = []
    for colour, name, seed in wanted:
        path = folder / f"{colour}-{name}-{seed}.png"
        needle = shape(colour, name, seed, 96)
        ImageOps.expand(needle, (beside_px, 0), "darkslategrey").save(path)
        rows.append(_needle_row(path, f"a {colour} {name}"))
    write_json(run.stage("pool") / "sources.json", {"web": str(folder)})
    write_table(run.stage("review") / "needles.parquet", pa.Table.from_pylist(rows, NEEDLES_SCHEMA))


def two_models(run: Run) -> None:
    """The base draws blurred and pale shapes, the tuned model the same ones crisp; 24 needles."""
    put_needles(run, [(COLOURS[i % 8], SHAPES[i % 5], 50_000 + i) for i in range(24)])
    draw_model(run, "base", draw_pale, num_seeds=2)
    draw_model(run, "tuned", shape, num_seeds=2)


def _image_row(
    model: str, colour: str, name: str, seed: int, file: str, size: tuple[int, int]
) -> dict[str, object]:
    return {
        "image_id": f"{model}/{Path(file).stem}",
        "model": model,
        "prompt_id": f"{colour}-{name}",
        "prompt": f"a {colour} {name}",
        "category": "round" if name in ("disc", "ring") else "edged",
        "challenge": "",
        "seed": seed,
        "file": file,
        "width_px": size[0],
        "height_px": size[1],
        "guidance_scale": 4.0,
        "num_inference_steps": 20,
    }


def _needle_row(path: Path, caption: str) -> dict[str, object]:
    return {
        "sample_id": sample_id_for("web", path.name, path.stem),
        "uid": hashlib.sha256(path.read_bytes()).hexdigest(),
        "source": "web",
        "member": path.name,
        "key": path.stem,
        "offset": 0,
        "size_bytes": path.stat().st_size,
        "alt_text": "",
        "fields": "{}",
        "caption": caption,
        "caption_source": "writer",
        "decided_by": "the test",
        "score": None,
    }


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "run")


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP that knows the colours."""
    return write_tiny_clip(tmp_path_factory.mktemp("clips") / "shapes", COLOURS)


@pytest.fixture(scope="session")
def lost_clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP that takes every colour for another one."""
    return write_tiny_clip(tmp_path_factory.mktemp("clips") / "lost", COLOURS, shuffled=True)


@pytest.fixture(scope="session")
def judged(tmp_path_factory: pytest.TempPathFactory, clip_folder: Path) -> Run:
    """A run of `two_models`, evaluated with the CLIP that knows the colours; to be read, not changed."""
    run = Run(tmp_path_factory.mktemp("judged") / "run")
    two_models(run)
    evaluate(EvaluateConfig(clip=str(clip_folder), num_shown=4), run, seed=0)
    return run
