"""Metrics reach the trackers that are named; a resume hides what was written after its step."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from photogenic.core.errors import MissingExtraError
from photogenic.core.run import MetricsLog
from photogenic.train.trackers import MODULES, require_trackers, training_log


def test_tensorboard_shows_what_metrics_jsonl_says(tmp_path: Path) -> None:
    with training_log(tmp_path, ["tensorboard"], "key", 0) as log:
        for step in range(1, 6):
            log.write(step, loss=1.0 / step)
    with training_log(tmp_path, ["tensorboard"], "key", 3) as log:  # a kill after step 5, a checkpoint at 3
        log.write(4, loss=0.5)
    rows = MetricsLog(tmp_path / "metrics.jsonl").rows()
    assert [(row["global_step"], row["loss"]) for row in rows][2:] == [(3, 1 / 3), (4, 0.5)]
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    shown = {event.step: event.value for event in events.Scalars("loss")}
    assert shown == pytest.approx({1: 1.0, 2: 0.5, 3: 1 / 3, 4: 0.5})


def test_without_trackers_only_metrics_are_written(tmp_path: Path) -> None:
    with training_log(tmp_path, [], "key", 0) as log:
        log.write(1, loss=1.0)
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_a_tracker_that_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODULES, "wandb", "no_such_package")
    with pytest.raises(MissingExtraError, match=r"`wandb` needs the extra \[trackers\]"):
        require_trackers(["wandb"])


@pytest.mark.skipif(find_spec("wandb") is None, reason="wandb is not installed")
def test_weights_and_biases_keeps_an_offline_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    with training_log(tmp_path, ["wandb"], "key", 0) as log:
        log.write(1, loss=1.0)
    assert list((tmp_path / "wandb").glob("offline-run-*/run-key.wandb"))
