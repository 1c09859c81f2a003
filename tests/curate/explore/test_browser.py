"""In Chromium: keys move a threshold, counts and pictures follow, the recipe is written and taken back."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from curate.funnels import config_of
from photogenic.core.config import dump_config
from photogenic.recipe import load_recipe, write_resolved

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def served(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The link of a page over a curated run, and its recipe."""
    from curate.funnels import run_funnel

    folder = tmp_path_factory.mktemp("explored")
    recipe = folder / "drawn.yaml"
    curate = yaml.safe_load(dump_config(config_of()))
    sources = {"sources": {"drawn": {"path": str(drawn)}}}
    recipe.write_text(yaml.safe_dump({"name": "drawn", "pool": sources, "curate": curate}, sort_keys=False))
    run_funnel(drawn, folder / "run")
    write_resolved(load_recipe(recipe), folder / "run")
    command = [sys.executable, "-m", "photogenic", "explore", str(folder / "run"), "--recipe", str(recipe)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        assert process.stdout is not None
        link = process.stdout.readline().removeprefix("Open ").strip()
        yield link, recipe
        process.terminate()


def test_a_threshold_is_moved_written_and_taken_back(served: tuple[str, Path], chromium: Any) -> None:
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import expect

    link, recipe = served
    before = recipe.read_text()
    page = chromium.new_page(viewport={"width": 360, "height": 740})
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("request", lambda request: told.append(request.url) if link[:22] not in request.url else None)
    page.goto(f"{link}#sharpness.0")
    page.wait_for_selector(".sheet img")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    dropped = page.inner_text("#figures li:nth-child(2) b")
    page.focus(".handle")
    for _ in range(40):
        page.keyboard.press("PageUp")
    expect(page.locator("#figures li:nth-child(2) b")).not_to_have_text(dropped)
    page.wait_for_selector("#changes:not([hidden])")
    results = Axe().run(page)
    assert not results.response["violations"], results.generate_report()
    page.click("#show")
    page.wait_for_selector("#difference-text ins")
    page.click("#write")
    page.wait_for_selector("text=Undo the last write")
    assert recipe.read_text() != before
    page.click("text=Undo the last write")
    page.wait_for_selector("text=The recipe is as it was.")
    assert recipe.read_text() == before
    page.close()
    assert [url for url in told if not url.startswith("data:")] == []
