"""What raters went by: of the pairs that had a winner, how often the picture with more of a measure won.

Nobody is asked why. A measure that goes along with the votes need not be what raters looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from photogenic.evaluate.automatic import pair_rows
from photogenic.evaluate.compare import Estimate, Settings, mean_estimate
from photogenic.evaluate.measured import KEY
from photogenic.evaluate.pairs import pair_id_for
from photogenic.evaluate.results import JUDGED
from photogenic.evaluate.verdict import Contest, Findings, Panel
from photogenic.measures.pixel import COLUMNS

Floats = NDArray[np.float64]
# Raters see pixels, not files: everything but the quality that a file was saved with.
LOOKED_AT = (*JUDGED, *(name for name in COLUMNS if name != "jpeg_quality"))
MIN_WINS = 10  # of either model: from fewer wins nobody can tell what they were won by


@dataclass(frozen=True)
class Leaning:
    """How far the answers went along with one measure."""

    measure: str
    share: Estimate  # of pairs that the picture with more of it won; 1/2 is chance
    num_equal: int  # pairs whose pictures have equally much of it: each counts half


@dataclass(frozen=True)
class Leanings:
    """What one kind of rater went by when answering one question."""

    rater_kind: str
    question: str
    num_pairs: int
    measures: Sequence[Leaning]  # farthest from one half first


@dataclass(frozen=True)
class _Decided:
    """A pair with a winner."""

    won: int  # row of the winner's picture
    lost: int
    prompt_id: str
    side: tuple[str, str]  # winner, loser


def leanings(findings: Findings, measured: pa.Table) -> list[Leanings]:
    """Of each panel; panels in which too few pairs were won by either model have none.

    The wins of both models of a contest weigh the same. Otherwise a model that wins for one reason would
    win for everything that it has more of.

    Args:
        measured: the pictures' measures, as `write_measured` keeps them.
    """
    rows = measured.select(KEY).to_pylist()
    values = {
        name: measured[name].to_numpy().astype(np.float64)
        for name in LOOKED_AT
        if name in measured.column_names
    }
    told = (_of_panel(panel, rows, values, findings.settings) for panel in findings.panels)
    return [one for one in told if one is not None]


def _of_panel(
    panel: Panel, rows: Sequence[dict[str, Any]], values: dict[str, Floats], settings: Settings
) -> Leanings | None:
    pairs = [pair for contest in panel.contests for pair in _enough(_decided(contest, rows))]
    if not pairs:
        return None
    found = [
        _leaning(name, column, pairs, settings)
        for name, column in values.items()
        if np.isfinite(column[[row for pair in pairs for row in (pair.won, pair.lost)]]).all()
    ]
    told = [one for one in found if one.num_equal < len(pairs)]
    told.sort(key=lambda one: -abs(one.share.mean - 0.5))
    return Leanings(panel.rater_kind, panel.question, len(pairs), told)


def _decided(contest: Contest, rows: Sequence[dict[str, Any]]) -> Iterable[_Decided]:
    """The pairs of the contest that had a winner, and whose pictures were measured."""
    model, against = contest.model, contest.against
    ours, theirs = (
        [number for number, row in enumerate(rows) if row["model"] == name] for name in (model, against)
    )
    both = zip(*pair_rows([rows[row] for row in ours], [rows[row] for row in theirs]), strict=True)
    of_pair = {
        pair_id_for(model, against, rows[ours[one]]["prompt_id"], rows[ours[one]]["seed"]): (
            ours[one],
            theirs[other],
        )
        for one, other in both
    }
    for outcome in contest.outcomes:
        if outcome.result and outcome.pair_id in of_pair:
            mine, other = of_pair[outcome.pair_id]
            if outcome.result > 0:
                yield _Decided(mine, other, outcome.prompt_id, (model, against))
            else:
                yield _Decided(other, mine, outcome.prompt_id, (against, model))


def _enough(decided: Iterable[_Decided]) -> list[_Decided]:
    """Pairs of one contest; [] where a model has won too few of them."""
    pairs = list(decided)
    wins = Counter(pair.side for pair in pairs)
    return pairs if len(wins) == 2 and min(wins.values()) >= MIN_WINS else []


def _leaning(measure: str, column: Floats, pairs: Sequence[_Decided], settings: Settings) -> Leaning:
    more = column[[pair.won for pair in pairs]] - column[[pair.lost for pair in pairs]]
    sides = list(dict.fromkeys(pair.side for pair in pairs))
    sizes = Counter(frozenset(pair.side) for pair in pairs)  # of the contests
    share = balanced_share(
        hits=(np.sign(more) + 1) / 2,
        sides=np.array([sides.index(pair.side) for pair in pairs]),
        weights=np.array([sizes[frozenset(side)] / (2 * len(pairs)) for side in sides]),
        prompt_ids=[pair.prompt_id for pair in pairs],
        settings=settings,
    )
    return Leaning(measure, share, num_equal=int(np.count_nonzero(more == 0)))


def balanced_share(
    hits: Floats, sides: NDArray[np.int64], weights: Floats, prompt_ids: Sequence[str], settings: Settings
) -> Estimate:
    """Sum over the sides of weight x mean of its hits; the interval resamples prompts.

    Each pair stands in the bootstrap for its influence: weight / share of its side in all pairs x (hit - mean
    of its side). So a draw that happens to hold more wins of one model does not weigh that model more
    (Davison & Hinkley, Bootstrap Methods and their Application, section 2.7). For the interval each side has
    two pairs more, one hit and one miss, each with a prompt to itself: without them a side of few pairs that
    are nearly all alike looks too certain (Agresti & Caffo, 2000, The American Statistician 54, 280-288).

    Args:
        hits: [n], 1, 1/2 or 0.
        sides: [n], numbers of the sides, each of which occurs.
        weights: [num_sides], of sum 1.
        prompt_ids: [n].
    """
    means = np.bincount(sides, hits) / np.bincount(sides)
    share = float(weights @ means)
    num_sides = len(weights)
    more_hits = np.concatenate([hits, np.tile([0.0, 1.0], num_sides)])
    more_sides = np.concatenate([sides, np.repeat(np.arange(num_sides), 2)])
    counts = np.bincount(more_sides)
    means = np.bincount(more_sides, more_hits) / counts
    scales = weights * len(more_hits) / counts
    influences = weights @ means + scales[more_sides] * (more_hits - means[more_sides])
    clusters = [*prompt_ids, *(f"\0{number}" for number in range(2 * num_sides))]
    found = mean_estimate(influences, clusters, settings)
    return Estimate(share, max(0.0, min(share, found.low)), min(1.0, max(share, found.high)))
