"""Where the numbers of a training go: always to metrics.jsonl, and to the trackers that the recipe names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Protocol

from photogenic.core.errors import MissingExtraError
from photogenic.core.run import MetricsLog

MODULES = {"tensorboard": "tensorboard", "wandb": "wandb"}


class Tracker(Protocol):
    """Takes numbers as they come."""

    def write(self, global_step: int, values: dict[str, float]) -> None: ...

    def close(self) -> None: ...


class TensorBoard:
    """Event files in `folder`/tensorboard; what was written after the step of a resume is hidden by it."""

    def __init__(self, folder: Path, global_step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(str(folder / "tensorboard"), purge_step=global_step + 1)

    def write(self, global_step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, global_step)

    def close(self) -> None:
        self._writer.close()


class WeightsAndBiases:
    """A run of Weights & Biases, kept in `folder`/wandb; it leaves this machine only with an API key."""

    def __init__(self, folder: Path, key: str) -> None:
        import wandb

        mode: Literal["online", "offline"] = "online" if os.environ.get("WANDB_API_KEY") else "offline"
        self._run: Any = wandb.init(
            project="photogenic",
            id=key,
            dir=str(folder),
            resume="allow",
            mode=None if "WANDB_MODE" in os.environ else mode,  # which it reads by itself
        )

    def write(self, global_step: int, values: dict[str, float]) -> None:
        self._run.log(values, step=global_step)

    def close(self) -> None:
        self._run.finish()


class TrainingLog:
    """metrics.jsonl and the trackers as one."""

    def __init__(self, metrics: MetricsLog, trackers: Sequence[Tracker]) -> None:
        self.metrics = metrics
        self.trackers = trackers

    def write(self, global_step: int, **values: float) -> None:
        """One row everywhere."""
        self.metrics.write(global_step, **values)
        for tracker in self.trackers:
            tracker.write(global_step, values)


@contextmanager
def training_log(folder: Path, names: Sequence[str], key: str, global_step: int) -> Iterator[TrainingLog]:
    """Open what is named, and forget what was written after `global_step`.

    Raises:
        MissingExtraError: a tracker's package is not installed.
    """
    require_trackers(names)
    metrics = MetricsLog(folder / "metrics.jsonl")
    metrics.rewind(global_step)
    trackers: list[Tracker] = []
    if "tensorboard" in names:
        trackers.append(TensorBoard(folder, global_step))
    if "wandb" in names:
        trackers.append(WeightsAndBiases(folder, key))
    try:
        yield TrainingLog(metrics, trackers)
    finally:
        for tracker in trackers:
            tracker.close()


def require_trackers(names: Sequence[str]) -> None:
    """Refuse trackers that are not installed.

    Raises:
        MissingExtraError: names the first of them.
    """
    for name in names:
        if find_spec(MODULES[name]) is None:
            raise MissingExtraError("trackers", f"The tracker `{name}`")
