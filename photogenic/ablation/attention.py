"""Automatic needles: pictures ranked by what a pre-trained model attends to (Alchemist, arXiv 2505.19297).

Every picture is shown to the base model once, slightly noisy, with a prompt that names good and bad quality.
How strongly it attends to each word in each layer is a signal. Which signals tell quality is learnt from the
two ends of a measured column: no person is asked, and the needles are not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from photogenic.ablation.choose import Haystack
from photogenic.ablation.config import Attention
from photogenic.ablation.seeing import SIGNALS_VERSION, signals_of
from photogenic.core.errors import RunError
from photogenic.core.ranking import auc
from photogenic.core.shards import fingerprint, read_json, read_table, write_json, write_table
from photogenic.core.weights import folder_fingerprint

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Listener:
    """A score: the mean of a few signals, each in units of its spread and turned so that more is better."""

    signals: tuple[int, ...]  # which of the S
    signs: tuple[float, ...]
    centres: tuple[float, ...]
    spreads: tuple[float, ...]

    def score(self, signals: Floats) -> Floats:
        """[N, S] => [N]."""
        chosen = signals[:, list(self.signals)]
        scores: Floats = np.mean((chosen - self.centres) / self.spreads * self.signs, axis=1)
        return scores


def listen(high: Floats, low: Floats, num_signals: int) -> Listener:
    """The signals that tell `high` [H, S] from `low` [L, S] best, by the area under the curve of each.

    A signal that is the same everywhere, as that of a word that is padding, is never chosen.

    Raises:
        RunError: none tells them apart.
    """
    both = np.concatenate([high, low])
    is_high = np.arange(len(both)) < len(high)
    told = np.array([auc(column, is_high).value - 0.5 for column in both.T])
    best = [int(i) for i in np.argsort(-np.abs(told), kind="stable")[:num_signals] if told[i] != 0.0]
    if not best:
        raise RunError(
            "No word of `attention.prompt` is attended to differently in good and in bad pictures.",
            "Give it other words, or raise `attention.num_calibration`.",
        )
    return Listener(
        tuple(best),
        tuple(float(np.sign(told[i])) for i in best),
        tuple(float(both[:, i].mean()) for i in best),
        tuple(float(both[:, i].std()) for i in best),
    )


def attention_scores(config: Attention, haystack: Haystack, base: Path, folder: Path) -> dict[str, float]:
    """sample_id -> score, of the candidates, both ends of `by`, and a random sample of the haystack.

    Writes folder/scores.parquet, then folder/listener.json; signals are kept in folder/signals.

    Raises:
        RunError: nothing was measured, or no signal tells good from bad.
    """
    in_order = haystack.worst_first()
    num = min(config.num_calibration, len(in_order) // 4)
    if not num:
        raise RunError(
            f"{len(in_order)} pictures with `{haystack.by}` have no two ends to learn from.", "Measure more."
        )
    low, high = in_order[:num], in_order[len(in_order) - num :]
    sampled = haystack.shuffled("ranked")[: config.num_sampled]
    ids = sorted({*haystack.candidates, *low, *high, *sampled} & haystack.usable)
    model = folder_fingerprint(base)
    key = fingerprint("attention", SIGNALS_VERSION, config, model, haystack.seed, low, high, ids)
    told, table = folder / "listener.json", folder / "scores.parquet"
    if not (told.exists() and table.exists() and read_json(told)["key"] == key):
        signals = signals_of(config, haystack.run, base, folder / "signals", ids, haystack.seed)
        matrix = np.array([one.ravel() for one in signals.values()], np.float64)
        rows = {sample_id: row for row, sample_id in enumerate(signals)}
        listener = listen(_of(high, rows, matrix), _of(low, rows, matrix), config.num_signals)
        scores = listener.score(matrix)
        told.unlink(missing_ok=True)
        write_table(table, pa.table({"sample_id": list(signals), "attention_score": scores}))
        shape = next(iter(signals.values())).shape
        write_json(told, {"key": key, "num_calibration": num, **_told(listener, shape)})
    stored = read_table(table)
    return dict(zip(stored["sample_id"].to_pylist(), stored["attention_score"].to_pylist(), strict=True))


def _of(ids: Sequence[str], rows: dict[str, int], matrix: Floats) -> Floats:
    """The rows of those that could be read."""
    return matrix[[rows[one] for one in ids if one in rows]]


def _told(listener: Listener, shape: tuple[int, ...]) -> dict[str, Any]:
    """What it listens to; a word is its place among the tokens of the prompt."""
    places = [np.unravel_index(i, shape) for i in listener.signals]
    return {
        "num_layers": shape[0],
        "num_words": shape[1],
        "signals": [
            {"layer": int(layer), "word": int(word), "sign": int(sign)}
            for (layer, word), sign in zip(places, listener.signs, strict=True)
        ],
    }
