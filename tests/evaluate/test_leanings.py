"""What raters went by: found where votes follow a measure, and not where they follow another one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image, ImageEnhance
from typer.testing import CliRunner

from photogenic.cli import app
from photogenic.core.records import Vote
from photogenic.core.run import Run
from photogenic.core.shards import read_json
from photogenic.evaluate.automatic import evaluate
from photogenic.evaluate.compare import Settings
from photogenic.evaluate.config import EvaluateConfig
from photogenic.evaluate.leanings import MIN_WINS, Leanings, balanced_share, leanings
from photogenic.evaluate.marks import percent
from photogenic.evaluate.measured import read_measured
from photogenic.evaluate.pairs import pair_id_for
from photogenic.evaluate.poll import RETURNED, Poll
from photogenic.evaluate.verdict import judge
from photogenic.evaluate.votes import write_votes
from photogenic.measures.pixel import COLUMNS

from .conftest import draw_model, shape
from .raters_of_known_strength import vote
from .test_verdict_report import page_text

NUM_PAIRS = 80
CONFIG = EvaluateConfig(clip=None, num_shown=1)
SETTINGS = Settings(confidence=0.95, num_resamples=2000, seed=0)


def measured(**columns: np.ndarray) -> pa.Table:
    """Two models, one picture a prompt; each column has the base's pictures first, then the tuned model's."""
    models = ["base"] * NUM_PAIRS + ["tuned"] * NUM_PAIRS
    prompts = [f"p{number:03}" for number in range(NUM_PAIRS)] * 2
    return pa.table({"model": models, "prompt_id": prompts, "seed": [7] * 2 * NUM_PAIRS, **columns})


def answers(number: int, preferred: tuple[str | None, ...], **changes: object) -> list[Vote]:
    """Votes on one pair: the model that each rater prefers, or None for a tie."""
    prompt_id = f"p{number:03}"
    return [
        vote(
            **{
                "vote_id": f"{prompt_id}-{rater}",
                "pair_id": pair_id_for("base", "tuned", prompt_id, 7),
                "prompt_id": prompt_id,
                "prompt": "",
                "answer": "tie" if model is None else "left" if model == "tuned" else "right",
                "rater": f"r{rater}",
                **changes,
            }
        )
        for rater, model in enumerate(preferred)
    ]


def follow(column: np.ndarray) -> list[Vote]:
    """Three raters of each pair; two prefer the picture with more, one the other."""
    num = len(column) // 2
    better = np.where(column[num:] > column[:num], "tuned", "base").tolist()
    other = {"tuned": "base", "base": "tuned"}
    return [
        one for number, model in enumerate(better) for one in answers(number, (model, model, other[model]))
    ]


def only(votes: list[Vote], table: pa.Table) -> Leanings:
    [found] = leanings(judge(votes), table)
    return found


def random_columns(*names: str, seed: int = 3) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.random(2 * NUM_PAIRS) for name in names}


def test_the_measure_that_votes_follow_is_found_and_another_is_not() -> None:
    columns = random_columns("saturation_ratio", "contrast")
    columns["content_luma_mean"] = 1 - columns["saturation_ratio"] ** 2
    columns["border_ratio"] = np.zeros(2 * NUM_PAIRS)  # no two pictures differ in it: it tells nothing
    found = only(follow(columns["saturation_ratio"]), measured(**columns))
    assert (found.rater_kind, found.question, found.num_pairs) == ("person", "visual_appeal", NUM_PAIRS)
    shares = {one.measure: one.share for one in found.measures}
    assert list(shares)[2] == "contrast" and len(shares) == 3  # farthest from one half first
    assert shares["saturation_ratio"].mean == 1 and shares["content_luma_mean"].mean == 0
    assert 0.9 < shares["saturation_ratio"].low < 1 and shares["saturation_ratio"].high == 1
    assert 0 < shares["content_luma_mean"].high < 0.1
    assert shares["contrast"].low < 0.5 < shares["contrast"].high
    assert shares["contrast"].high - shares["contrast"].low < 0.25


def test_ties_repeats_and_attention_checks_are_left_out() -> None:
    columns = random_columns("saturation_ratio", "contrast")
    table, votes = measured(**columns), follow(columns["saturation_ratio"])
    left_out = list(range(30))  # all their votes say: the less saturated picture, but no majority does
    decided = [one for one in votes if int(one.prompt_id[1:]) not in left_out]
    expected = only(decided, table)
    assert expected.num_pairs == NUM_PAIRS - 30
    less = np.where(columns["saturation_ratio"][:NUM_PAIRS] > columns["saturation_ratio"][NUM_PAIRS:], 1, 0)
    models = [("base", "tuned")[int(one)] for one in less]
    undecided = [
        one for number in left_out for one in answers(number, (models[number], None, None, models[number]))
    ]
    repeats = [
        one
        for number in range(30, NUM_PAIRS)
        for one in answers(number, (models[number],) * 3, vote_id=f"again-{number}", is_repeat=True)[:1]
    ]
    checks = [
        one
        for number in left_out
        for one in answers(
            number,
            (models[number],),
            vote_id=f"check-{number}",
            is_attention_check=True,
            expected="left",
        )
    ]
    assert only([*decided, *undecided, *repeats, *checks], table) == expected


def test_the_better_model_does_not_win_for_everything_that_it_has_more_of() -> None:
    """Three of four pairs go to the tuned model, which always has more contrast: that tells nothing."""
    contrast = np.repeat([0.2, 0.7], NUM_PAIRS)
    votes = [
        one
        for number in range(NUM_PAIRS)
        for one in answers(number, ("base" if number % 4 == 0 else "tuned",) * 3)
    ]
    [leaning] = only(votes, measured(contrast=contrast)).measures
    assert leaning.share.mean == pytest.approx(0.5) and leaning.share.low < 0.5 < leaning.share.high


def test_equal_pictures_count_half_and_unknown_measures_not_at_all() -> None:
    columns = random_columns("saturation_ratio", "contrast", "sharpness_score")
    votes = follow(columns["saturation_ratio"])
    columns["saturation_ratio"][NUM_PAIRS:][:20] = columns["saturation_ratio"][:20]
    columns["sharpness_score"][3] = np.nan
    found = {one.measure: one for one in only(votes, measured(**columns)).measures}
    assert set(found) == {"saturation_ratio", "contrast"}
    assert found["saturation_ratio"].num_equal == 20 and found["contrast"].num_equal == 0
    assert found["saturation_ratio"].share.mean == pytest.approx(1 - 0.5 * 20 / NUM_PAIRS, abs=0.03)


def test_from_few_wins_of_a_model_nothing_is_concluded() -> None:
    columns = random_columns("contrast")

    def won_by_base(num: int) -> list[Vote]:
        winners = ["base"] * num + ["tuned"] * (NUM_PAIRS - num)
        return [one for number, model in enumerate(winners) for one in answers(number, (model,) * 3)]

    assert leanings(judge(won_by_base(MIN_WINS - 1)), measured(**columns)) == []
    assert only(won_by_base(MIN_WINS), measured(**columns)).num_pairs == NUM_PAIRS


def test_pairs_whose_pictures_were_not_measured_are_left_out() -> None:
    columns = random_columns("saturation_ratio")
    votes, table = follow(columns["saturation_ratio"]), measured(**columns)
    assert only(votes, table.slice(5)).num_pairs == NUM_PAIRS - 5  # five of the base's are missing


def test_the_interval_is_that_of_agresti_and_caffo_where_each_pair_has_its_own_prompt() -> None:
    hits = np.concatenate([np.arange(90) < 60, np.arange(45) < 20]).astype(np.float64)
    sides, prompts = np.repeat([0, 1], [90, 45]), [str(number) for number in range(135)]
    found = balanced_share(hits, sides, np.array([0.5, 0.5]), prompts, SETTINGS)
    means, nums = np.array([61 / 92, 21 / 47]), np.array([92, 47])
    half = 1.96 * 0.5 * np.sqrt((means * (1 - means) / nums).sum())
    assert found.mean == pytest.approx((60 / 90 + 20 / 45) / 2)
    assert found.low == pytest.approx(means.mean() - half, abs=0.015)
    assert found.high == pytest.approx(means.mean() + half, abs=0.015)
    # The pairs of one prompt are one observation.
    wider = balanced_share(hits, sides, np.array([0.5, 0.5]), [str(n // 5) for n in range(135)], SETTINGS)
    assert wider.high - wider.low > 1.5 * (found.high - found.low)


def pale_in(parity: int) -> Callable[[str, str, int], Image.Image]:
    """Draws every second prompt in pale colours."""

    def draw(colour: str, name: str, seed: int) -> Image.Image:
        image = shape(colour, name, seed)
        return ImageEnhance.Color(image).enhance(0.4) if seed // 1000 % 2 == parity else image

    return draw


@pytest.fixture
def voted(run: Run) -> Poll:
    """Each model is paler in every second prompt, and raters prefer the other one's picture."""
    draw_model(run, "base", pale_in(0))
    draw_model(run, "tuned", pale_in(1))
    evaluate(CONFIG, run, seed=0)
    poll, table = Poll(CONFIG, run, 0), read_measured(run.folder)
    assert table is not None
    rows = [row for row in table.select(["model", "prompt_id", "seed"]).to_pylist() if row["model"] == "base"]
    votes = [
        vote(
            vote_id=f"v{number}",
            pair_id=pair_id_for("base", "tuned", row["prompt_id"], row["seed"]),
            prompt_id=row["prompt_id"],
            prompt="",
            answer="left" if number % 2 == 0 else "right",  # left: tuned
        )
        for number, row in enumerate(rows)
    ]
    poll.folder.mkdir(parents=True)
    write_votes(poll.folder / RETURNED, votes)
    return poll


