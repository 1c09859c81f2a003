"""Learn `photogenic/weights/finish.npz`: what tells good photographs from spoiled ones.

    python benchmarks/learning_finish.py FOLDER... --darkrooms FIRST SECOND --out FILE
                                                            learn and write the forests
    python benchmarks/learning_finish.py FOLDER... --darkrooms FIRST SECOND --beside EARLIER --out FILE
                                                            with the trees of an earlier one
    python benchmarks/learning_finish.py FOLDER... --darkrooms FIRST SECOND
                                                            only say how well they would do
    python benchmarks/learning_finish.py                    the same, with the few photographs that
                                                            scikit-image and scikit-learn ship

`examples.py` draws what is learnt from. Told is, for photographs of sources that were not in the training,
the area under the ROC curve, kind by kind: with the kind in the training, and without it (a fifth of the
kinds left out at a time). Then how many needles a ranking finds in haystacks such as those of `needles.py`,
and in such as have the kinds of `unusual.py`, `rare.py` and `framing.py` too.

FIRST and SECOND are files such as the one that comes along (`learning_darkroom.py --join`), of networks of
`--half 0` and of `--half 1`: one has to answer as it does about pictures that it has not seen, so each is
asked about the other half. Without them the networks that come along answer, which may have seen them all,
and the figures are too good.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from examples import (
    ALL_ASPECTS,
    FURTHER,
    INTACT,
    Examples,
    add_options,
    half_of,
    paths_of,
    source_number,
    taken,
)
from needles import INTACT_SHARE, RECIPE, SPOILED_PER_PHOTOGRAPH
from numpy.typing import NDArray
from spoiling import KINDS

from photogenic.measures.appeal import MAX_SCORE, appeal_score
from photogenic.measures.darkroom import DARKROOM_FILE, PRESSED, Darkroom
from photogenic.measures.finish import APPEAL_POWER, COLUMNS, LEAF, STAMPED, Forest
from photogenic.recipe import find_recipe

NUM_TREES, MIN_LEAF, FEATURE_SHARE = 60, 2, 0.6  # for each aspect
TOLD_BY = {  # where it is known what tells of an aspect, all else could only be mistaken for it
    "proportions": ("axes_apart", "edges_apart", "finest_01_middle", "darkroom2_format", PRESSED),
}
TABLE_TREES = 15  # to say how well it would do without a kind
NUM_FOLDS = 5
NODES = ("features", "numbers", "rights")  # of a forest: an entry for each node
NUM_DRAWS = 40
APPEAL_POWERS = (0.0, APPEAL_POWER, 0.5, 1.0)
READ_BY_OCR = ("text laid over", "screenshot", "date in the corner")  # taken for found
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Table:
    """Measures of crops [N, C], of which photograph each is, of which fold, and its kind [N]."""

    matrix: Floats
    photographs: NDArray[np.int64]
    folds: NDArray[np.int64]
    kinds: NDArray[np.str_]

    @property
    def is_intact(self) -> NDArray[np.bool_]:
        return np.asarray(self.kinds == INTACT)

    def of(self, rows: NDArray[np.bool_]) -> Table:
        return Table(*(array[rows] for array in vars(self).values()))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(parser)
    parser.add_argument("--darkrooms", type=Path, nargs=2, metavar=("FIRST", "SECOND"))
    parser.add_argument("--beside", type=Path, metavar="EARLIER.npz", help="its trees stay, too")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    paths = paths_of(options)
    darkrooms = options.darkrooms or [DARKROOM_FILE] * 2
    table = table_of(taken(options, paths), darkrooms, options.workers)
    earlier = Forest.load(options.beside) if options.beside else None
    if options.out:
        joined(learn(table), earlier).save(options.out)
    known, unknown = answers_out_of_fold(table, earlier)
    print_areas(table, known, unknown)
    for title, answers in (("all kinds known", known), ("a fifth of the kinds left out", unknown)):
        for told, kinds in (("as needles.py plants them", KINDS), ("all kinds", KINDS | FURTHER)):
            print(f"\nneedles found by their rank, {title}; {told}")
            print_needles(table, answers, options.seed, list(kinds))


def table_of(examples: Sequence[Examples], darkrooms: Sequence[Path], num_workers: int) -> Table:
    """Pixel measures, and the answers of the networks that have not learnt from the photograph."""
    with Pool(num_workers) as pool:
        matrix = pool.map(partial(_matrix_of, darkrooms), examples, chunksize=4)
    sizes = [len(each.kinds) for each in examples]
    folds = [source_number(each.name) // 2 % NUM_FOLDS for each in examples]
    return Table(
        np.concatenate(matrix),
        np.repeat(np.arange(len(examples)), sizes),
        np.repeat(folds, sizes),
        np.concatenate([each.kinds for each in examples]),
    )


def _matrix_of(darkrooms: Sequence[Path], examples: Examples) -> Floats:
    networks = _darkroom(darkrooms[1 - half_of(examples.name)])
    return np.hstack([examples.matrix, networks.batch(list(examples.crops), examples.formats.tolist())])


@cache
def _darkroom(path: Path) -> Darkroom:
    """One of each file in a worker."""
    return Darkroom(path)


def learn(table: Table, num_trees: int = NUM_TREES) -> Forest:
    """Extremely randomised trees (Geurts, Ernst & Wehenkel, 2006): of each aspect its kinds against the
    intact, both of equal weight. One forest for all hardly learns what is rare: a cast is one kind of 43.
    """
    from sklearn.ensemble import ExtraTreesClassifier

    forests = []
    for aspect, kinds in ALL_ASPECTS.items():
        rows = table.is_intact | np.isin(table.kinds, kinds)
        is_intact, columns = table.is_intact[rows], TOLD_BY.get(aspect, COLUMNS)
        if is_intact.all():  # all of its kinds are left out
            continue
        share = is_intact.mean()
        model = ExtraTreesClassifier(
            num_trees, min_samples_leaf=MIN_LEAF, max_features=FEATURE_SHARE, random_state=0, n_jobs=2
        ).fit(
            table.matrix[rows][:, [COLUMNS.index(name) for name in columns]].astype(np.float32),
            is_intact,
            np.where(is_intact, 0.5 / share, 0.5 / (1 - share)),
        )
        trees = {aspect: [each.tree_ for each in model.estimators_]}
        forests.append(among(Forest.of_trees(trees, columns), COLUMNS))
    return one_after_another(forests)


def among(forest: Forest, columns: Sequence[str]) -> Forest:
    """The same, asking of a table that has these columns."""
    if missing := set(forest.columns) - set(columns):
        raise SystemExit(f"The forest asks for columns that there are not: {', '.join(sorted(missing))}.")
    # LEAF is -1: it finds itself at the end.
    places = np.array([*(columns.index(name) for name in forest.columns), LEAF], np.int16)
    return replace(forest, columns=tuple(columns), features=places[forest.features])


def one_after_another(forests: Sequence[Forest]) -> Forest:
    """Forests of other aspects each, of as many trees for each, as one."""
    firsts = np.cumsum([0, *(len(each.features) for each in forests[:-1])])
    roots = [each.roots + first for each, first in zip(forests, firsts, strict=True)]
    aspects = tuple(aspect for each in forests for aspect in each.aspects)
    return replace(
        forests[0], aspects=aspects, roots=np.concatenate(roots).astype(np.int32), **_nodes_of(forests)
    )


def joined(forest: Forest, earlier: Forest | None) -> Forest:
    """Both as one: each aspect's trees of one and then of the other. The earlier may know fewer columns, and
    fewer aspects: the trees of those that it does not know count twice.
    """
    if earlier is None:
        return forest
    num_known = len(earlier.aspects)
    if earlier.aspects != forest.aspects[:num_known]:
        raise SystemExit("The earlier forest has other aspects, or in another order.")
    earlier = among(earlier, forest.columns)
    own = forest.roots.reshape(len(forest.aspects), -1)
    beside = earlier.roots.reshape(num_known, -1) + len(forest.features)
    if len(beside) < len(own) and beside.shape[1] != own.shape[1]:
        raise SystemExit("The earlier forest has another number of trees for an aspect.")
    roots = np.hstack([own, np.concatenate([beside, own[num_known:]])])
    return replace(forest, roots=roots.ravel().astype(np.int32), **_nodes_of([forest, earlier]))


def _nodes_of(forests: Sequence[Forest]) -> dict[str, Any]:
    return {name: np.concatenate([getattr(each, name) for each in forests]) for name in NODES}


def answers_out_of_fold(table: Table, earlier: Forest | None) -> tuple[Floats, Floats]:
    """P(finished) by forests of other sources [N]: by all that comes along, and with the crop's kind unknown,
    which it is to none of the earlier trees, so without them.
    """
    kinds = sorted(set(table.kinds) - {INTACT})
    known, unknown = np.zeros((2, len(table.kinds)))
    folds = np.unique(table.folds).tolist()  # few photographs leave some empty
    for fold in folds:
        away = table.folds == fold
        known[away] = joined(learn(table.of(~away)), earlier).score(table.matrix[away])
        strange = np.isin(table.kinds, kinds[folds.index(fold) :: len(folds)])
        for part in folds:
            there = table.folds != part
            forest = learn(table.of(there & ~strange), TABLE_TREES)
            asked = ~there & (strange | table.is_intact)
            share = np.where(table.is_intact[asked], 1 / len(folds), 1)
            unknown[asked] += share * forest.score(table.matrix[asked])
    return known, unknown


def print_areas(table: Table, known: Floats, unknown: Floats) -> None:
    print(f"{'':26}in the training   not in it")
    for kind in sorted(set(table.kinds) - {INTACT}):
        each = [area(scores, table.is_intact, table.kinds == kind) for scores in (known, unknown)]
        print(f"{kind:26}{each[0]:15.2f}{each[1]:12.2f}")


def area(scores: Floats, good: NDArray[np.bool_], bad: NDArray[np.bool_]) -> float:
    """How often a good one is above a bad one."""
    above, equal = (op(scores[good][:, None], scores[bad][None]).mean() for op in (np.greater, np.equal))
    return float(above + equal / 2)


def print_needles(table: Table, probabilities: Floats, seed: int, kinds: Sequence[str]) -> None:
    """The share of needles among as many as there are needles, by each ranking: mean of the draws.

    kinds: of the spoiled ones.
    """
    rows = (dict(zip(COLUMNS, row, strict=True)) for row in table.matrix.tolist())
    appeal = np.array([appeal_score(row) for row in rows]) / MAX_SCORE
    found = table.is_intact | ~np.isin(table.kinds, READ_BY_OCR)
    recipe = yaml.safe_load(find_recipe(RECIPE).read_text(encoding="utf-8"))
    found &= table.matrix[:, COLUMNS.index(STAMPED)] <= recipe["curate"]["steps"]["watermark"]["max"]
    rng = np.random.default_rng(seed)
    is_spoiled = np.isin(table.kinds, kinds)
    draws = [drawn_haystack(table, is_spoiled, rng) for _ in range(NUM_DRAWS)]
    for power in APPEAL_POWERS:
        scores = np.where(found, probabilities * appeal**power, 0)
        shares = [share_found(scores[draw], table.is_intact[draw]) for draw in draws]
        told = f"times the appeal to {power:.2f}" if power else "finish_prob"
        print(f"{told:26}{np.mean(shares):8.1%}   ({min(shares):.0%} to {max(shares):.0%})")


def drawn_haystack(
    table: Table, is_spoiled: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Rows: of a third of the photographs an intact crop, of each one three of those that are spoiled."""
    rows: list[int] = []
    photographs = np.unique(table.photographs)
    order, num_needles = rng.permutation(len(photographs)), max(1, round(len(photographs) * INTACT_SHARE))
    for photograph, place in zip(photographs, order, strict=True):
        own = table.photographs == photograph
        if place < num_needles:
            rows.append(int(rng.choice(np.flatnonzero(own & table.is_intact))))
        spoiled = np.flatnonzero(own & is_spoiled)
        rows += rng.choice(spoiled, min(SPOILED_PER_PHOTOGRAPH, len(spoiled)), replace=False).tolist()
    return np.array(rows)


def share_found(scores: Floats, is_needle: NDArray[np.bool_]) -> float:
    best = np.argsort(-scores)[: is_needle.sum()]
    return float(is_needle[best].mean())


if __name__ == "__main__":
    main()
