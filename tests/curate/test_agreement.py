from pathlib import Path

import numpy as np
import pytest
from evaluate.tiny_clip import write_tiny_clip
from PIL import Image

from photogenic.core.errors import MissingModelError
from photogenic.core.run import Run
from photogenic.core.shards import read_json, read_table
from photogenic.curate.config import CurateConfig
from photogenic.curate.why import why

from .funnels import run_funnel

COLOURS = ("red", "lime", "blue", "yellow", "cyan", "magenta")
WRONG = 5  # this many of the texts name another colour
NUM = 60


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_clip(tmp_path_factory.mktemp("clip") / "colours", COLOURS)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Squares of a colour on white, most with its name."""
    folder = tmp_path_factory.mktemp("squares")
    generator = np.random.default_rng(0)
    for number in range(NUM):
        colour = COLOURS[number % len(COLOURS)]
        left, top, side = (int(value) for value in generator.integers(8, 24, 3))
        picture = Image.new("RGB", (64, 64), "white")
        picture.paste(Image.new("RGB", (side + 8, side + 8), colour), (left, top))
        picture.save(folder / f"{number:02d}.png")
        said = COLOURS[(number + 1) % len(COLOURS)] if number < WRONG else colour
        (folder / f"{number:02d}.txt").write_text(said)
    return folder


def run_with(clip: Path, pool: Path, folder: Path, domain: str | None, workers: int = 1) -> Run:
    steps = {"clip_score": {"model": str(clip), "min_quantile": WRONG / NUM}}
    config = CurateConfig.model_validate({"steps": steps, "domain": domain})
    return run_funnel(pool, folder, workers, config=config)


def clip_step(run: Run) -> dict:
    return read_json(run.folder / "curate" / "counts.json")["steps"][1]


def test_wrong_texts_are_dropped(clip: Path, pool: Path, tmp_path: Path) -> None:
    run = run_with(clip, pool, tmp_path / "run", domain=None)
    verdicts = read_table(run.folder / "curate" / "verdicts.parquet")
    dropped = {row["key"] for row in verdicts.to_pylist() if row["drop_step"] == "clip_score"}
    assert dropped == {f"{number:02d}" for number in range(WRONG)}
    candidates = read_table(run.folder / "curate" / "candidates.parquet")
    assert candidates["clip_score"].null_count == 0
    (story,) = why(run, "03")
    assert "text does not fit the picture" in story.verdict


def test_a_clip_that_cannot_tell_texts_apart_is_left_out_with_a_sentence(pool: Path, tmp_path: Path) -> None:
    stranger = write_tiny_clip(tmp_path / "stranger", ("white", "black", "gray"))
    run = run_with(stranger, pool, tmp_path / "run", domain=None)
    step = clip_step(run)
    assert "The CLIP of stranger does not know what this pool shows" in step["skipped"]
    assert step["dropped"] == 0 and step["entered"] == NUM
    assert "clip_score" not in read_table(run.folder / "curate" / "candidates.parquet").column_names
    assert "does not know what this pool shows" in (run.folder / "curate" / "report.html").read_text()
    assert "left out" in {line.outcome for line in why(run, "03")[0].lines}


@pytest.mark.parametrize(("domain", "fits"), [("shapes", True), ("photographs", False)])
def test_a_stated_domain_decides_without_measuring(
    clip: Path, pool: Path, tmp_path: Path, domain: str, fits: bool
) -> None:
    run = run_with(clip, pool, tmp_path / "run", domain)
    said = "" if fits else "The CLIP of colours knows shapes; the recipe says that these are photographs."
    assert clip_step(run)["skipped"] == said
    assert not list((run.folder / "curate" / "scores").glob("clip_shuffled-*"))


def test_too_few_texts_to_tell(clip: Path, drawn: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pool"
    folder.mkdir()
    for number in range(5):
        Image.new("RGB", (64, 64), COLOURS[number]).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text(COLOURS[number])
    assert (
        "Only 5 samples have a text" in clip_step(run_with(clip, folder, tmp_path / "run", None))["skipped"]
    )


def test_a_folder_without_a_clip_is_a_sentence(pool: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingModelError, match=r"no CLIP in .*clip-image\.onnx"):
        run_with(pool, pool, tmp_path / "run", None)


def test_workers_agree(clip: Path, pool: Path, tmp_path: Path) -> None:
    one, two = (run_with(clip, pool, tmp_path / str(workers), None, workers) for workers in (1, 2))
    for name in ("verdicts.parquet", "candidates.parquet", "counts.json"):
        assert (one.folder / "curate" / name).read_bytes() == (two.folder / "curate" / name).read_bytes()