def count(poll: Poll) -> tuple[str, str]:
    """What both pages say once the votes have been counted: that of the votes, that of the measures."""
    room = poll.open_room()
    try:
        poll.conclude(room)
    finally:
        room.database.close()
    return page_text(poll.page), page_text(poll.page.with_name("report.html"))


def test_both_pages_and_the_json_tell_it(voted: Poll) -> None:
    report = voted.page.with_name("report.html")
    assert "What the raters went by" not in page_text(report)
    of_votes, of_measures = count(voted)
    [panel] = read_json(voted.page.with_suffix(".json"))["panels"]
    told = panel["leanings"]["measures"]
    assert panel["leanings"]["num_pairs"] == 40 and told["saturation_ratio"]["mean"] == 1
    assert "jpeg_quality" not in told and "appeal_score" in told
    for text in (of_votes, of_measures):
        assert "What the raters went by" in text and "a correlation, not a cause" in text
        low = percent(told["saturation_ratio"]["low"])
        assert f"saturation_ratio {COLUMNS['saturation_ratio']} 100 % {low} to 100 %" in text
        assert "Of 40 pairs with a winner. The 10 of" in text
    assert of_measures.index("Visual appeal, judged by people") < of_measures.index("saturation_ratio")
    evaluate(CONFIG, voted.run, seed=0)  # measured once more, it is not forgotten
    assert page_text(report) == of_measures


