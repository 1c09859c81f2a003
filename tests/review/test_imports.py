from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from photogenic.core.errors import RunError, StorageError
from photogenic.core.run import Run
from photogenic.core.shards import read_table, write_table
from photogenic.review.config import ReviewConfig
from photogenic.review.rounds import review

Haystack = Callable[..., list[str]]


@pytest.fixture
def decide(run: Run, tmp_path: Path) -> Callable[[str], list[dict[str, object]]]:
    def write_and_review(text: str) -> list[dict[str, object]]:
        path = tmp_path / "decisions.csv"
        path.write_text(text, encoding="utf-8-sig")
        review(ReviewConfig(decisions=path), run, seed=0)
        return read_table(run.folder / "review" / "needles.parquet").to_pylist()

    return write_and_review


Decide = Callable[[str], list[dict[str, object]]]


def test_decisions_by_sample_id(haystack: Haystack, decide: Decide) -> None:
    ids = haystack([(0.1, 0.0, None)] * 4)
    needles = decide(f"sample_id,keep\n{ids[3]},yes\n{ids[0]},0\n{ids[2]},KEEP\n{ids[1]},\n")
    assert [needle["sample_id"] for needle in needles] == sorted([ids[2], ids[3]])
    assert {needle["decided_by"] for needle in needles} == {"imported from decisions.csv"}
    assert {needle["score"] for needle in needles} == {None}


@pytest.mark.parametrize("names", ["key,sticker-1", "file_name,001.png"])
def test_decisions_by_key_or_file_name(haystack: Haystack, decide: Decide, names: str) -> None:
    ids = haystack([(0.1, 0.0, None)] * 3)
    column, name = names.split(",")
    assert [needle["sample_id"] for needle in decide(f"{column},keep\n{name},1\n")] == [ids[1]]


def test_a_written_caption_is_the_writers(haystack: Haystack, decide: Decide) -> None:
    haystack([(0.1, 0.0, None)] * 2)
    needles = decide('key,keep,caption,decided_by\nsticker-0,1,"A blue disc, low",Ada\nsticker-1,1,,\n')
    told = {
        needle["key"]: (needle["caption"], needle["caption_source"], needle["decided_by"])
        for needle in needles
    }
    assert told == {
        "sticker-0": ("A blue disc, low", "writer", "imported from decisions.csv: Ada"),
        "sticker-1": ("disc & number 1", "alt_text", "imported from decisions.csv"),
    }


def test_without_a_funnel_the_pool_is_looked_up_and_the_bytes_get_their_uid(
    run: Run, tmp_path: Path, haystack: Haystack, decide: Decide
) -> None:
    haystack([(0.1, 0.0, None)] * 2, funnel=False)
    needle = decide("key,keep\nsticker-1,1\n")[0]
    assert needle["uid"] == hashlib.sha256((tmp_path / "stickers" / "001.png").read_bytes()).hexdigest()


def test_a_needle_whose_bytes_are_gone_is_an_error(
    run: Run, tmp_path: Path, haystack: Haystack, decide: Decide
) -> None:
    haystack([(0.1, 0.0, None)], funnel=False)
    (tmp_path / "stickers" / "000.png").unlink()
    with pytest.raises(StorageError, match="Cannot read"):
        decide("key,keep\nsticker-0,1\n")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("key,verdict\nsticker-0,1\n", "needs a column `keep`"),
        ("name,keep\nsticker-0,1\n", "needs a column `keep` and one of"),
        ("", "it has none"),
        ("key,keep\nsticker-0,maybe\n", "line 2: `keep` is 'maybe'"),
        ("key,keep\nsticker-0,1\nsticker-9,1\n", r"keeps 1 samples whose key .* 'sticker-9' \(line 3\)"),
        ("key,keep\nsticker-0,1\nsticker-0,0\n", "in line 2 and rejects it in line 3"),
        ("key,keep\nsticker-0,0\n", "found no needles"),
    ],
)
def test_what_does_not_fit_is_a_sentence(
    haystack: Haystack, decide: Decide, text: str, sentence: str
) -> None:
    haystack([(0.1, 0.0, None)] * 2)
    with pytest.raises(RunError, match=sentence):
        decide(text)


def test_a_reject_that_the_funnel_dropped_already_is_fine(haystack: Haystack, decide: Decide) -> None:
    haystack([(0.1, 0.0, None)])
    assert len(decide("key,keep\nsticker-0,1\nsticker-9,0\n")) == 1


def test_the_same_decision_twice_is_one_needle(haystack: Haystack, decide: Decide) -> None:
    haystack([(0.1, 0.0, None)])
    assert len(decide("key,keep\nsticker-0,1\nsticker-0,yes\n")) == 1


def test_a_key_of_several_sources_needs_its_source(run: Run, haystack: Haystack, decide: Decide) -> None:
    haystack([(0.1, 0.0, None)])
    path = run.folder / "curate" / "candidates.parquet"
    table = read_table(path)
    twin = table.set_column(table.column_names.index("source"), "source", pa.array(["photos"]))
    twin = twin.set_column(table.column_names.index("sample_id"), "sample_id", pa.array(["0" * 24]))
    write_table(path, pa.concat_tables([table, twin]))
    with pytest.raises(RunError, match="is in several sources"):
        decide("key,keep\nsticker-0,1\n")
    assert decide("key,source,keep\nsticker-0,photos,1\n")[0]["sample_id"] == "0" * 24


def test_a_second_look_that_came_late_is_not_the_last_rounds_word(haystack: Haystack, decide: Decide) -> None:
    ids = haystack([(0.1, 0.0, None)] * 2)
    said = [
        (ids[0], "Cull", "drop"),
        (ids[1], "Cull", "keep"),
        (ids[0], "Finest", "drop"),  # kept in the cull after all, by an undo
        (ids[1], "Finest", "keep"),
        (ids[0], "Cull: second looks", "keep"),
    ]
    lines = [
        f"e{n},decide,{title},{sample},Ada,{int(verdict == 'keep')},,true,{{}}"
        for n, (sample, title, verdict) in enumerate(said)
    ]
    needles = decide("event_id,kind,round,sample_id,person,keep,caption,counts,body\n" + "\n".join(lines))
    assert [needle["sample_id"] for needle in needles] == [ids[1]]
