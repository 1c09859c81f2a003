from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import stats
from tastes import SHARP

from photogenic.core.errors import RunError, StorageError
from photogenic.core.run import Run
from photogenic.core.shards import read_json, read_table
from photogenic.evaluate.automatic import evaluate, pair_rows
from photogenic.evaluate.config import EvaluateConfig
from photogenic.measures.appeal import appeal_score
from photogenic.measures.clip_score import ClipScorer
from photogenic.measures.decode import decode
from photogenic.measures.distances import cmmd, diversity, frechet_distance
from photogenic.measures.pixel import measure
from photogenic.measures.taste import save

from .conftest import COLOURS, SHAPES, SIZE_PX, draw_model, draw_pale, put_needles, shape

QUICK = {"num_resamples": 200, "num_shown": 2}


def measures_of(run: Run, **values: object) -> dict[str, Any]:
    evaluate(EvaluateConfig.model_validate({**QUICK, **values}), run, seed=0)
    return dict(read_json(run.folder / "evaluate" / "measures.json"))


def files_of(run: Run, model: str) -> list[Path]:
    folder = run.folder / "generate" / model
    return [folder / file for file in read_table(folder / "manifest.parquet")["file"].to_pylist()]


def read_measures(run: Run) -> dict[str, Any]:
    return dict(read_json(run.folder / "evaluate" / "measures.json"))


def test_the_better_model_is_found_better_and_nobody_is_said_to_have_judged(judged: Run) -> None:
    found = read_measures(judged)
    assert found["people"] == 0
    assert found["statement"] == "No person has judged these pictures."
    assert found["num_pictures"] == {"base": 80, "tuned": 80}
    for name in ("appeal_score", "clip_score", "diversity"):
        assert found["paired"]["tuned"][name]["low"] > 0
    for name in ("frechet_distance", "cmmd"):
        assert found["paired"]["tuned"][name]["high"] < 0
    assert found["paired"]["tuned"]["appeal_score"]["wins"] == 40
    assert "votes" not in json.dumps(found)


def test_the_numbers_are_those_of_the_measures_themselves(judged: Run, clip_folder: Path) -> None:
    found = read_measures(judged)
    tuned = found["models"]["tuned"]
    data = [path.read_bytes() for path in files_of(judged, "tuned")]
    pictures = [decode(one, min_long_side_px=64) for one in data]
    appeal = [appeal_score(measure(picture, one)) for picture, one in zip(pictures, data, strict=True)]
    assert tuned["appeal_score"]["mean"] == pytest.approx(np.mean(appeal))

    clip = ClipScorer(clip_folder)
    prompts = read_table(judged.folder / "generate" / "tuned" / "manifest.parquet")["prompt"].to_pylist()
    scores = clip.score([picture.rgb for picture in pictures], prompts)
    assert tuned["clip_score"]["mean"] == pytest.approx(scores.mean(), rel=1e-5)

    embeds = clip.embed_images([picture.rgb for picture in pictures])
    needles = [judged.folder / "needles" / name for name in needle_members(judged)]
    wanted = clip.embed_images([decode(path.read_bytes(), min_long_side_px=64).rgb for path in needles])
    assert tuned["frechet_distance"]["mean"] == pytest.approx(frechet_distance(embeds, wanted), rel=1e-6)
    assert tuned["cmmd"]["mean"] == pytest.approx(cmmd(embeds, wanted), rel=1e-6)
    assert tuned["diversity"]["mean"] == pytest.approx(diversity(embeds), rel=1e-6)
    assert found["space"] == "shapes CLIP, 64 px"


def needle_members(run: Run) -> list[str]:
    return list(read_table(run.folder / "review" / "needles.parquet")["member"].to_pylist())


def test_the_sign_test_counts_prompts(judged: Run) -> None:
    compared = read_measures(judged)["paired"]["tuned"]["clip_score"]
    assert (compared["num_pairs"], compared["num_prompts"]) == (80, 40)
    assert compared["wins"] + compared["ties"] + compared["losses"] == 40
    expected = stats.binomtest(compared["wins"], compared["wins"] + compared["losses"]).pvalue
    assert compared["p_value"] == pytest.approx(expected)


def test_slices_are_adjusted_for_looking_at_all_of_them(judged: Run) -> None:
    slices = read_measures(judged)["slices"]["tuned"]
    assert set(slices) == {"category", "challenge"}
    assert slices["challenge"] == {}
    round_ones, edged = (slices["category"][name]["appeal_score"] for name in ("round", "edged"))
    assert (round_ones["num_prompts"], edged["num_prompts"]) == (16, 24)
    assert edged["p_value_holm"] == pytest.approx(2 * edged["p_value"])