def test_of_other_pictures_than_those_that_were_voted_on_nothing_is_told(voted: Poll) -> None:
    room = voted.open_room()
    voted.begin(room)
    room.database.close()
    count(voted)
    picture: Path = next((voted.run.folder / "generate" / "tuned").glob("*.png"))
    Image.new("RGB", (64, 64), "white").save(picture)
    assert read_measured(voted.run.folder) is None
    evaluate(CONFIG, voted.run, seed=0)
    assert "What the raters went by" not in page_text(voted.page.with_name("report.html"))
    assert all("What the raters went by" not in text for text in count(voted))


def test_the_table_holds_what_was_measured(voted: Poll) -> None:
    table = read_measured(voted.run.folder)
    assert table is not None and table.num_rows == 80 and set(COLUMNS) < set(table.column_names)
    told = read_json(voted.page.with_name("measures.json"))["models"]
    for model in ("base", "tuned"):
        rows = [row for row in table.to_pylist() if row["model"] == model]
        mean = np.mean([row["saturation_ratio"] for row in rows])
        assert mean == pytest.approx(told[model]["saturation_ratio"]["mean"])


def test_a_verdict_on_a_file_of_votes_tells_it_where_the_pictures_were_measured(voted: Poll) -> None:
    count(voted)
    votes, run = voted.folder / "votes.jsonl", voted.run.folder
    out = run / "again"
    found = CliRunner().invoke(
        app, ["verdict", str(votes), "--pictures", str(run / "generate"), "--out", str(out)]
    )
    assert found.exit_code == 0, found.output
    told = read_json(out / "verdict.json")["panels"][0]["leanings"]
    assert told == read_json(voted.page.with_suffix(".json"))["panels"][0]["leanings"]
    assert "What the raters went by" in page_text(out / "verdict.html")
    (run / "evaluate" / "measured.parquet").unlink()
    CliRunner().invoke(app, ["verdict", str(votes), "--pictures", str(run / "generate"), "--out", str(out)])
    assert "leanings" not in read_json(out / "verdict.json")["panels"][0]
