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
from review.browser.watching import until
from slow_line import Held, cut_off, cut_once, intercepted

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

    link, recipe = served
    before = recipe.read_text()
    page = chromium.new_page(viewport={"width": 360, "height": 740})
    page.set_default_timeout(60_000)
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
    until(page, f"() => document.querySelector('#figures li:nth-child(2) b').innerText !== {dropped!r}")
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


@pytest.fixture
def page(served: tuple[str, Path], chromium: Any) -> Iterator[Any]:
    """The page, at the threshold of sharpness, with its pictures."""
    page = intercepted(chromium.new_page())
    page.set_default_timeout(60_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{served[0]}#sharpness.0")
    page.locator(".sheet img").first.wait_for()
    yield page
    page.close()
    assert errors == []


def moved(page: Any) -> list[str]:
    """The rules whose threshold was moved."""
    return page.locator(".rules .moved").evaluate_all("(all) => all.map((one) => one.dataset.key)")


def test_what_is_moved_while_another_threshold_is_on_its_way_is_the_one_in_sight(page: Any) -> None:
    keys = page.locator(".rules button").evaluate_all("(all) => all.map((one) => one.dataset.key)")
    first, last = [key for key in keys if key != "sharpness.0"][:2]
    looks = Held(page, "**/api/look")
    page.click(f'[data-key="{first}"]')
    looks.wait()
    page.focus(".handle")
    page.keyboard.press("PageUp")
    page.click(f'[data-key="{last}"]')
    looks.end()
    page.locator(".rule-head h2", has_text=last.split(".")[0]).wait_for()
    page.locator("#changes:not([hidden])").wait_for()
    assert moved(page) == ["sharpness.0"]
    page.wait_for_timeout(500)
    assert page.locator(".rule-head h2").inner_text().startswith(last.split(".")[0])
    assert page.locator('[aria-current="true"]').get_attribute("data-key") == last
    assert page.evaluate("document.activeElement.dataset.key") == last


def test_what_is_written_is_what_the_difference_shows_and_undo_twice_is_one(
    page: Any, served: tuple[str, Path]
) -> None:
    _, recipe = served
    before = recipe.read_text()
    page.focus(".handle")
    page.keyboard.press("PageUp")
    differences = Held(page, "**/api/diff")
    page.click("#show")
    differences.wait()
    page.focus(".handle")
    page.keyboard.press("PageUp")
    differences.end()
    shown = page.locator("#difference-text ins").last.inner_text().removeprefix("+").rstrip("\n")
    page.click("#write")
    page.get_by_text("Written to the recipe.").wait_for()
    assert shown in recipe.read_text().splitlines()
    undone = Held(page, "**/api/undo")
    page.get_by_role("button", name="Undo the last write").dblclick()
    undone.wait()
    undone.end()
    page.get_by_text("The recipe is as it was.").wait_for()
    assert len(undone.routes) == 1
    assert recipe.read_text() == before


@pytest.mark.parametrize("is_told", [False, True])
def test_an_answer_that_is_cut_off_is_told_and_the_page_goes_on(page: Any, is_told: bool) -> None:
    dropped = page.inner_text("#figures li:nth-child(2) b")
    with cut_off(is_told=is_told) as origin:
        cut_once(page, "**/api/look", origin)
        page.focus(".handle")
        page.keyboard.press("PageUp")
        page.get_by_text("cannot be reached" if is_told else "cannot be read").wait_for()
    assert page.inner_text("#figures li:nth-child(2) b") == dropped
    for _ in range(40):
        page.keyboard.press("PageUp")
    until(page, f"() => document.querySelector('#figures li:nth-child(2) b').innerText !== {dropped!r}")
