"""Folders of pictures made elsewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from web.profiles import adobe_like_profile

from photogenic.core.errors import RunError
from photogenic.core.run import Run
from photogenic.core.shards import read_table
from photogenic.evaluate.blind import BlindFolder, appeal_check, faithfulness_check, open_rgb, spoil
from photogenic.evaluate.folders import PromptRow, import_folders, match

PROMPTS = [PromptRow(f"id-{number}", f"text {number}", "Animals", "Basic") for number in range(3)]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["id-2", "id-0"], [2, 0]),  # by id
        (["00001", "00000"], [1, 0]),  # by number, from 0
        (["img_3", "img_1"], [2, 0]),  # by number, from 1
        (["fox 10", "fox 9", "fox 20"], [1, 0, 2]),  # by place, numbers as numbers
        (["red", "blue"], None),
        (["7", "8"], None),
        (["2", "0"], [2, 0]),  # 0 is there
        (["1", "2"], None),  # the first two, or the last two?
        (["0", "3"], None),  # four numbers for three prompts
    ],
)
def test_pictures_find_their_prompts(names: list[str], expected: list[int] | None) -> None:
    assert match(names, 3, [prompt.prompt_id for prompt in PROMPTS]) == expected


def folder(path: Path, names: list[str], size: tuple[int, int] = (40, 30)) -> Path:
    path.mkdir()
    for name in names:
        Image.effect_noise(size, 60).convert("RGB").save(path / name)
    return path


def test_folders_become_models(tmp_path: Path) -> None:
    ours = folder(tmp_path / "ours", ["0.png", "1.png", "2.png"])
    theirs = folder(tmp_path / "theirs", ["1.jpg", "2.jpg", "3.jpg"], (60, 50))
    run = Run(tmp_path / "run")
    import_folders(run, {"ours": ours, "theirs": theirs}, PROMPTS)
    for name, size in (("ours", 40), ("theirs", 60)):
        table = read_table(run.folder / "generate" / name / "manifest.parquet").to_pylist()
        assert [row["prompt_id"] for row in table] == ["id-0", "id-1", "id-2"]
        assert {(row["model"], row["category"], row["width_px"]) for row in table} == {
            (name, "Animals", size)
        }
        assert all((run.folder / "generate" / name / row["file"]).exists() for row in table)


def test_mistakes_are_said(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    with pytest.raises(RunError, match="There is no folder"):
        import_folders(run, {"a": tmp_path / "absent"}, PROMPTS)
    odd = folder(tmp_path / "odd", ["red.png", "blue.png"])
    with pytest.raises(RunError, match="cannot be told"):
        import_folders(run, {"a": odd}, PROMPTS)
    with pytest.raises(RunError, match="does not tell what its pictures were drawn from"):
        import_folders(run, {"a": odd}, [])


def test_two_pictures_of_one_prompt_are_named(tmp_path: Path) -> None:
    """They would be one pair to the count, and two answers to it would stop the verdict."""
    both = folder(tmp_path / "both", ["id-0.png", "id-0.jpg", "id-1.png"])
    with pytest.raises(RunError, match=r"id-0\.jpg and id-0\.png in .* show the same prompt"):
        import_folders(Run(tmp_path / "run"), {"a": both}, PROMPTS)


def test_the_pictures_of_a_run_are_not_written_over(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    for name in ("ours", "theirs"):
        folder(tmp_path / name, ["0.png", "1.png", "2.png"])
    import_folders(run, {name: tmp_path / name for name in ("ours", "theirs")}, PROMPTS)
    drawn = {name: run.folder / "generate" / name for name in ("ours", "theirs")}
    with pytest.raises(RunError, match="would be written over"):
        import_folders(run, drawn, PROMPTS)
    assert all(len(list(path.glob("*.png"))) == 3 for path in drawn.values())
    with pytest.raises(RunError, match="holds pictures of theirs as well"):
        import_folders(run, {"ours": tmp_path / "ours"}, PROMPTS)


def test_raters_see_colours_and_shades_as_they_are_meant(tmp_path: Path) -> None:
    wide, plain, deep = (tmp_path / f"{name}.png" for name in ("wide", "plain", "deep"))
    Image.new("RGB", (8, 8), (200, 60, 60)).save(wide, icc_profile=adobe_like_profile())
    Image.new("RGB", (8, 8), (200, 60, 60)).save(plain)
    Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(deep)
    assert np.asarray(open_rgb(wide))[0, 0, 0] > 215  # the same numbers in a wider space are a stronger red
    assert np.asarray(open_rgb(plain))[0, 0].tolist() == [200, 60, 60]
    assert np.asarray(open_rgb(deep))[0, 0].tolist() == [40_000 // 256] * 3


def test_the_place_of_a_check_does_not_tell_its_answer() -> None:
    """A program that reads the page's answers would else pass every check without looking."""
    image = Image.radial_gradient("L").convert("RGB").resize((64, 64))
    checks = [appeal_check(number, image, 0) for number in range(40)]
    checks += [faithfulness_check(number, 0) for number in range(40)]
    assert 20 < sum(showing.models[0] == showing.expected for showing, *_ in checks) < 60
    for showing, *images in checks[:40]:
        clean = images[showing.models.index(str(showing.expected))]
        assert clean.tobytes() == image.tobytes()


def test_a_pair_has_one_size_one_format_and_no_metadata(tmp_path: Path) -> None:
    wide, tall = Image.new("RGB", (80, 40), "red"), Image.effect_noise((50, 60), 50).convert("RGB")
    path = tmp_path / "told.png"
    tall.info["parameters"] = "Model: tuned"
    tall.save(path, pnginfo=None)
    blind = BlindFolder(tmp_path / "blind", "secret")
    pair = blind.add_pair(wide, open_rgb(path))
    assert {(one.width_px, one.height_px) for one in pair} == {(50, 40)}
    for one in pair:
        with Image.open(blind.path(one.digest)) as image:
            assert image.size == (50, 40) and image.format == "PNG" and image.info == {}
    other = BlindFolder(tmp_path / "other", "another secret").add_pair(wide, tall)
    assert {one.digest for one in other}.isdisjoint(one.digest for one in pair)


def test_nobody_prefers_a_spoiled_picture() -> None:
    image = Image.radial_gradient("L").convert("RGB")
    ruined = np.asarray(spoil(image, 3)).astype(float)
    assert np.corrcoef(ruined.ravel(), np.asarray(image).ravel().astype(float))[0, 1] < 0.3
