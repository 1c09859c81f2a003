from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from curate.funnels import STEPS, config_of, run_funnel
from photogenic.core.config import dump_config, load_config
from photogenic.curate.config import CurateConfig
from photogenic.curate.explore.app import Desk, create_app
from photogenic.curate.explore.edit import RecipeFile
from photogenic.curate.explore.pictures import Pictures
from photogenic.curate.explore.pool import ExploredPool
from photogenic.engines.here import InProcess

TOKEN = "a-token-of-the-test"


@pytest.fixture(scope="module")
def desk(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    folder = tmp_path_factory.mktemp("explored")
    run = run_funnel(drawn, folder / "run")
    pool = ExploredPool.read(run, config_of())
    with closing(InProcess()) as engine:
        return Desk(pool, config_of(), None, Pictures(pool, engine, 30))


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    steps = "".join(f"    {name}: {settings}  # {name}\n" for name, settings in STEPS.items()).replace(
        "'", ""
    )
    path.write_text(f"curate:\n  steps:\n{steps}")
    return path


@pytest.fixture
def client(desk: Desk, recipe: Path) -> Iterator[TestClient]:
    desk.recipe = RecipeFile(recipe, lambda path: path.read_text())
    with TestClient(create_app(desk, TOKEN), base_url=f"http://127.0.0.1/{TOKEN}/") as client:
        yield client


def test_the_page_and_its_parts_are_local(client: TestClient) -> None:
    page = client.get("")
    assert page.status_code == 200 and "default-src 'none'" in page.headers["content-security-policy"]
    for part in (
        "static/explore.js",
        "static/histogram.js",
        "static/explore.css",
        "look/base.css",
        "look/dom.js",
    ):
        answer = client.get(part)
        assert answer.status_code == 200 and "http://" not in answer.text.replace(
            "http://www.w3.org/2000/svg", ""
        )
        assert "https://" not in answer.text


@pytest.mark.parametrize("path", ["/", "/wrong/", "/wrong/api/pool", "/api/pool", f"/{TOKEN}x/api/pool"])
def test_without_the_token_there_is_nothing(client: TestClient, path: str) -> None:
    assert client.get(f"http://127.0.0.1{path}").status_code == 404


def test_another_host_name_finds_nothing(client: TestClient) -> None:
    assert client.get("api/pool", headers={"host": "evil.example"}).status_code == 404
    assert client.get("api/pool", headers={"host": "localhost:8000"}).status_code == 200


def test_looking(client: TestClient) -> None:
    pool = client.get("api/pool").json()
    names = [step["name"] for step in pool["steps"]]
    assert names == ["read", *STEPS] and pool["samples"] == 51
    assert pool["steps"][1]["rules"][0]["setting"] == "min_side_px"
    seen = client.post(
        "api/look", json={"changes": {"sharpness.0": 1.1}, "rule": "sharpness.0", "histogram": True}
    ).json()
    assert seen["counts"][-1]["left"] <= pool["counts"][-1]["left"]
    assert sum(seen["histogram"]["bins"]) > 0 and seen["near"]["above"]
    pictures = client.post("api/pictures", json={"rows": seen["near"]["above"]}).json()
    assert all(picture["uri"].startswith("data:image/webp") for picture in pictures.values())


def test_a_picture_that_cannot_be_decoded_has_no_uri(client: TestClient, desk: Desk) -> None:
    row = desk.pool.manifest["key"].to_pylist().index("no-picture")
    (picture,) = client.post("api/pictures", json={"rows": [row, 10_000]}).json().values()
    assert picture["uri"] is None and picture["key"] == "no-picture"


def test_unknown_rules_and_strange_numbers_are_refused(client: TestClient) -> None:
    assert client.post("api/look", json={"changes": {"nothing.0": 1}}).status_code == 422
    assert client.post("api/look", json={"changes": {}, "rule": "size.7"}).status_code == 422
    assert client.post("api/look", content='{"changes": {"size.0": NaN}}').status_code == 422


def test_what_was_seen_is_written_and_taken_back(client: TestClient, recipe: Path) -> None:
    before = recipe.read_text()
    changes = {"size.0": 127.6, "appeal.0": 5.0}
    seen = client.post("api/diff", json={"changes": changes}).json()
    assert "+    size: {min_side_px: 128}  # size" in seen["diff"]
    assert recipe.read_text() == before
    assert client.post("api/write", json={"changes": changes, "seen": "else"}).status_code == 409
    assert client.post("api/write", json={"changes": changes, "seen": seen["text"]}).json() == {"undo": True}
    assert recipe.read_text() == seen["text"]
    assert 0 < float(seen["text"].split("min_quantile: ")[1].split("}")[0]) < 1  # a quantile stays one
    assert client.post("api/undo").json() == {"undo": False}
    assert recipe.read_text() == before
    assert client.post("api/undo").status_code == 409


def test_without_a_recipe_nothing_can_be_written(client: TestClient, desk: Desk) -> None:
    desk.recipe = None
    answer = client.post("api/diff", json={"changes": {"size.0": 100}})
    assert answer.status_code == 409 and "--recipe" in answer.json()["detail"]


def test_the_configuration_survives_its_way_through_a_file(tmp_path: Path) -> None:
    path = tmp_path / "curate.yaml"
    path.write_text(dump_config(config_of()))
    assert load_config(path, CurateConfig) == config_of()
