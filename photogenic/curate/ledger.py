"""Every sample of the pool and what has become of it. Nothing vanishes: a dropped sample keeps its row."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from photogenic.core.manifest import POOL_SCHEMA, VERDICTS_SCHEMA
from photogenic.curate.filters import Floats, Mask

KEPT, DROPPED, FAILED = "kept", "dropped", "failed"


class Ledger:
    """The pool manifest with a verdict beside each row. All arrays are [N], in the manifest's order."""

    def __init__(self, manifest: pa.Table) -> None:
        num = manifest.num_rows
        self.manifest = manifest.combine_chunks()
        self.ids: NDArray[np.object_] = manifest["sample_id"].to_numpy(zero_copy_only=False)
        self.uids: NDArray[np.object_] = manifest["uid"].to_numpy(zero_copy_only=False)
        self.texts: NDArray[np.object_] = manifest["alt_text"].to_numpy(zero_copy_only=False)
        self.verdict = np.full(num, KEPT, dtype=object)
        self.step = np.full(num, None, dtype=object)
        self.reason = np.full(num, None, dtype=object)
        self.value: Floats = np.full(num, np.nan)
        self.threshold: Floats = np.full(num, np.nan)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def alive(self) -> Mask:
        """Which samples no step has dropped so far."""
        return np.asarray(self.verdict == KEPT)

    def drop(self, which: Mask, step: str, reason: str, values: Floats, threshold: float | None) -> None:
        """Drop those of `which` that are still alive. which, values: [N], of the whole pool."""
        gone = np.flatnonzero(which & self.alive)
        self.verdict[gone], self.step[gone], self.reason[gone] = DROPPED, step, reason
        self.value[gone] = values[gone]
        self.threshold[gone] = np.nan if threshold is None else threshold

    def drop_one(self, row: int, step: str, reason: str, value: float, threshold: float) -> None:
        """Drop a single sample."""
        self.verdict[row], self.step[row], self.reason[row] = DROPPED, step, reason
        self.value[row], self.threshold[row] = value, threshold

    def fail_one(self, row: int, step: str, reason: str) -> None:
        """Say that a sample could not be judged; trying again may help."""
        self.verdict[row], self.step[row], self.reason[row] = FAILED, step, reason

    def field(self, name: str) -> NDArray[np.object_]:
        """A side-car field of every sample; None where it has none."""
        texts = self.manifest["fields"].to_pylist()
        values = (json.loads(text or "{}").get(name) for text in texts)
        return np.fromiter(values, dtype=object, count=len(texts))

    def verdicts(self) -> pa.Table:
        """One row per sample, as VERDICTS_SCHEMA."""
        columns = {
            "sample_id": self.manifest["sample_id"],
            "uid": self.uids,
            "source": self.manifest["source"],
            "key": self.manifest["key"],
            "verdict": self.verdict,
            "drop_step": self.step,
            "drop_reason": self.reason,
            "value": pa.array(self.value, from_pandas=True),
            "threshold": pa.array(self.threshold, from_pandas=True),
        }
        return pa.table(columns, schema=VERDICTS_SCHEMA)

    def survivors(self) -> pa.Table:
        """The pool's rows of all who are alive, with their uids, as POOL_SCHEMA."""
        position = POOL_SCHEMA.get_field_index("uid")
        table = self.manifest.set_column(position, POOL_SCHEMA.field("uid"), pa.array(self.uids, pa.string()))
        return table.filter(pa.array(self.alive))