def test_a_taste_is_measured_beside_the_appeal(run: Run, tmp_path: Path) -> None:
    save(SHARP, tmp_path / "sharp.json")
    few_models(run)
    found = measures_of(run, clip=None, taste=tmp_path / "sharp.json")
    told = found["paired"]["tuned"]["taste_prob"]
    assert told["low"] > 0 and told["wins"] == told["num_prompts"] and 0 < found["needles"]["taste_prob"] < 1
    data = [path.read_bytes() for path in files_of(run, "tuned")]
    probs = [SHARP.of_one(measure(decode(one, min_long_side_px=64), one)) for one in data]
    assert found["models"]["tuned"]["taste_prob"]["mean"] == pytest.approx(np.mean(probs))
    assert "taste_prob is by sharp.json, learnt from 50 decisions of reviewers." in found["remarks"]
    with pytest.raises(RunError, match="There is no taste"):
        measures_of(run, clip=None, taste=tmp_path / "absent.json")


def test_the_same_command_writes_the_same_bytes(run: Run, clip_folder: Path) -> None:
    few_models(run)
    folder = run.folder / "evaluate"
    measures_of(run, clip=str(clip_folder))
    first = [(folder / name).read_bytes() for name in ("measures.json", "report.html")]
    measures_of(run, clip=str(clip_folder))
    assert [(folder / name).read_bytes() for name in ("measures.json", "report.html")] == first


def few_models(run: Run) -> None:
    put_needles(run, [(COLOURS[i % 8], SHAPES[i % 5], 50_000 + i) for i in range(24)])
    draw_model(run, "base", draw_pale, num_prompts=12)
    draw_model(run, "tuned", shape, num_prompts=12)


@pytest.mark.parametrize(
    ("clip", "sentence"),
    [(None, "the recipe names no CLIP"), ("no-such-clip", "There is no model")],
)
def test_without_a_clip_the_rest_is_measured_and_the_report_says_why(
    run: Run, clip: str | None, sentence: str
) -> None:
    few_models(run)
    found = measures_of(run, clip=clip)
    assert any(sentence in remark for remark in found["remarks"])
    assert set(found["models"]["tuned"]) & {"clip_score", "frechet_distance", "cmmd", "diversity"} == set()
    assert found["paired"]["tuned"]["appeal_score"]["low"] > 0
    assert found["space"] is None
    assert sentence in (run.folder / "evaluate" / "report.html").read_text(encoding="utf-8")


def test_a_clip_that_does_not_know_the_needles_is_left_out(run: Run, lost_clip_folder: Path) -> None:
    few_models(run)
    found = measures_of(run, clip=str(lost_clip_folder))
    assert any("does not know what the needles show" in remark for remark in found["remarks"])
    assert "clip_score" not in found["models"]["tuned"]
    assert "clip_score" not in found["needles"]
    assert "frechet_distance" not in found["paired"]["tuned"]


def test_a_memorising_model_is_caught(run: Run, clip_folder: Path) -> None:
    seeds = {(colour, name): 10 * i + j for i, colour in enumerate(COLOURS) for j, name in enumerate(SHAPES)}
    put_needles(run, [(colour, name, seed) for (colour, name), seed in seeds.items()])
    draw_model(run, "base", lambda colour, name, seed: shape(colour, name, 9000 + seed))
    draw_model(run, "parrot", lambda colour, name, seed: shape(colour, name, seeds[colour, name]))
    found = measures_of(run, clip=str(clip_folder), near_copy={"max_bits": 3, "min_cosine": 0.999})
    assert found["models"]["parrot"]["near_copy_ratio"]["mean"] > 0.95
    assert found["models"]["base"]["near_copy_ratio"]["mean"] < 0.15
    assert found["paired"]["parrot"]["near_copy_ratio"]["low"] > 0.5


@pytest.mark.parametrize("with_clip", [True, False])
@pytest.mark.parametrize("beside_px", [0, 40])
def test_a_model_that_draws_its_needles_is_caught_at_the_usual_limits(
    run: Run, clip_folder: Path, beside_px: int, with_clip: bool
) -> None:
    """Its pictures are the pixels of the needles' middle, made smaller as a model would have learnt them."""
    wanted = {(colour, name): 7 * i + j for i, colour in enumerate(COLOURS) for j, name in enumerate(SHAPES)}
    put_needles(run, [(colour, name, seed) for (colour, name), seed in wanted.items()], beside_px)

    def remembered(colour: str, name: str, _seed: int) -> Image.Image:
        with Image.open(run.folder / "needles" / f"{colour}-{name}-{wanted[colour, name]}.png") as needle:
            middle = needle.crop((beside_px, 0, beside_px + 96, 96))
            return middle.resize((SIZE_PX, SIZE_PX), Image.Resampling.BICUBIC)

    draw_model(run, "base", draw_pale)
    draw_model(run, "parrot", remembered)
    found = measures_of(run, clip=str(clip_folder) if with_clip else None)
    assert found["models"]["parrot"]["near_copy_ratio"]["mean"] == 1.0
    page = (run.folder / "evaluate" / "report.html").read_text(encoding="utf-8")
    assert "near-copies" in page.lower() or "near-copy" in page.lower()


