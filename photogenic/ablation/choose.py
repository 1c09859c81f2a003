"""Which pictures a variant is tuned on."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from photogenic.ablation.config import Chosen
from photogenic.core.errors import RunError
from photogenic.core.run import Run, seed_for
from photogenic.core.shards import atomic_path, read_table
from photogenic.curate.config import CurateConfig, HeldOutStep
from photogenic.curate.held_out import held_out_phrases, words_of


@dataclass(frozen=True)
class Haystack:
    """A run that has its needles, and what it knows of its pictures."""

    run: Run
    curate: CurateConfig | None  # the funnel, for what it holds out
    by: str  # the measured column that says which pictures are best and worst
    seed: int

    @cached_property
    def needles(self) -> pa.Table:
        return read_table(self.run.folder / "review" / "needles.parquet")

    @cached_property
    def candidates(self) -> list[str]:
        """What the funnel left, in the table's order."""
        path = self.run.folder / "curate" / "candidates.parquet"
        ids: list[str] = read_table(path, ["sample_id"])["sample_id"].to_pylist()
        return ids

    @cached_property
    def usable(self) -> frozenset[str]:
        """Every picture that can be decoded and shows nothing that is held out, whatever else it is."""
        path = self.run.folder / "curate" / "verdicts.parquet"
        verdicts = read_table(path, ["sample_id", "verdict", "drop_step"])
        broken = pc.or_(
            pc.equal(verdicts["verdict"], "failed"),
            pc.fill_null(pc.equal(verdicts["drop_step"], "read"), False),
        )
        readable = set(verdicts.filter(pc.invert(broken))["sample_id"].to_pylist())
        return frozenset(readable - self._held_out())

    @cached_property
    def measured(self) -> Mapping[str, float]:
        """sample_id -> `by`, of usable pictures.

        Raises:
            RunError: the funnel has not measured it.
        """
        found: dict[str, float] = {}
        for path in sorted((self.run.folder / "curate" / "scores").rglob("*.parquet")):
            if self.by in pq.read_schema(path).names:
                table = read_table(path, ["sample_id", self.by]).drop_null()
                found |= dict(zip(table["sample_id"].to_pylist(), table[self.by].to_pylist(), strict=True))
        if not found:
            raise RunError(
                f"No step of the funnel has measured `{self.by}`.",
                "Name a column that it has in `by`; with `curate.pixel_measures: all` it has `appeal_score`.",
            )
        return {sample_id: value for sample_id, value in found.items() if sample_id in self.usable}

    def best_needles(self) -> list[str]:
        """Best score first; where people decided there is no score, and the seed draws."""
        ids, scores = self.needles["sample_id"].to_pylist(), self.needles["score"].to_pylist()
        rank = [(-np.inf if score is None else score) for score in scores]
        order = sorted(range(len(ids)), key=lambda i: (-rank[i], seed_for(self.seed, "needles", ids[i])))
        return [ids[i] for i in order]

    def shuffled(self, purpose: str = "random") -> list[str]:
        """The usable pictures in an order that the seed draws."""
        return sorted(self.usable, key=lambda sample_id: seed_for(self.seed, purpose, sample_id))

    def worst_first(self) -> list[str]:
        """Those that were measured, the lowest value first."""
        return sorted(self.measured, key=lambda one: (self.measured[one], one))

    def best_candidates(self, scores: Mapping[str, float]) -> list[str]:
        """The candidates that have a score, the highest first."""
        return sorted((one for one in self.candidates if one in scores), key=lambda one: (-scores[one], one))

    def captions_of_review(self) -> dict[str, tuple[str, str]]:
        """sample_id -> caption and its source (`writer` or `model`), where it is not the alternative text."""
        written = self.needles.filter(pc.not_equal(self.needles["caption_source"], "alt_text"))
        columns = (written[name].to_pylist() for name in ("sample_id", "caption", "caption_source"))
        return {sample_id: (caption, source) for sample_id, caption, source in zip(*columns, strict=True)}

    def _held_out(self) -> set[str]:
        """What is left out of the needles must be left out everywhere, or prompts of it would say nothing."""
        steps = () if self.curate is None else (step for _, step in self.curate.steps.items())
        phrases = [
            phrase for step in steps if isinstance(step, HeldOutStep) for phrase in held_out_phrases(step)
        ]
        if not phrases:
            return set()
        table = read_table(self.run.folder / "pool" / "manifest", ["sample_id", "alt_text"])
        texts = (f" {words_of(text or '')} " for text in table["alt_text"].to_pylist())
        return {
            sample_id
            for sample_id, text in zip(table["sample_id"].to_pylist(), texts, strict=True)
            if any(f" {phrase} " in text for phrase in phrases)
        }


def choose(chosen: Chosen, haystack: Haystack, attention: Mapping[str, float] | None = None) -> pa.Table:
    """sample_id and caption of the pictures; empty where no writer gave one, and the alt text serves.

    Args:
        attention: sample_id -> score, for `take: attention`.

    Raises:
        RunError: there are too few.
    """
    num = chosen.num or haystack.needles.num_rows
    if not num:
        raise RunError("Review chose no needles, so a variant has nothing to be tuned on.", "Set `num`.")
    match chosen.take:
        case "needles":
            ids = haystack.best_needles()
        case "random":
            ids = haystack.shuffled()
        case "worst":
            ids = haystack.worst_first()
        case "best":
            ids = haystack.best_candidates(haystack.measured)
        case "attention":
            ids = haystack.best_candidates(attention or {})
    if len(ids) < num:
        raise RunError(
            f"{num} pictures are asked for ({chosen.take}), and there are {len(ids)}.", "Lower `num`."
        )
    written = haystack.captions_of_review() if chosen.captions == "review" else {}
    captions, sources = zip(*(written.get(one, ("", "")) for one in ids[:num]), strict=True)
    return pa.table({"sample_id": ids[:num], "caption": captions, "caption_source": sources})


def write_decisions(path: Path, table: pa.Table, decided_by: str) -> None:
    """As the CSV that `review.decisions` reads; one that says the same is left as it is."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["sample_id", "keep", "caption", "caption_source", "decided_by"])
    writer.writerows(
        [row["sample_id"], 1, row["caption"], row["caption_source"], decided_by] for row in table.to_pylist()
    )
    if path.exists() and path.read_text(encoding="utf-8") == text.getvalue():
        return
    with atomic_path(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")
