"""Pages are self-contained, and nothing that a file is called can become markup."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from jinja2 import UndefinedError
from markupsafe import Markup
from PIL import Image

from photogenic.web.page import (
    bar_chart,
    contact_sheet,
    histogram,
    line_chart,
    percent,
    render,
    thumbnail_uri,
)

HOSTILE = "\"><script>alert('needle')</script><img src=x onerror=alert(1)>{{ 7 * 7 }}"


class Elements(HTMLParser):
    """Collects what a browser would see: tags with attributes, and text."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def decoded(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def page(folder: Path, template: str, title: str = "A report", **context: object) -> str:
    path = folder / "report.html.j2"
    path.write_text(template, encoding="utf-8")
    return render(path, title, **context)


def test_a_page_has_title_look_and_body(tmp_path: Path) -> None:
    html = page(tmp_path, "<p>{{ kept | count }} of {{ share | percent }}</p>", kept=12345, share=0.125)
    assert html.startswith("<!doctype html>")
    assert "<title>A report</title>" in html
    assert "<p>12,345 of 12.5 %</p>" in html
    assert "prefers-color-scheme: dark" in html


def test_a_page_needs_no_network(tmp_path: Path) -> None:
    uri = thumbnail_uri(np.zeros((8, 8, 3), np.uint8))
    html = page(tmp_path, "{{ contact_sheet([(uri, 'a')]) }}", uri=uri)
    elements = Elements(html)
    assert not elements.named("script") and not elements.named("link")
    assert all((image["src"] or "").startswith("data:image/webp;base64,") for image in elements.named("img"))
    assert not re.search(r"url\(|@import|https?://", html)
    assert "default-src 'none'" in html


def test_hostile_names_stay_names(tmp_path: Path) -> None:
    uri = thumbnail_uri(np.zeros((8, 8, 3), np.uint8))
    template = (
        "<p title='{{ name }}'>{{ name }}</p>{{ contact_sheet([(uri, name)]) }}"
        "{{ bar_chart([(name, 1.0)], title=name, label=name) }}"
        "{{ line_chart({name: [(0, 1), (1, 2)], 'b': [(0, 1)]}, x_label=name, y_label=name, marker_x=1, "
        "marker_label=name) }}"
        "{{ histogram([1, 2, 3], [2], x_label=name) }}"
    )
    elements = Elements(page(tmp_path, template, title=HOSTILE, name=HOSTILE, uri=uri))
    assert not elements.named("script")
    assert [image["src"] for image in elements.named("img")] == [uri]
    assert not any("onerror" in attributes for _, attributes in elements.tags)
    assert elements.named("img")[0]["alt"] == HOSTILE
    assert elements.text.count(HOSTILE) >= 8


def test_a_missing_name_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UndefinedError):
        page(tmp_path, "{{ absent }}")


def test_thumbnails_shrink_and_never_grow() -> None:
    wide = np.zeros((100, 400, 3), np.uint8)
    wide[..., 0] = 200
    small = decoded(thumbnail_uri(wide, 96))
    assert small.size == (96, 24) and small.format == "WEBP"
    assert np.abs(np.asarray(small.convert("RGB"), dtype=int) - [200, 0, 0]).mean() < 6
    assert decoded(thumbnail_uri(Image.new("L", (20, 30)), 96)).size == (20, 30)


def test_transparent_becomes_white() -> None:
    image = decoded(thumbnail_uri(Image.new("RGBA", (32, 32), (255, 0, 0, 0))))
    assert np.asarray(image.convert("RGB")).min() >= 250


def test_a_contact_sheet_refuses_to_fetch() -> None:
    with pytest.raises(ValueError, match="data:image/"):
        contact_sheet([("https://example.org/a.png", "a")])


def test_line_chart_scales_breaks_and_marks() -> None:
    series = {"loss": [(0.0, 1.0), (50.0, float("nan")), (60.0, 3.0), (100.0, 2.0)], "gate": [(0.0, 2.0)]}
    elements = Elements(
        line_chart(series, x_label="global_step", y_label="loss", marker_x=60, marker_label="best")
    )
    lines = [line["points"] or "" for line in elements.named("polyline")]
    assert len(lines) == 3  # the gap at the NaN splits the first series
    (x, y), (x_end, _) = (map(float, pair.split(",")) for pair in lines[1].split())
    assert (x, x_end) == (60.0, 100.0)
    assert y == pytest.approx(100 * 0.06 / 1.12, abs=0.01)  # 3.0 is the highest: 6 % below the top
    assert [line["x1"] for line in elements.named("line") if line.get("class") == "marker"] == ["60.00"]
    assert "loss by global_step" in elements.text and "best" in elements.text


@pytest.mark.parametrize("points", [[], [(0.0, float("nan"))], [(0.0, None)]])
def test_line_chart_of_nothing_says_so(points: list[tuple[float, float]]) -> None:
    assert "nothing was measured" in line_chart({"a": points}, x_label="x", y_label="y")


def test_line_chart_of_a_constant() -> None:
    (line,) = Elements(line_chart({"a": [(0, 0), (1, 0)]}, x_label="x", y_label="y")).named("polyline")
    assert line["points"] == "0.00,50.00 100.00,50.00"


def test_histogram_counts_every_value() -> None:
    values = np.concatenate([np.random.default_rng(0).normal(size=5000), [1e6]])
    markup = histogram(values, [0.5], x_label="sharpness", num_bins=20)
    counts = [int(text.replace(",", "")) for text in re.findall(r"to [-\d.,e]+: ([\d,]+)</title>", markup)]
    assert sum(counts) == len(values)
    assert max(counts) < 2000  # the outlier did not squeeze all the others into one bar
    assert markup.count('class="marker"') == 1


def test_what_lies_beyond_the_outermost_threshold_has_a_bar() -> None:
    few_beyond = [*np.linspace(1, 1.9, 1990), *[2.5] * 5]
    markup = histogram(few_beyond, [2.0], x_label="aspect_ratio")
    low, high, count = re.findall(r"<title>([\d.]+) to ([\d.]+): (\d+)</title>", markup)[-1]
    assert (float(low) <= 2.0 < float(high), count) == (True, "5")
    mirrored = histogram([-value for value in few_beyond], [-2.0])
    assert re.findall(r": (\d+)</title>", mirrored)[0] == "5"


def test_bar_chart_lengths_and_whiskers() -> None:
    markup = bar_chart([("blur", 0.5), ("grey", -0.5)], number="{:.0%}", intervals=[(0.25, 1.5), (-0.5, 0.0)])
    spans = [span["style"] for span in Elements(markup).named("span")]
    assert spans == [
        "left: 25.00%; width: 25.00%",
        "left: 37.50%; width: 62.50%",
        "left: 0.00%; width: 25.00%",
        "left: 0.00%; width: 25.00%",
    ]
    assert "50%" in markup and "-50%" in markup


def test_charts_of_extreme_numbers() -> None:
    tiny = line_chart({"lr": [(0, 1e-9), (1, 3e-9)]}, x_label="x", y_label="y")
    large = line_chart({"n": [(0, 1e9), (1, 3e9)]}, x_label="x", y_label="y")
    assert "1e-09" in tiny and "2e+09" in large
    assert isinstance(tiny, Markup)


def test_percent_of_nothing() -> None:
    assert percent(None) == "\N{EN DASH}"
    assert percent(1 / 3, 0) == "33 %"
