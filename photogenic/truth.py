"""How well the funnel did, where it is known which pictures were spoiled.

Only the closing story reads the truth file; no stage comes across it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from photogenic.core.run import Run
from photogenic.core.shards import read_table
from photogenic.core.statistics import wilson_interval
from photogenic.recipe import Recipe

CLEAN = "clean"
RANKING = (
    "appeal",
    "finish",
    "popularity",
    "select",
)  # these steps choose among good pictures; the others throw out bad ones


@dataclass(frozen=True)
class KindRow:
    """What became of one kind of spoiling, or of the clean pictures."""

    kind: str
    num: int
    num_filtered: int  # dropped by a step that throws out bad pictures
    num_not_chosen: int  # dropped by a step that chooses among good ones
    num_candidates: int
    num_needles: int
    filtered_by: tuple[tuple[str, int], ...]  # (step, how many it threw out), most first

    @property
    def main_step(self) -> str:
        """The step that threw out most of them."""
        return self.filtered_by[0][0] if self.filtered_by else ""

    @property
    def filtered_ratio(self) -> float:
        return self.num_filtered / self.num

    @property
    def interval(self) -> tuple[float, float]:
        """95 % (Wilson) for `filtered_ratio`."""
        return wilson_interval(self.num_filtered, self.num)


@dataclass(frozen=True)
class Truth:
    """What the funnel caught, kind by kind, and what it lost."""

    clean: KindRow
    spoiled: KindRow  # all kinds together
    kinds: list[KindRow]

    def spoiled_ratio(self, count: str) -> float | None:
        """The share of spoiled ones among all by `count`: "num", "num_candidates" or "num_needles"."""
        spoiled, clean = getattr(self.spoiled, count), getattr(self.clean, count)
        return spoiled / (spoiled + clean) if spoiled + clean else None


@dataclass(frozen=True)
class _Fate:
    kind: str
    step: str | None  # that dropped it
    is_needle: bool


def truth_files(recipe: Recipe) -> list[Path]:
    """The truth files that lie next to the pool's folders."""
    sources = recipe.pool.sources.values() if recipe.pool is not None else ()
    folders = [source.root for source in sources if isinstance(source.root, Path)]
    paths = [folder.with_name(f"{folder.name}.truth.jsonl") for folder in folders]
    return [path for path in paths if path.is_file()]


def read_truth(recipe: Recipe, run: Run) -> Truth | None:
    """None where no truth is known or the funnel has not run. A file that is none of ours is left alone."""
    rows = [row for path in truth_files(recipe) for row in _lines(path, run)]
    verdicts_path = run.folder / "curate" / "verdicts.parquet"
    if not rows or not verdicts_path.exists():
        return None
    steps = _dropped_by(verdicts_path)
    needles = _needle_keys(run)
    fates = [_fate(row, steps, needles) for row in rows if row["key"] in steps]
    if not fates:
        return None
    kinds = Counter(fate.kind for fate in fates)
    return Truth(
        clean=_row(CLEAN, [fate for fate in fates if fate.kind == CLEAN]),
        spoiled=_row("all spoiled", [fate for fate in fates if fate.kind != CLEAN]),
        kinds=[
            _row(kind, [fate for fate in fates if fate.kind == kind])
            for kind in sorted(kinds)
            if kind != CLEAN
        ],
    )


def _lines(path: Path, run: Run) -> list[dict[str, str | None]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines if line.strip()]
    except (OSError, ValueError) as error:
        run.log.warning("report: %s is not read: %s", path, error)
        return []
    if all(isinstance(row, dict) and _is_of_ours(row) for row in rows):
        return rows
    run.log.warning("report: %s is not read: a line without `key` and `kind`, or one that is no text", path)
    return []


def _is_of_ours(row: Mapping[str, object]) -> bool:
    texts = isinstance(row.get("key"), str) and isinstance(row.get("kind"), str)
    return texts and isinstance(row.get("of_key"), str | None)


def _dropped_by(path: Path) -> dict[str, str | None]:
    """Key -> the step that dropped it, None where it is a candidate."""
    table = read_table(path, ["key", "drop_step"])
    return dict(zip(table["key"].to_pylist(), table["drop_step"].to_pylist(), strict=True))


def _needle_keys(run: Run) -> frozenset[str]:
    path = run.folder / "review" / "needles.parquet"
    return frozenset(read_table(path, ["key"])["key"].to_pylist()) if path.exists() else frozenset()


def _fate(row: Mapping[str, str | None], steps: Mapping[str, str | None], needles: frozenset[str]) -> _Fate:
    key, original = str(row["key"]), row.get("of_key")
    step = steps[key]
    # Of a pair of duplicates one may stay, and either is as good as the other: the pair is what counts.
    if step is None and original is not None and steps.get(original) == "duplicates":
        step = "duplicates"
    return _Fate(str(row["kind"]), step, key in needles and step is None)


def _row(kind: str, fates: Iterable[_Fate]) -> KindRow:
    fates = list(fates)
    steps = Counter(fate.step for fate in fates if fate.step is not None)
    not_chosen = sum(steps[step] for step in RANKING)
    return KindRow(
        kind=kind.replace("_", " "),
        num=len(fates),
        num_filtered=steps.total() - not_chosen,
        num_not_chosen=not_chosen,
        num_candidates=len(fates) - steps.total(),
        num_needles=sum(fate.is_needle for fate in fates),
        filtered_by=tuple(row for row in steps.most_common() if row[0] not in RANKING),
    )
