"""Steps on what came with the pictures: licences, opt-outs, groups, captions, and steps under own names."""

import json
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from photogenic.core.errors import RecipeError
from photogenic.core.run import Run
from photogenic.core.shards import read_json, read_table
from photogenic.curate.config import CurateConfig, PoolConfig
from photogenic.curate.explore.funnel import Explorer
from photogenic.curate.explore.pool import ExploredPool
from photogenic.curate.finishing import finish_scorer
from photogenic.curate.funnel import curate
from photogenic.curate.pool import index
from photogenic.curate.roster import inputs
from photogenic.measures.finish import forest

NUM = 24
LICENCES = ["CC-BY-4.0", "cc0", None, "all rights reserved"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("pool")
    rows = []
    for number in range(NUM):
        name = f"{number:02d}.png"
        pixels = np.random.default_rng(number).integers(0, 255, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(folder / name)
        row = {"file_name": name, "alt_text": f"noise of number {number}" if number else "DSC_0001"}
        row |= {"likes": number, "group": "cats" if number < 12 else "dogs", "licence": LICENCES[number % 4]}
        row |= {"opt_out": {1: True, 2: "false", 3: False, 4: 0.0, 5: "yes"}.get(number)}
        row |= {"kind": number % 2 if number < 20 else None}
        rows.append(json.dumps(row) + "\n")
    (folder / "metadata.jsonl").write_text("".join(rows))
    run = Run(tmp_path_factory.mktemp("run"))
    index(PoolConfig.model_validate({"sources": {"pool": {"path": folder}}}), run)
    return run


def decided(run: Run, steps: dict[str, object], **more: object) -> dict[int, tuple[str | None, str | None]]:
    """Number of the picture -> the step that dropped it, and the reason."""
    curate(CurateConfig.model_validate({"steps": steps} | more), run, workers=1)
    rows = read_table(run.folder / "curate" / "verdicts.parquet").to_pylist()
    return {int(row["key"]): (row["drop_step"], row["drop_reason"]) for row in rows}


def kept(found: dict[int, tuple[str | None, str | None]]) -> set[int]:
    return {number for number, (step, _) in found.items() if step is None}


def test_licences_and_opt_outs(run: Run) -> None:
    found = decided(run, {"opt_out": {}, "licence": {"allow": ["CC-BY*", "CC0"]}})
    assert kept(found) == {number for number in range(NUM) if number % 4 < 2} - {1, 5}
    assert found[1] == ("opt_out", "opted out (fields.opt_out)")
    assert found[2] == ("licence", "licence not stated is not allowed")
    assert found[3] == ("licence", "licence all rights reserved is not allowed")
    lenient = decided(run, {"licence": {"allow": ["CC-BY*"], "keep_unknown": True}})
    assert kept(lenient) == {number for number in range(NUM) if number % 4 in (0, 2)}
    for letters in ("cc[0]", "cc?", "cc\\0"):  # only `*` stands for something else
        assert not kept(decided(run, {"licence": {"allow": [letters]}}))


def test_the_class_0_is_a_class(run: Run) -> None:
    found = decided(run, {"select": {"num": 9, "by": "fields.likes", "balance": "kind"}})
    assert kept(found) == {14, 16, 18, 15, 17, 19, 21, 22, 23}
    assert found[0] == ("select", "not among the best of kind '0' by fields.likes")
    pool = ExploredPool.read(
        run,
        CurateConfig.model_validate(
            {"steps": {"select": {"num": 9, "by": "fields.likes", "balance": "kind"}}}
        ),
    )
    assert [count.left for count in Explorer(pool).counts({})][-1] == 9
    page = (run.folder / "curate" / "report.html").read_text(encoding="utf-8")
    assert all(f'<th scope="row">{kind}</th>' in page for kind in ("0", "1", "none"))


def test_nothing_is_chosen_whose_text_names_what_is_held_out(run: Run, tmp_path: Path) -> None:
    prompts = tmp_path / "prompts.csv"
    prompts.write_text(
        "prompt,challenge\nNumber 7,held out\nof number-12!,held out\nnumber 1,\nnumber 99,held out\n"
    )
    found = decided(run, {"held_out": {"prompts": str(prompts), "challenge": "held out"}})
    assert kept(found) == set(range(NUM)) - {7, 12}, "17 is not 7, and one prompt has no challenge"
    assert found[7] == ("held_out", "held out: its text names number 7")
    config = CurateConfig.model_validate({"steps": {"held_out": {"prompts": str(prompts)}}})
    before, text = inputs(config), prompts.read_text()
    prompts.write_text(text + "number 8,\n")
    assert inputs(config) != before, "another text in the file is another result"
    prompts.write_text(text)
    assert inputs(config) == before
    everything = decided(run, {"held_out": {"prompts": str(prompts)}})
    assert kept(everything) == set(range(NUM)) - {1, 7, 12}
    with pytest.raises(RecipeError, match=r"No prompt of .* has the challenge 'hard'"):
        decided(run, {"held_out": {"prompts": str(prompts), "challenge": "hard"}})


def test_popularity_within_a_group_is_fair_to_small_numbers(run: Run) -> None:
    found = decided(run, {"popularity": {"field": "likes", "min_quantile": 0.5, "within": "group"}})
    assert kept(found) == {*range(6, 12), *range(18, 24)}
    assert found[0][1] == "not popular (fields.likes below the 50 % quantile of its group)"
    overall = decided(run, {"popularity": {"field": "likes", "min_quantile": 0.5}})
    assert kept(overall) == set(range(12, 24))


def test_a_step_may_stand_twice_under_names_of_its_own(run: Run) -> None:
    steps = {
        "few": {"step": "popularity", "field": "likes", "min": 3},
        "many": {"step": "column", "name": "fields.likes", "max": 20},
        "wide": {"step": "column", "name": "width_px", "max": 40},
        "caption": {},
    }
    found = decided(run, steps)
    assert kept(found) == set(range(3, 21))
    assert (found[0][0], found[23][0]) == ("few", "many")
    assert decided(run, {"caption": {}})[0] == (
        "caption",
        "its text is boilerplate (num_boilerplate above 0)",
    )
    with pytest.raises(RecipeError, match=r"wide\.name.*'width'"):
        decided(run, {"wide": {"step": "column", "name": "width", "max": 40}})


def test_a_target_is_met_over_the_chain(run: Run) -> None:
    steps = {
        "contrast": {"min_quantile": "target"},
        "likes": {"step": "popularity", "field": "likes", "min_quantile": "target"},
    }
    found = decided(run, steps, target=10)
    assert len(kept(found)) == 10
    counts = read_json(run.folder / "curate" / "counts.json")
    assert counts["target"]["left"] == counts["kept"] == 10
    rules = [step["rules"][0] for step in counts["steps"][1:]]
    assert {rule["quantile"] for rule in rules} == {counts["target"]["quantile"]}
    assert all(rule["threshold"] is not None for rule in rules)


def test_what_is_stamped_all_over_is_dropped(tmp_path: Path) -> None:
    for name in ("coffee", "chelsea"):
        photograph = Image.fromarray(getattr(skimage.data, name)()).convert("RGB")
        photograph.save(tmp_path / f"{name}.png")
        draw, font = ImageDraw.Draw(photograph), ImageFont.load_default(photograph.height // 14)
        for y in range(0, photograph.height, photograph.height // 6):
            for x in range(0, photograph.width, photograph.width // 3):
                draw.text((x, y), "STOCKPHOTO", "white", font)
        photograph.save(tmp_path / f"{name}-stamped.png")
    run = Run(tmp_path.with_name(f"{tmp_path.name}-run"))
    index(PoolConfig.model_validate({"sources": {"own": tmp_path}}), run)
    curate(CurateConfig.model_validate({"steps": {"watermark": {"max": 13}}}), run, workers=1)
    rows = {row["key"]: row for row in read_table(run.folder / "curate" / "verdicts.parquet").to_pylist()}
    assert {key for key, row in rows.items() if row["verdict"] == "dropped"} == {
        "coffee-stamped",
        "chelsea-stamped",
    }
    said = rows["coffee-stamped"]["drop_reason"]
    assert said == "stamped all over (watermark_score above 13)"
    page = (run.folder / "curate" / "report.html").read_text(encoding="utf-8")
    shown = page.split('<h2 id="watermark">')[1].split("<h2")[0]
    assert "Is nothing laid over it again and again?" in shown
    assert "watermark_score at most 13: 2 stamped all over" in shown
    assert "how far the strongest repetition stands out" in shown, "what the number means is said beside it"


def test_the_report_says_what_each_step_asks(run: Run) -> None:
    decided(run, {"likes": {"step": "popularity", "field": "likes", "min": 3}, "caption": {}})
    page = (run.folder / "curate" / "report.html").read_text(encoding="utf-8")
    assert "Did people like it where it came from?" in page.split('<h2 id="likes">')[1].split("<h2")[0]
    assert "Does its text say anything?" in page.split('<h2 id="caption">')[1].split("<h2")[0]


@pytest.mark.parametrize(
    ("key", "steps"),
    [
        ("column.name", {"column": {"name": "format", "min": 3}}),
        ("select.by", {"select": {"num": 3, "by": "uid"}}),
        ("duplicates.keep", {"duplicates": {"keep": "decoder"}}),
        ("two.column", {"two": {"scorer": "MINE:both", "columns": ["a", "b"], "column": "mode", "min": 1}}),
    ],
)
def test_a_column_of_words_is_no_number(
    run: Run, tmp_path: Path, key: str, steps: dict[str, dict[str, object]]
) -> None:
    (tmp_path / "mine.py").write_text("def both(picture): return {'a': 1, 'b': 2}")
    for step in steps.values():
        if "scorer" in step:
            step |= {"scorer": f"{tmp_path}/mine.py:both"}
    with pytest.raises(RecipeError, match=rf"curate\.steps\.{key}: the column '\w+' holds no numbers"):
        decided(run, dict(steps))


@pytest.mark.parametrize("names", ["row", "score", "Uid", "contrast", "A a", "fields.a", "stamp"])
def test_a_column_of_ones_own_takes_no_name_that_is_taken(run: Run, tmp_path: Path, names: str) -> None:
    (tmp_path / "mine.py").write_text("def it(picture): return 1")
    step = {"scorer": f"{tmp_path}/mine.py:it", "columns": names.split(), "min": 1}
    with pytest.raises(RecipeError, match=r"curate\.steps\.mine: there is a column '.*' already"):
        decided(run, {"mine": step})


def test_hostile_names_stay_names(run: Run) -> None:
    found = decided(run, {"it": {"step": "popularity", "field": "a\"b'; DROP TABLE rows; --", "min": 1}})
    assert kept(found) == set(range(NUM))


def test_of_a_photograph_and_its_spoiled_copies_the_finished_one_stays(tmp_path: Path) -> None:
    photograph = Image.fromarray(skimage.data.coffee()).convert("RGB")
    photograph.save(tmp_path / "coffee.png")
    photograph.filter(ImageFilter.GaussianBlur(2)).save(tmp_path / "soft.png")
    photograph.filter(ImageFilter.UnsharpMask(3, 400, 0)).save(tmp_path / "crisped.png")
    photograph.resize((120, 80)).save(tmp_path / "tiny.png")
    run = Run(tmp_path.with_name(f"{tmp_path.name}-run"))
    index(PoolConfig.model_validate({"sources": {"own": tmp_path}}), run)
    steps: dict[str, object] = {"finish": {"min": 0.5}}
    steps["duplicates"] = {"max_distance": 6, "keep": "finish_score"}
    curate(CurateConfig.model_validate({"steps": steps}), run, workers=1)
    rows = {row["key"]: row for row in read_table(run.folder / "curate" / "verdicts.parquet").to_pylist()}
    candidates = read_table(run.folder / "curate" / "candidates.parquet").to_pylist()
    coffee = next(row for row in candidates if row["key"] == "coffee")
    assert coffee["finish_score"] > 1
    assert coffee["finish_weakest"] in forest().aspects
    for key in ("soft", "crisped"):
        assert rows[key]["verdict"] == "dropped" and rows[key]["drop_step"] in ("finish", "duplicates")
    assert rows["soft"]["drop_reason"] == "spoiled or unfinished (finish_score below 0.5)"
    assert rows["tiny"]["drop_step"] != "finish", "what could not be measured breaks no rule"


def test_a_recipe_that_asks_for_the_finish_depends_on_its_forest() -> None:
    asking: list[dict[str, object]] = [
        {"finish": {"min": 1}},
        {"duplicates": {"keep": "finish_score"}},
        {"select": {"num": 3, "by": "finish_prob"}},
    ]
    for steps in asking:
        assert finish_scorer().folder_name in str(inputs(CurateConfig.model_validate({"steps": steps})))
    other = CurateConfig.model_validate({"steps": {"appeal": {"min": 1}}})
    assert finish_scorer().folder_name not in str(inputs(other))
