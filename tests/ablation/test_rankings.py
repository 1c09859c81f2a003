"""Two orders against a choice, in tables whose answer is known."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from photogenic.ablation.choose import Haystack
from photogenic.ablation.rankings import compare_rankings
from photogenic.core.run import Run
from photogenic.core.shards import write_table

ALL = [f"p{number}" for number in range(10)]
CANDIDATES, NEEDLES = ALL[:6], ["p0", "p2", "p3"]


def whole(folder: Path, scores: list[float | None], decided_by: str = "ann") -> Haystack:
    needles = pa.table(
        {
            "sample_id": NEEDLES,
            "score": pa.array(scores, pa.float64()),
            "decided_by": [decided_by] * 3,
            "caption": ["", "", ""],
            "caption_source": ["alt_text"] * 3,
        }
    )
    verdicts = pa.table(
        {
            "sample_id": ALL,
            "verdict": ["kept"] * 6 + ["dropped"] * 3 + ["failed"],
            "drop_step": pa.array([None] * 6 + ["size", "size", "read", None], pa.string()),
        }
    )
    measured = pa.table({"sample_id": ALL, "appeal_score": [float(-number) for number in range(10)]})
    write_table(folder / "review" / "needles.parquet", needles)
    write_table(folder / "curate" / "candidates.parquet", pa.table({"sample_id": CANDIDATES}))
    write_table(folder / "curate" / "verdicts.parquet", verdicts)
    write_table(folder / "curate" / "scores" / "0.parquet", measured)
    return Haystack(Run(folder), None, "appeal_score", 0)


def test_both_fields_by_hand(tmp_path: Path) -> None:
    attention = {one: float(number) for number, one in enumerate(ALL)}  # the opposite order
    found = compare_rankings(whole(tmp_path, [None] * 3), attention, num_sampled=100)
    assert found["chosen_by"] == "people"
    among = found["fields"]["candidates"]
    # p0 > all; p2 > p4, p5; p3 > p4, p5: 3 + 2 + 2 of 9 pairs
    assert among["rankings"]["appeal_score"]["auc"]["value"] == pytest.approx(7 / 9)
    assert among["rankings"]["attention_score"]["auc"]["value"] == pytest.approx(2 / 9)
    assert among["auc_difference"]["value"] == pytest.approx(-5 / 9)
    assert among["spearman"] == pytest.approx(-1.0)
    (first,) = among["rankings"]["appeal_score"]["first"]
    assert (first["k"], first["hits"], first["expected"]) == (3, 2, pytest.approx(1.5))
    # In the haystack p6 and p7 count as not chosen; p8 cannot be read, p9 failed.
    everywhere = found["fields"]["haystack"]
    assert (everywhere["num_pictures"], everywhere["num_needles"]) == (8, 3)
    assert everywhere["rankings"]["appeal_score"]["auc"]["value"] == pytest.approx(13 / 15)


def test_pictures_without_a_score_are_left_out(tmp_path: Path) -> None:
    attention = {one: 0.0 for one in ALL if one != "p2"}
    among = compare_rankings(whole(tmp_path, [None] * 3), attention, 0)["fields"]["candidates"]
    assert (among["num_pictures"], among["num_needles"]) == (5, 2)
    assert among["rankings"]["attention_score"]["auc"]["value"] == 0.5  # all are equal
    assert among["spearman"] is None


def test_needles_of_a_score_are_told_apart(tmp_path: Path) -> None:
    found = compare_rankings(whole(tmp_path, [3.0, 2.0, 1.0]), dict.fromkeys(ALL, 1.0), 5)
    assert found["chosen_by"] == "score"


def test_needles_that_models_chose_are_not_called_people_s(tmp_path: Path) -> None:
    haystack = whole(tmp_path, [None] * 3, "imported from cull.csv: eye (a model), no person looked")
    assert compare_rankings(haystack, dict.fromkeys(ALL, 1.0), 5)["chosen_by"] == "models"
