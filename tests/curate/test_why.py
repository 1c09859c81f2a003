from pathlib import Path

import pytest
from rich.console import Console

from photogenic.core.errors import RunError
from photogenic.core.run import Run
from photogenic.core.tombstones import Tombstone, add_tombstones
from photogenic.curate.config import CurateConfig
from photogenic.curate.why import Line, Story, why

from .funnels import run_funnel

CONFIG = CurateConfig.model_validate(
    {
        "steps": {
            "size": {"min_side_px": 64, "max_megapixels": 1},
            "contrast": {"min": 0.2, "min_quantile": 0.05},
            "duplicates": {},
            "select": {"num": 30},
        }
    }
)


@pytest.fixture(scope="module")
def run(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_funnel(drawn, tmp_path_factory.mktemp("why") / "run", config=CONFIG)


def outcomes(story: Story) -> list[tuple[str, str]]:
    return [(line.step, line.outcome) for line in story.lines]


def printed(story: Story) -> str:
    console = Console(width=160)
    with console.capture() as capture:
        console.print(story)
    return capture.get()


def test_a_dropped_sample_tells_each_step_up_to_the_one_that_decided(run: Run) -> None:
    (story,) = why(run, "flat")
    assert outcomes(story) == [
        ("read", "passed"),
        ("size", "passed"),
        ("size", "passed"),
        ("contrast", "dropped"),
        ("duplicates", "not reached"),
        ("select", "not reached"),
    ]
    text = printed(story)
    assert "min_side_px 320, at least 64" in text
    assert "at least 0.2: flat" in text
    assert "dropped at the step contrast: flat (contrast below 0.2)" in text


def test_a_kept_sample_passed_everything(run: Run) -> None:
    kept = [story for number in range(40) for story in why(run, f"{number:02d}") if "kept" in story.verdict]
    assert kept
    assert {outcome for _, outcome in outcomes(kept[0])} == {"passed"}
    assert "the 5 % quantile" in printed(kept[0])
    assert "kept: a candidate" in printed(kept[0])


def test_a_duplicate_names_the_one_that_stayed(run: Run) -> None:
    twins = {story.sample["key"]: story for name in ("same-bytes", "01") for story in why(run, name)}
    (gone,) = (key for key, story in twins.items() if "same bytes as" in story.verdict)
    (stayed,) = twins.keys() - {gone}
    line = next(line for line in twins[gone].lines if line.outcome == "dropped")
    assert line.said == f"same bytes as {twins[stayed].sample['sample_id']}, {stayed} (0, threshold 6)"


def test_what_could_not_be_read_says_so(run: Run) -> None:
    (truncated,) = why(run, "truncated")
    assert truncated.verdict == "dropped at the step read: truncated"
    (gone,) = why(run, "gone")
    assert gone.verdict.startswith("failed at the step read: ")


def test_a_sample_has_many_names(run: Run, drawn: Path) -> None:
    (story,) = why(run, "small")
    row = story.sample
    for name in (row["sample_id"], row["uid"], "small.png", str(drawn / "small.png")):
        assert [found.sample["sample_id"] for found in why(run, name)] == [row["sample_id"]]
    (by_file_name,) = why(run, "07.jpg")
    assert by_file_name.sample["member"] == "good/07.jpg"
    twins = why(run, str(why(run, "same-bytes")[0].sample["uid"]))
    assert {twin.sample["key"] for twin in twins} == {"same-bytes", "01"}


def test_an_unknown_name_gets_the_nearest(run: Run, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no sample") as caught:
        why(run, "smal")
    assert "small" in caught.value.fix
    with pytest.raises(RunError, match="not been curated"):
        why(Run(tmp_path), "small")


def test_what_was_taken_out_or_is_raw_says_so(run: Run) -> None:
    stone = Tombstone("5f2a8c", "ab" * 32, "2026-11-29T15:14:39+00:00", "the sitter asked")
    add_tombstones(run.folder, [stone])
    for name in (stone.sample_id, stone.uid):
        with pytest.raises(RunError, match="taken out for good on 2026-11-29: the sitter asked"):
            why(run, str(name))
    with pytest.raises(RunError, match="no sample") as caught:
        why(run, "small.CR3")
    assert "export them as JPEG" in caught.value.fix


def test_whatever_a_stranger_wrote_is_told_as_it_is() -> None:
    said = "licence [/b] [red]mine[/] is not allowed"
    sample = {
        "source": "[/s]",
        "member": "[m]",
        "alt_text": "[/x]",
        "key": "[/]",
        "sample_id": "1",
        "uid": None,
    }
    sample |= {"verdict": "dropped", "drop_step": "licence", "drop_reason": said}
    lines = (Line("licence", said, "dropped"),)
    text = printed(Story(sample, lines, (("ocr, revision 1", "ocr_text [/b] [link=x]y"),)))
    assert text.count(said) == 2 and "[/s]/[m]" in text and "ocr_text [/b] [link=x]y" in text
