"""The loop on a small regression: exact resume, micro-batches, divergence, two processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parent.parent))
from test_faults import can_mount

from photogenic.core.errors import DivergedError
from photogenic.core.run import MetricsLog, seed_for
from photogenic.train.config import LoopConfig, OptimizerConfig
from photogenic.train.loop import train, trainable
from photogenic.train.post_hoc import Snapshots


class Regression:
    """Fits y = A x with noise that belongs to (sample, step)."""

    def __init__(self, on_step: Callable[[int], None] | None = None) -> None:
        generator = torch.Generator().manual_seed(0)
        torch.manual_seed(1)
        self.module = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
        self.x = torch.randn(37, 4, generator=generator)
        self.y = self.x @ torch.randn(4, 2, generator=generator)
        self.num_samples = 37
        self.groups = None
        self.on_step = on_step

    def losses(
        self, indices: np.ndarray, global_step: int, repeats: np.ndarray | None = None
    ) -> dict[str, torch.Tensor]:
        if self.on_step is not None:
            self.on_step(global_step)
        noise = torch.stack(
            [
                torch.randn(4, generator=torch.Generator().manual_seed(seed_for(i, global_step)))
                for i in indices
            ]
        )
        error = self.module(self.x[indices] + 0.01 * noise) - self.y[indices]
        return {"loss": error.square().mean()}

    def sample_names(self, indices: np.ndarray) -> list[str]:
        return [f"sample {i}" for i in indices]

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        return {"validation_loss": float((self.module(self.x) - self.y).square().mean())}


def config(max_steps: int = 40, **changes: object) -> LoopConfig:
    return LoopConfig(
        max_steps=max_steps,
        batch_size=16,
        checkpoint_every=10,
        log_every=5,
        optimizer=OptimizerConfig(learning_rate=0.01, warmup_steps=3),
    ).model_copy(update=changes)


def fit(folder: Path, objective: Regression | None = None, **changes: object) -> list[torch.Tensor]:
    objective = objective or Regression()
    train(objective, config(**changes), folder, key="k", seed=0, description="test")  # type: ignore[arg-type]
    return [parameter.detach() for parameter in objective.module.parameters()]


class Killed(Exception):
    """Stands for a kill: nothing after it runs."""


def kill_at(step: int) -> Callable[[int], None]:
    def on_step(global_step: int) -> None:
        if global_step == step:
            raise Killed

    return on_step


def test_it_learns(tmp_path: Path) -> None:
    fit(tmp_path, max_steps=300)
    rows = MetricsLog(tmp_path / "metrics.jsonl").rows()
    validation = [row["validation_loss"] for row in rows if "validation_loss" in row]
    assert validation[-1] < 0.2 * validation[0]


@pytest.mark.parametrize("step", [3, 10, 25, 39])
def test_an_interrupted_run_ends_bit_identical(tmp_path: Path, step: int) -> None:
    whole = fit(tmp_path / "whole")
    with pytest.raises(Killed):
        fit(tmp_path / "cut", Regression(kill_at(step)))
    resumed = fit(tmp_path / "cut")
    assert all(torch.equal(a, b) for a, b in zip(whole, resumed, strict=True))
    strip = [
        [
            {k: v for k, v in row.items() if k != "seconds"}
            for row in MetricsLog(path / "metrics.jsonl").rows()
        ]
        for path in (tmp_path / "whole", tmp_path / "cut")
    ]
    assert strip[0] == strip[1]


def test_a_damaged_last_checkpoint_falls_back_to_the_one_before(tmp_path: Path) -> None:
    whole = fit(tmp_path / "whole")
    with pytest.raises(Killed):
        fit(tmp_path / "cut", Regression(kill_at(35)))
    last = sorted((tmp_path / "cut" / "checkpoints").glob("*.safetensors"))[-1]
    last.write_bytes(last.read_bytes()[:1000])
    resumed = fit(tmp_path / "cut")
    assert all(torch.equal(a, b) for a, b in zip(whole, resumed, strict=True))


def test_another_configuration_starts_anew(tmp_path: Path) -> None:
    fit(tmp_path)
    seen: list[int] = []
    train(Regression(seen.append), config(max_steps=12), tmp_path, key="other", seed=0, description="test")
    assert seen[0] == 0


def test_micro_batches_change_rounding_only(tmp_path: Path) -> None:
    whole = fit(tmp_path / "whole")
    parts = fit(tmp_path / "parts", micro_batch_size=5)
    for a, b in zip(whole, parts, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_divergence_stops_with_the_step(tmp_path: Path) -> None:
    objective = Regression()

    def poison(global_step: int) -> None:
        if global_step == 21:
            objective.y[:] = float("nan")

    objective.on_step = poison
    with pytest.raises(DivergedError, match="step 22") as stopped:
        fit(tmp_path, objective)
    last_good = tmp_path / "checkpoints" / "step-0000020.safetensors"
    assert f"last good weights are in {last_good}" in stopped.value.fix
    assert "lower `optimizer.learning_rate` (now 0.01)" in stopped.value.fix
    assert [p.name for p in sorted((tmp_path / "checkpoints").iterdir())] == [
        "step-0000010.safetensors",
        "step-0000020.safetensors",
    ]
    with pytest.raises(DivergedError) as at_once:  # under another key nothing of it is good to go on from
        train(objective, config(), tmp_path, key="other", seed=0, description="test")
    assert at_once.value.fix.startswith("No checkpoint had been written yet.")


SMALL_DISK = """
import sys
sys.path[:0] = {paths!r}
from pathlib import Path
import pytest, torch
from photogenic.core.errors import StorageError
from test_loop import Regression, fit
torch.set_num_threads(1)
disk = Path({disk!r})

