"""A full disk and processes that are killed, through the command line."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from photogenic.core.shards import read_table

ROOT = Path(__file__).parent.parent

RECIPE = """
name: little
pool: {{sources: {{drawn: {haystack}}}}}
curate:
  steps:
    size: {{min_side_px: 64}}
    contrast: {{min: 0.1}}
"""

# A file system of its own, in a namespace of its own, that is too small and then grows.
SMALL_DISK = """
set -e
mount -t tmpfs -o size={small} tmpfs {disk}
head -c {ballast} /dev/zero > {disk}/ballast
set +e
{command} 2> {out}/first.txt
echo $? > {out}/status.txt
set -e
find {disk} > {out}/left.txt
rm {disk}/ballast
{command} 2> {out}/second.txt
cp -r {disk}/run {out}/run
"""


def can_mount(folder: Path) -> bool:
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return False
    command = [
        "unshare",
        "--user",
        "--map-root-user",
        "--mount",
        "mount",
        "-t",
        "tmpfs",
        "tmpfs",
        str(folder),
    ]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def little(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recipe, its haystack and an undisturbed run."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    from kills import draw_haystack

    folder = tmp_path_factory.mktemp("little")
    haystack = draw_haystack(folder / "haystack", 40)
    (folder / "little.yaml").write_text(RECIPE.format(haystack=haystack), encoding="utf-8")
    command = [sys.executable, "-m", "photogenic", "run", str(folder / "little.yaml"), "--run"]
    subprocess.run([*command, str(folder / "undisturbed"), "--workers", "1"], check=True, capture_output=True)
    return folder


@pytest.mark.parametrize(("workers", "free_bytes"), [(1, 12_000), (2, 60_000)])
def test_a_full_disk_says_so_leaves_no_half_file_and_the_same_command_goes_on(
    little: Path, tmp_path: Path, workers: int, free_bytes: int
) -> None:
    for name in ("disk", "out"):
        (tmp_path / name).mkdir()
    if not can_mount(tmp_path / "disk"):
        pytest.skip("no file system can be mounted here")
    command = f"{sys.executable} -m photogenic run {little / 'little.yaml'} --workers {workers} --run"
    script = SMALL_DISK.format(
        disk=tmp_path / "disk",
        out=tmp_path / "out",
        command=f"{command} {tmp_path / 'disk' / 'run'}",
        small="2m",
        ballast=2 * 2**20 - free_bytes,
    )
    subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script],
        check=True,
        capture_output=True,
    )
    said = (tmp_path / "out" / "first.txt").read_text()
    assert (tmp_path / "out" / "status.txt").read_text() == "2\n"  # the status of what the user can mend
    assert "The disk is full" in said and "Traceback" not in said, said
    left = (tmp_path / "out" / "left.txt").read_text()
    assert ".tmp" not in left
    for name in ("pool/manifest", "curate/verdicts.parquet", "curate/candidates.parquet"):
        assert read_table(tmp_path / "out/run" / name).equals(read_table(little / "undisturbed" / name))


def test_three_kills_end_with_equal_tables() -> None:
    options = ["--num-kills", "3", "--num-pictures", "40", "--workers", "2", "--seed", "1"]
    command = [sys.executable, str(ROOT / "benchmarks" / "kills.py"), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 kills so far" in done.stdout


KILLED_SAVE = """
import os, signal, sys
from pathlib import Path
from photogenic.models.folder import atomic_folder
with atomic_folder(Path(sys.argv[1])) as half:
    (half / "weights").write_bytes(bytes(1000))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_while_a_model_is_saved_does_not_stop_the_same_command(little: Path, tmp_path: Path) -> None:
    model = tmp_path / "run" / "pool" / "model"  # beside a stage's own files, as tuning and pre-training save
    killed = subprocess.run([sys.executable, "-c", KILLED_SAVE, str(model)], check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = model.parent.iterdir()
    assert left.is_dir() and not model.exists()
    command = [sys.executable, "-m", "photogenic", "pool", str(little / "little.yaml"), "--run"]
    done = subprocess.run(
        [*command, str(tmp_path / "run")], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
