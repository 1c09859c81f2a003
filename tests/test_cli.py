"""The commands, as a person types them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from photogenic.recipe import STAGES, load_recipe

COMMANDS = (
    *STAGES,
    "run",
    "verdict",
    "studio",
    "why",
    "status",
    "export",
    "init",
    "demo",
    "demo-pool",
)
PLAIN = {**os.environ, "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "200"}


def photogenic(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "photogenic", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=PLAIN, timeout=120)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "it's: my #photos"
    folder.mkdir()
    for index in range(3):
        Image.effect_noise((90, 80 + 2 * index), 80).convert("RGB").save(folder / f"{index}.jpg")
    return folder


@pytest.fixture
def recipe(tmp_path: Path, photos: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(
        f'name: mine\npool: {{sources: {{mine: "{photos}"}}}}\n'
        "curate: {steps: {size: {min_side_px: 82}}}\n",
        encoding="utf-8",
    )
    return path


def test_help_imports_nothing_heavy() -> None:
    """What makes `--help` quick, without a clock: on a loaded machine every duration is possible."""
    program = (
        "import sys; sys.argv = ['photogenic', '--help']\n"
        "from photogenic.cli import app\n"
        "app(standalone_mode=False)\n"
        "print('imported:', *sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    imported = set(done.stdout.rpartition("imported:")[2].split())
    assert "typer" in imported
    assert not imported & {
        "pydantic",
        "yaml",
        "numpy",
        "pyarrow",
        "rich",
        "jinja2",
        "torch",
        "cv2",
        "onnxruntime",
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_an_example(command: str) -> None:
    shown = photogenic(command, "--help")
    assert shown.returncode == 0
    [_, examples] = re.split(r"^ *Examples?:", shown.stdout, maxsplit=1, flags=re.MULTILINE)
    assert f"photogenic {command} " in examples


def test_the_overview_names_every_command() -> None:
    overview = photogenic("--help").stdout
    assert all(f"\n  {command} " in overview for command in COMMANDS)


def test_the_overview_cuts_no_sentence_off() -> None:
    narrow = {**PLAIN, "COLUMNS": "80"}
    command = [sys.executable, "-m", "photogenic", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, env=narrow, check=True).stdout
    commands = shown.partition("Commands:")[2].strip().splitlines()
    assert len(commands) >= len(COMMANDS)
    assert not [line for line in commands if line.endswith("...")]


def test_a_mistake_is_a_sentence(recipe: Path) -> None:
    done = photogenic("run", str(recipe), "--set", "curate.steps.size.min_sid_px=3", cwd=recipe.parent)
    assert done.returncode == 2
    assert "did you mean `min_side_px`?" in done.stderr
    assert "Traceback" not in done.stderr


def test_run_status_and_why(recipe: Path) -> None:
    done = photogenic("run", "mine.yaml", "--workers", "1", cwd=recipe.parent)
    assert done.returncode == 0, done.stderr
    assert "runs/mine/report.html" in done.stdout.replace("\n", "")
    assert "pool: 3 pictures" in done.stderr and "curate: 2 of 3 are candidates" in done.stderr
    assert "photogenic export" not in done.stdout, "nothing was chosen"
    status = photogenic("status", "runs/mine", cwd=recipe.parent)
    rows = [line.split() for line in status.stdout.splitlines()]
    assert any(row[:2] == ["curate", "done"] for row in rows)
    assert ["size", "3", "1", "0", "2"] in rows
    assert photogenic("status", "mine.yaml", cwd=recipe.parent).stdout == status.stdout
    why = photogenic("why", "mine.yaml", "0.jpg", cwd=recipe.parent)
    assert "dropped at the step size" in why.stdout
    again = photogenic("run", "mine.yaml", cwd=recipe.parent)
    assert "Everything is done." in again.stdout and "curate: done" in again.stderr


def test_a_walk_that_chose_says_what_is_to_be_had(recipe: Path) -> None:
    chosen = ("--set", "review.num_needles=1")
    done = photogenic("run", "mine.yaml", "--workers", "1", *chosen, cwd=recipe.parent)
    assert done.returncode == 0 and "review: 1 needle\n" in done.stderr
    (command,) = re.findall(r"photogenic (export .*)", done.stdout)
    exported = photogenic(*command.split(), cwd=recipe.parent)
    assert exported.returncode == 0 and (recipe.parent / "best" / "metadata.jsonl").exists(), exported.stderr


def test_a_recipe_without_a_section_is_told_and_makes_no_folder(recipe: Path) -> None:
    recipe.write_text("name: mine\npool:\n", encoding="utf-8")
    done = photogenic("run", "mine.yaml", cwd=recipe.parent)
    assert done.returncode == 2 and "no section" in done.stderr
    assert not (recipe.parent / "runs").exists()


def test_why_of_an_unknown_picture(recipe: Path) -> None:
    photogenic("run", "mine.yaml", "--workers", "1", cwd=recipe.parent)
    done = photogenic("why", "mine.yaml", "no-such-picture", cwd=recipe.parent)
    assert done.returncode == 2 and "no sample" in done.stderr and "Traceback" not in done.stderr


def test_a_dry_run_shows_the_plan_and_writes_nothing(recipe: Path) -> None:
    before = sorted(recipe.parent.rglob("*"))
    done = photogenic("run", "mine.yaml", "--dry-run", cwd=recipe.parent)
    assert done.returncode == 0, done.stderr
    for word in ("min_side_px: 82", "not begun, will be run", "disk", "memory"):
        assert word in done.stdout
    assert sorted(recipe.parent.rglob("*")) == before


def test_a_dry_run_finds_what_is_missing(recipe: Path) -> None:
    done = photogenic("run", "mine.yaml", "--dry-run", "--set", "pool.sources.mine=absent", cwd=recipe.parent)
    assert done.returncode == 2
    assert "absent is no folder" in done.stdout and "pool source mine" in done.stderr
    assert f"- pool source mine: {recipe.parent / 'absent'} is no folder" in done.stderr, (
        "whole, below the table"
    )


def test_a_run_folder_that_cannot_be_made(recipe: Path) -> None:
    done = photogenic("run", "mine.yaml", "--run", "mine.yaml/run", cwd=recipe.parent)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr and "Not a directory" in done.stderr
    assert "A folder is wanted there" in done.stderr


def test_a_stage_without_its_section(recipe: Path) -> None:
    done = photogenic("tune", "mine.yaml", cwd=recipe.parent)
    assert done.returncode == 2 and "no section `tune`" in done.stderr


def test_init_writes_a_recipe_that_loads(photos: Path) -> None:
    done = photogenic("init", photos.name, cwd=photos.parent)
    assert done.returncode == 0, done.stderr
    assert "it-s-my-photos.yaml" in done.stdout
    plan = photogenic("pool", "it-s-my-photos.yaml", "--dry-run", cwd=photos.parent)
    assert plan.returncode == 0, plan.stdout + plan.stderr
    assert "with 3 files" in plan.stdout
    again = photogenic("init", photos.name, cwd=photos.parent)
    assert again.returncode == 2 and "is there already" in again.stderr


def test_init_without_tuning_ends_with_the_choice(photos: Path) -> None:
    done = photogenic("init", photos.name, "--no-tuning", "--out", "best.yaml", cwd=photos.parent)
    assert done.returncode == 0, done.stderr
    recipe = load_recipe(photos.parent / "best.yaml")
    assert recipe.stages() == ["pool", "curate", "review"]
    text = (photos.parent / "best.yaml").read_text(encoding="utf-8")
    assert text.startswith("# From a folder of your own pictures to the best of them. `photogenic init")
    assert "emu-tiny" not in text and text.endswith("num_needles: 200\n")


def test_init_counts_what_is_read_and_names_what_is_not(photos: Path) -> None:
    for name in ("a.HEIC", "b.CR3", "c.nef", "._3.jpg", "notes.txt"):
        (photos / name).write_bytes(b"x")
    done = photogenic("init", photos.name, "--out", "Süd Tirol.yaml", cwd=photos.parent)
    assert "for 3 pictures" in done.stdout
    assert "1 HEIC file and 2 camera raw files there are not read: export them as JPEG" in done.stderr
    assert "name: sud-tirol\n" in (photos.parent / "Süd Tirol.yaml").read_text(encoding="utf-8")


def test_init_among_the_pictures_says_that_no_run_may_lie_there(photos: Path) -> None:
    assert "run it elsewhere" in photogenic("init", ".", cwd=photos).stderr
    assert "run it elsewhere" not in photogenic("init", photos.name, cwd=photos.parent).stderr


def test_init_of_heic_alone_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "one.heic").write_bytes(b"x")
    done = photogenic("init", str(tmp_path), cwd=tmp_path)
    assert done.returncode == 2 and "1 HEIC file there is not read: export it as JPEG" in done.stderr


def test_init_of_no_pictures(tmp_path: Path) -> None:
    done = photogenic("init", str(tmp_path))
    assert done.returncode == 2 and "no picture" in done.stderr
    assert "no folder" in photogenic("init", str(tmp_path / "absent")).stderr


def test_stopping_says_how_to_go_on(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "photogenic",
        "demo-pool",
        "hay",
        "--num-samples",
        "2000",
        "--workers",
        "1",
    ]
    # Tests that a shell runs in the background ignore Ctrl+C, and what they start would too.
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=PLAIN, preexec_fn=heard
    )
    while not (tmp_path / ".hay.partial").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=180)
    assert process.returncode == 130
    assert "the same command goes on" in said and "demo-pool hay --num-samples 2000" in said
    assert "Traceback" not in said


def test_the_base_install_never_imports_torch() -> None:
    rooms = "core.config core.run web.page curate.funnel review.rounds recipe road story preflight status cli"
    script = "import sys; " + "; ".join(f"import photogenic.{room}" for room in rooms.split())
    script += "; print(sorted({'torch', 'diffusers', 'transformers'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
