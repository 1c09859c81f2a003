"""benchmarks/learning_finish.py: forests that were learnt at different times become one."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier

from photogenic.measures.finish import COLUMNS, LEAF, Forest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from examples import ALL_ASPECTS
from learning_finish import TOLD_BY, Table, among, joined, learn, one_after_another

MATRIX = np.random.default_rng(0).normal(size=(300, 6))


def grown(aspects: str, num_columns: int, num_trees: int, seed: int) -> Forest:
    """A forest for each letter; each learns something else."""
    trees = {}
    for number, aspect in enumerate(aspects):
        is_good = MATRIX[:, number % num_columns] > 0
        model = ExtraTreesClassifier(num_trees, random_state=seed + number)
        model.fit(MATRIX[:, :num_columns].astype(np.float32), is_good)
        trees[aspect] = [tree.tree_ for tree in model.estimators_]
    return Forest.of_trees(trees, list("uvwxyz"[:num_columns]))


def test_the_earlier_may_know_fewer_columns_and_fewer_aspects(tmp_path: Path) -> None:
    forest, earlier = grown("abcd", 6, 5, 10), grown("ab", 4, 5, 20)
    both = joined(forest, earlier)
    assert both.aspects == forest.aspects and both.columns == forest.columns
    own, theirs = forest.answers(MATRIX), earlier.answers(MATRIX[:, :4])
    np.testing.assert_allclose(both.answers(MATRIX)[:, :2], (own[:, :2] + theirs) / 2, atol=1e-6)
    np.testing.assert_allclose(both.answers(MATRIX)[:, 2:], own[:, 2:], atol=1e-6)
    both.save(tmp_path / "both.npz")
    np.testing.assert_array_equal(Forest.load(tmp_path / "both.npz").answers(MATRIX), both.answers(MATRIX))


def test_each_aspect_learns_its_kinds_and_proportions_from_what_tells_them() -> None:
    rng = np.random.default_rng(0)
    kinds = rng.choice(["intact", *(each[0] for each in ALL_ASPECTS.values())], 600)
    matrix = rng.normal(size=(600, len(COLUMNS)))
    stretched, tilted = kinds == "stretched", kinds == "tilted"
    matrix[stretched, COLUMNS.index("pressed")] += 3
    matrix[tilted, COLUMNS.index("anisotropy")] += 3
    nothing = np.zeros(600, int)
    forest = learn(Table(matrix, nothing, nothing, kinds), 5)
    assert forest.aspects == tuple(ALL_ASPECTS) and forest.columns == COLUMNS
    answers = dict(zip(forest.aspects, forest.answers(matrix).T, strict=True))
    is_intact = kinds == "intact"
    for aspect, spoiled in (("proportions", stretched), ("level", tilted)):
        assert answers[aspect][is_intact].mean() > answers[aspect][spoiled].mean() + 0.5
    asked = forest.features[forest.roots.reshape(len(ALL_ASPECTS), -1)[-1, 0] :]
    told_by = {COLUMNS.index(name) for name in TOLD_BY["proportions"]}
    assert list(ALL_ASPECTS)[-1] == "proportions" and set(asked.tolist()) == told_by | {LEAF}


def test_forests_of_other_aspects_and_of_few_columns_become_one() -> None:
    first, second = grown("ab", 6, 5, 10), grown("c", 2, 5, 20)
    turned = among(second, tuple("uvwxyz"[::-1]))
    np.testing.assert_array_equal(turned.answers(MATRIX[:, ::-1]), second.answers(MATRIX[:, :2]))
    both = one_after_another([first, among(second, first.columns)])
    assert both.aspects == ("a", "b", "c") and both.columns == first.columns
    np.testing.assert_array_equal(both.answers(MATRIX)[:, :2], first.answers(MATRIX))
    np.testing.assert_array_equal(both.answers(MATRIX)[:, 2:], second.answers(MATRIX[:, :2]))
    with pytest.raises(SystemExit, match="there are not: u, v"):
        among(second, ("w", "x"))


@pytest.mark.parametrize(
    "earlier", [("ba", 4, 5), ("ab", 4, 3), ("abcde", 6, 5)], ids=["order", "trees", "more"]
)
def test_what_does_not_fit_is_refused(earlier: tuple[str, int, int]) -> None:
    with pytest.raises(SystemExit, match="earlier forest"):
        joined(grown("abcd", 6, 5, 10), grown(*earlier, 20))