def fill(global_step):
    if global_step == 25:
        (disk / "ballast").write_bytes(bytes(4096))
        with (disk / "ballast").open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass

with pytest.raises(StorageError, match="The disk is full"):
    fit(disk / "run", Regression(fill))
names = sorted(path.name for path in (disk / "run" / "checkpoints").iterdir())
assert names == ["step-0000010.safetensors", "step-0000020.safetensors"], names
(disk / "ballast").unlink()
assert all(torch.equal(a, b) for a, b in zip(fit(disk / "run"), fit(disk / "whole"), strict=True))
"""


def test_the_last_good_checkpoint_survives_a_full_disk(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    if not can_mount(tmp_path / "disk"):
        pytest.skip("no file system can be mounted here")
    here = Path(__file__).parent
    script = tmp_path / "script.py"
    script.write_text(SMALL_DISK.format(paths=[str(here), str(here.parent)], disk=str(tmp_path / "disk")))
    mount = f"mount -t tmpfs -o size=200k tmpfs {tmp_path / 'disk'} && exec {sys.executable} {script}"
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


def test_two_processes_agree_with_one(tmp_path: Path) -> None:
    one = fit(tmp_path / "one")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parent)}
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
        *(str(Path(__file__).parent / "two_processes.py"), str(tmp_path / "two")),
    ]
    done = subprocess.run(command, check=False, env=environment, timeout=120, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    two = torch.load(tmp_path / "two" / "weights.pt", weights_only=True)
    for a, b in zip(one, two, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_stored_averages_of_an_interrupted_run_are_the_same_bytes(tmp_path: Path) -> None:
    def run(folder: Path, objective: Regression) -> None:
        snapshots = Snapshots(folder / "snapshots", trainable(objective.module), every=4)
        train(objective, config(), folder, key="k", seed=0, description="test", snapshots=snapshots)

    run(tmp_path / "whole", Regression())
    with pytest.raises(Killed):
        run(tmp_path / "cut", Regression(kill_at(25)))
    run(tmp_path / "cut", Regression())
    files = sorted((tmp_path / "whole" / "snapshots").iterdir())
    assert len(files) == 1 + 2 * 10  # the start, and two lengths every four steps
    for file in files:
        assert file.read_bytes() == (tmp_path / "cut" / "snapshots" / file.name).read_bytes()
