"""Which pictures a variant is tuned on."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from photogenic.ablation.config import Chosen
from photogenic.core.errors import RunError
from photogenic.core.run import Run, seed_for
from photogenic.core.shards import atomic_path, read_table


def choose(chosen: Chosen, by: str, run: Run, seed: int) -> pa.Table:
    """sample_id and caption of the pictures; empty where no writer gave one, and the alt text serves.

    Raises:
        RunError: there are too few.
    """
    needles = read_table(run.folder / "review" / "needles.parquet")
    num = chosen.num or needles.num_rows
    match chosen.take:
        case "needles":
            ids = _best(needles, seed)
        case "random":
            ids = _shuffled(_readable(run), seed)
        case "worst":
            ids = _worst(run, by)
    if len(ids) < num:
        raise RunError(
            f"{num} pictures are asked for ({chosen.take}), and there are {len(ids)}.", "Lower `num`."
        )
    written = _captions_of_writers(needles)
    return pa.table({"sample_id": ids[:num], "caption": [written.get(one, "") for one in ids[:num]]})


def write_decisions(path: Path, table: pa.Table, decided_by: str) -> None:
    """As the CSV that `review.decisions` reads; one that says the same is left as it is."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["sample_id", "keep", "caption", "decided_by"])
    writer.writerows([row["sample_id"], 1, row["caption"], decided_by] for row in table.to_pylist())
    if path.exists() and path.read_text(encoding="utf-8") == text.getvalue():
        return
    with atomic_path(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")


def _best(needles: pa.Table, seed: int) -> list[str]:
    """Best score first; where people decided there is no score, and the seed draws."""
    ids, scores = needles["sample_id"].to_pylist(), needles["score"].to_pylist()
    rank = [(-np.inf if score is None else score) for score in scores]
    order = sorted(range(len(ids)), key=lambda i: (-rank[i], seed_for(seed, "needles", ids[i])))
    return [ids[i] for i in order]


def _shuffled(ids: list[str], seed: int) -> list[str]:
    return sorted(ids, key=lambda sample_id: seed_for(seed, "random", sample_id))


def _readable(run: Run) -> list[str]:
    """Every picture of the haystack that can be decoded, whatever the funnel said of it."""
    verdicts = read_table(run.folder / "curate" / "verdicts.parquet", ["sample_id", "verdict", "drop_step"])
    broken = pc.or_(
        pc.equal(verdicts["verdict"], "failed"),
        pc.fill_null(pc.equal(verdicts["drop_step"], "read"), False),
    )
    ids: list[str] = verdicts.filter(pc.invert(broken))["sample_id"].to_pylist()
    return ids


def _worst(run: Run, by: str) -> list[str]:
    """Those that were measured, the lowest value first."""
    measured: dict[str, float] = {}
    for path in sorted((run.folder / "curate" / "scores").rglob("*.parquet")):
        if by in pq.read_schema(path).names:
            table = read_table(path, ["sample_id", by]).drop_null()
            measured |= dict(zip(table["sample_id"].to_pylist(), table[by].to_pylist(), strict=True))
    if not measured:
        raise RunError(
            f"No step of the funnel has measured `{by}`.", "Name a column that it has: `by: appeal_score`."
        )
    readable = set(_readable(run))
    return sorted((one for one in measured if one in readable), key=lambda one: (measured[one], one))


def _captions_of_writers(needles: pa.Table) -> dict[str, str]:
    written = needles.filter(pc.equal(needles["caption_source"], "writer"))
    return dict(zip(written["sample_id"].to_pylist(), written["caption"].to_pylist(), strict=True))
