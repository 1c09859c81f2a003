import pytest
from PIL import Image, ImageDraw, ImageFont

from photogenic.core.run import Run
from photogenic.core.shards import read_table
from photogenic.curate.config import CurateConfig
from photogenic.curate.scorers import ocr_scorer, pixel_scorer, read_scorer, unsafe_scorer

from .conftest import draw_good
from .funnels import run_funnel


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("texts")
    draw_good(1).save(folder / "good.png")
    overlaid = draw_good(2, 480)
    box = (0, 180, 480, 300)
    ImageDraw.Draw(overlaid).rectangle(box, fill="white")
    ImageDraw.Draw(overlaid).text((20, 200), "ORDER NOW FREE DELIVERY", "black", ImageFont.load_default(34))
    overlaid.save(folder / "overlaid.png")
    Image.new("L", (30, 60), 128).save(folder / "grey.png")
    config = CurateConfig.model_validate({"steps": {"ocr": {"max_words": 2}, "unsafe": {}}})
    return run_funnel(folder, tmp_path_factory.mktemp("scored") / "run", config=config)


def test_overlaid_text_is_read_and_dropped(run: Run) -> None:
    rows = {row["key"]: row for row in read_table(run.folder / "curate" / "verdicts.parquet").to_pylist()}
    assert rows["overlaid"]["drop_step"] == "ocr"
    assert rows["overlaid"]["value"] == 4
    assert rows["good"]["verdict"] == rows["grey"]["verdict"] == "kept"
    scores = read_table(run.folder / "curate" / "scores" / ocr_scorer().folder_name).to_pylist()
    assert "ORDER NOW" in " ".join(row["ocr_text"] for row in scores).upper()


def test_unsafe_is_asked_only_of_those_who_are_left(run: Run) -> None:
    scores = read_table(run.folder / "curate" / "scores" / unsafe_scorer().folder_name)
    assert scores.num_rows == 2
    assert all(0 <= value <= 0.5 for value in scores["unsafe_prob"].to_pylist())


def test_headers(run: Run) -> None:
    rows = read_table(run.folder / "curate" / "candidates.parquet").to_pylist()
    grey = next(row for row in rows if row["key"] == "grey")
    assert (grey["width_px"], grey["height_px"], grey["min_side_px"]) == (30, 60, 30)
    assert (grey["aspect_ratio"], grey["megapixels"]) == (2.0, 0.0018)
    assert (grey["format"], grey["mode"], grey["num_frames"]) == ("PNG", "L", 1)


def test_no_column_has_two_scorers() -> None:
    scorers = [read_scorer(), pixel_scorer(), ocr_scorer(), unsafe_scorer()]
    columns = [column for scorer in scorers for column in scorer.columns]
    assert len(columns) == len(set(columns))