def test_two_alike_models_are_not_told_apart(run: Run, clip_folder: Path) -> None:
    put_needles(run, [(COLOURS[i % 8], SHAPES[i % 5], i) for i in range(24)])
    draw_model(run, "base", shape)
    draw_model(run, "again", shape)
    compared = measures_of(run, clip=str(clip_folder))["paired"]["again"]
    for name in ("appeal_score", "clip_score"):
        assert (compared[name]["mean"], compared[name]["wins"], compared[name]["ties"]) == (0.0, 0, 40)
        assert compared[name]["p_value"] == 1.0
        assert compared[name]["win_rate_without_ties"] is None


def test_without_needles_the_models_are_compared_all_the_same(run: Run, clip_folder: Path) -> None:
    draw_model(run, "base", draw_pale)
    draw_model(run, "tuned", shape)
    found = measures_of(run, clip=str(clip_folder))
    assert any("There are no needles" in remark for remark in found["remarks"])
    assert found["num_needles"] == 0
    assert "frechet_distance" not in found["models"]["base"]
    assert found["paired"]["tuned"]["diversity"]["low"] > 0


def test_pictures_without_a_partner_are_counted_and_left_out(run: Run, clip_folder: Path) -> None:
    draw_model(run, "base", shape, num_prompts=40)
    draw_model(run, "tuned", shape, num_prompts=30)
    found = measures_of(run, clip=str(clip_folder))
    assert any("10 pictures of tuned and the base have no partner" in remark for remark in found["remarks"])
    assert found["paired"]["tuned"]["appeal_score"]["num_pairs"] == 30


def test_pairs_are_found_by_prompt_and_seed_and_not_by_order() -> None:
    rows = [{"prompt_id": "a", "seed": 1}, {"prompt_id": "a", "seed": 2}, {"prompt_id": "b", "seed": 1}]
    ours, theirs = pair_rows(rows, rows[::-1])
    assert ours.tolist() == [0, 1, 2]
    assert theirs.tolist() == [2, 1, 0]
    assert [len(column) for column in pair_rows(rows, [])] == [0, 0]


def test_three_models_are_each_held_against_the_base(run: Run) -> None:
    draw_model(run, "plain", draw_pale, num_prompts=10)
    draw_model(run, "one", shape, num_prompts=10)
    draw_model(run, "two", shape, num_prompts=10)
    found = measures_of(run, clip=None, base="plain")
    assert list(found["models"]) == ["plain", "one", "two"]
    assert set(found["paired"]) == {"one", "two"}


def test_one_model_alone_is_measured(run: Run) -> None:
    draw_model(run, "base", shape, num_prompts=6)
    found = measures_of(run, clip=None)
    assert found["paired"] == {}
    assert math.isfinite(found["models"]["base"]["appeal_score"]["mean"])


def test_one_prompt_has_a_mean_and_no_interval(run: Run, clip_folder: Path) -> None:
    draw_model(run, "base", shape, num_prompts=1)
    draw_model(run, "tuned", shape, num_prompts=1)
    compared = measures_of(run, clip=str(clip_folder))["paired"]["tuned"]["appeal_score"]
    assert (compared["mean"], compared["low"], compared["high"]) == (0.0, None, None)


def test_nothing_drawn(run: Run) -> None:
    with pytest.raises(RunError, match="no drawn pictures"):
        measures_of(run)


def test_a_base_that_drew_nothing_names_those_who_did(judged: Run) -> None:
    with pytest.raises(RunError, match="Pictures are there from: base, tuned"):
        measures_of(judged, base="bass")


def test_a_picture_that_is_gone_is_an_error(run: Run) -> None:
    few_models(run)
    files_of(run, "tuned")[3].unlink()
    with pytest.raises(StorageError, match="Run `photogenic generate RECIPE` again"):
        measures_of(run)


def test_all_intervals_have_the_confidence_that_was_asked_for(run: Run) -> None:
    few_models(run)
    found = measures_of(run, clip=None, confidence=0.5)["paired"]["tuned"]["appeal_score"]
    low, high = stats.binomtest(found["wins"], found["wins"] + found["losses"]).proportion_ci(0.5, "wilson")
    assert found["win_rate_interval"] == pytest.approx([low, high])
    page = (run.folder / "evaluate" / "report.html").read_text(encoding="utf-8")
    assert f"{100 * low:.0f} % to {100 * high:.0f} %" in page


def test_no_near_copy_among_few_pictures_is_not_certain(run: Run) -> None:
    few_models(run)
    copies = measures_of(run, clip=None, near_copy={"max_bits": 0})["models"]["tuned"]["near_copy_ratio"]
    assert copies["mean"] == 0 < 0.1 < copies["high"]
