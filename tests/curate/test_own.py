import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photogenic.core.errors import PhotogenicError, RecipeError
from photogenic.core.shards import read_table
from photogenic.curate.config import CurateConfig, ScorerStep
from photogenic.curate.funnel import curate
from photogenic.curate.own import find, own_scorer, picture_for
from photogenic.curate.roster import inputs

from .conftest import SIDE_PX
from .funnels import run_funnel

SOURCE = """
import numpy as np

def blueness(picture: np.ndarray) -> float:
    red, green, blue = picture.reshape(-1, 3).mean(axis=0)
    return float(blue / (red + green + blue))

def sides(picture):
    return {"height": picture.shape[0], "width": picture.shape[1]}

def raises(picture):
    raise ZeroDivisionError("one over nothing")

def only_others(row):
    if row["fields"].get("group") == "others":
        return None
    return "shows " + row["fields"].get("group", "nothing") if row["contrast"] > 0 else False
"""


@pytest.fixture
def code(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(SOURCE)
    return path


def config_of(**steps: object) -> CurateConfig:
    return CurateConfig.model_validate({"steps": {"size": {"min_side_px": 64}} | steps})


def test_a_function_and_a_line_make_a_scorer_and_a_filter_with_any_number_of_workers(
    drawn: Path, code: Path, tmp_path: Path
) -> None:
    config = config_of(
        blueness={"scorer": f"{code}:blueness", "min_quantile": 0.25, "size_px": 128},
        mine={"filter": f"{code}:only_others", "columns": ["contrast"]},
    )
    runs = [run_funnel(drawn, tmp_path / f"run {num}", num, config) for num in (1, 2)]
    tables = [read_table(run.folder / "curate" / "verdicts.parquet") for run in runs]
    assert tables[0].equals(tables[1])
    rows = tables[0].to_pylist()
    dropped = {step: [row for row in rows if row["drop_step"] == step] for step in ("blueness", "mine")}
    assert len(dropped["blueness"]) > 5
    assert all(row["value"] < row["threshold"] for row in dropped["blueness"])
    assert {row["drop_reason"] for row in dropped["mine"]} == {"shows shapes"}
    candidates = read_table(runs[0].folder / "curate" / "candidates.parquet")
    assert candidates.num_rows > 3 and candidates["blueness"].null_count == 0


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ({"scorer": "CODE:misspelt", "min": 0}, "The scorer 'own-mine' cannot work: NameError"),
        (
            {"scorer": "CODE:sides", "min": 0},
            "returned height, width, which the step's `columns` do not name",
        ),
        ({"filter": "CODE:misspelt"}, "The filter 'mine' cannot work: NameError"),
    ],
)
def test_wrong_code_stops_the_run(
    drawn: Path, code: Path, tmp_path: Path, step: dict[str, object], said: str
) -> None:
    code.write_text(SOURCE + "\ndef misspelt(picture):\n    return pictur\n")
    named = {name: str(value).replace("CODE", str(code)) for name, value in step.items()}
    with pytest.raises(PhotogenicError, match=said):
        run_funnel(drawn, tmp_path / "run", config=config_of(mine=named))


def test_a_function_that_raises_fails_its_samples_and_a_changed_one_is_asked_again(
    drawn: Path, code: Path, tmp_path: Path
) -> None:
    config = config_of(mine={"scorer": f"{code}:raises", "min": 0})
    run = run_funnel(drawn, tmp_path / "run", config=config)
    rows = read_table(run.folder / "curate" / "verdicts.parquet").to_pylist()
    reasons = {row["drop_reason"] for row in rows if row["drop_step"] == "mine"}
    assert reasons == {"ZeroDivisionError: one over nothing"}
    before = inputs(config)
    code.write_text(SOURCE.replace('raise ZeroDivisionError("one over nothing")', "return 1.0"))
    assert inputs(config) != before
    curate(config, run, workers=1)
    rows = read_table(run.folder / "curate" / "verdicts.parquet").to_pylist()
    assert not [row for row in rows if row["drop_step"] == "mine"]


@pytest.mark.parametrize(
    ("answer", "verdict", "said"),
    [
        ("True", "kept", None),
        ("None", "kept", None),
        ("np.bool_(True)", "kept", None),
        ("False", "dropped", "refused by answers"),
        ("np.bool_(False)", "dropped", "refused by answers"),
        ("''", "dropped", "refused by answers"),
        ("'too blue'", "dropped", "too blue"),
        ("np.array([True, False])", "failed", "ValueError: The truth value of an array"),
    ],
)
def test_what_a_filter_answers(tmp_path: Path, answer: str, verdict: str, said: str | None) -> None:
    (tmp_path / "pool").mkdir()
    Image.new("RGB", (80, 80), "red").save(tmp_path / "pool" / "a.png")
    code = tmp_path / "mine.py"
    code.write_text(f"import numpy as np\ndef answers(row): return {answer}")
    run = run_funnel(
        tmp_path / "pool", tmp_path / "run", config=config_of(mine={"filter": f"{code}:answers"})
    )
    (row,) = read_table(run.folder / "curate" / "verdicts.parquet").to_pylist()
    assert row["verdict"] == verdict and str(row["drop_reason"]).startswith(str(said))


def test_the_picture_is_rgb_of_the_size_asked_for(drawn: Path) -> None:
    for size_px in (64, SIDE_PX, 2 * SIDE_PX):
        picture = picture_for((drawn / "good/01.jpg").read_bytes(), size_px)
        assert picture.dtype == np.uint8
        assert picture.shape == (min(size_px, SIDE_PX), min(size_px, SIDE_PX), 3)


def test_several_numbers_have_names(code: Path, drawn: Path) -> None:
    scorer = own_scorer("mine", ScorerStep(scorer=f"{code}:sides", columns=("height", "width"), min=1))
    from photogenic.core.records import Sample

    sample = Sample("id", "s", "m", "k")
    values = scorer.measure(sample, (drawn / "strip.png").read_bytes(), scorer.model)
    assert values == {"height": 128.0, "width": 512.0}


def test_modules_are_found_and_what_is_not_there_is_a_sentence(
    code: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_package_of_steps").mkdir()
    (tmp_path / "my_package_of_steps" / "__init__.py").write_text(SOURCE)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert find("my_package_of_steps:blueness").where == "my_package_of_steps:blueness"
    for name, said in (
        (f"{code}:blue", "has no function 'blue'"),
        (f"{tmp_path}/other.py:blueness", "no file"),
        ("no_such_module_at_all:blueness", "no module"),
        ("no-entry-point", "no such entry point"),
    ):
        with pytest.raises(RecipeError, match=said):
            find(name)
    code.write_text("import no_such_module_at_all\n")
    with pytest.raises(RecipeError, match="cannot be imported: ModuleNotFoundError"):
        find(f"{code}:blueness")
