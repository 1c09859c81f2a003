import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from photogenic.core.run import Run
from photogenic.core.shards import read_json

from .funnels import run_funnel


@pytest.fixture(scope="module")
def run(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_funnel(drawn, tmp_path_factory.mktemp("report") / "run")


@pytest.fixture(scope="module")
def page(run: Run) -> str:
    return (run.folder / "curate" / "report.html").read_text(encoding="utf-8")


def test_the_page_is_whole_and_fetches_nothing(page: str) -> None:
    HTMLParser().feed(page)
    assert page.rstrip().endswith("</html>")
    assert all(source.startswith("data:image/") for source in re.findall(r'src="([^"]*)"', page))
    assert "<script" not in page and "http" not in page.replace("http-equiv", "")


def test_its_counts_are_those_of_the_tables(run: Run, page: str) -> None:
    counts = read_json(run.folder / "curate" / "counts.json")
    assert f"{counts['pool']} pictures went into the funnel, {counts['kept']} came out" in page
    for step in counts["steps"]:
        row = re.search(rf'<a href="#{step["name"]}">.*?</tr>', page, re.DOTALL)
        assert row is not None
        numbers = [int(number) for number in re.findall(r'<td class="num">(\d+)</td>', row.group())]
        assert numbers == [step["entered"], step["dropped"] + step["failed"]]


def test_it_shows_what_was_dropped_and_why(page: str) -> None:
    size = page.split('<h2 id="size">')[1].split("<h2")[0]
    assert "min_side_px at least 64: 1 too small" in size
    assert "<figcaption>40</figcaption>" in size.split("just kept")[0]
    assert "<figcaption>320</figcaption>" in size.split("just kept")[1]
    assert re.search(r"<figcaption>shapes [\d.]+</figcaption>", page.split('<h2 id="select">')[1])
    assert "dropped: same bytes" in page
    assert re.search(r"dropped: \d bits differ", page)


def test_failures_are_counted_by_kind(page: str) -> None:
    table = page.split('<h2 id="read">')[1].split("<h2")[0]
    for said in ("truncated", "empty file", "no picture format", "Cannot read drawn/FILE"):
        assert said in table
    assert "good/" not in table


def test_concepts_before_and_after(run: Run, page: str) -> None:
    table = page.split('id="balance"')[1].split("</table>")[0]
    assert "others" in table and "shapes" in table
    kept = [
        int(number) for number in re.findall(r'<td class="num">\d+</td><td class="num">(\d+)</td>', table)
    ]
    assert sum(kept) == read_json(run.folder / "curate" / "counts.json")["kept"]
