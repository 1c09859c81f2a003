"""The look in a real browser: no sideways scrolling, no scripts, readable in both themes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from photogenic.web.page import render, thumbnail_uri

pytestmark = pytest.mark.browser

TEMPLATE = """
<p class="lede">A lede.</p><p class="note">A note.</p><p class="warning">A warning.</p>
<div class="scroll"><table>
<thead><tr>{% for n in range(12) %}<th class="num">column {{ n }}</th>{% endfor %}</tr></thead>
<tbody><tr>{% for n in range(12) %}<td class="num">{{ 10 ** n }}</td>{% endfor %}</tr></tbody></table></div>
{{ contact_sheet([(uri, "a_very_long_file_name_" * 4)] * 9) }}
{{ line_chart({"one": [(0, 1), (1, 2)], "two": [(0, 2), (1, 1)]}, x_label="x", y_label="y", marker_x=0.9,
              marker_label="kept") }}
{{ histogram([1, 2, 2, 3], [2.5], x_label="sharpness") }}
{{ bar_chart([("a kind of spoiling with a long name", 0.5), ("blur", 1)], number="{:.0%}") }}
"""

CONTRAST = """
() => {
  const channel = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const luminance = rgb => rgb.match(/[\\d.]+/g).slice(0, 3).map(Number).map(channel)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = luminance(getComputedStyle(document.body).backgroundColor);
  const worst = {};
  const words = "h1, p, th, td, figcaption, .chart span, .chart div, .legend li";
  for (const element of document.querySelectorAll(words)) {
    const ink = luminance(getComputedStyle(element).color);
    const ratio = (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05);
    worst[element.tagName + "." + element.className] = ratio;
  }
  return worst;
}
"""


@pytest.fixture(scope="module")
def page_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    (folder / "t.html.j2").write_text(TEMPLATE, encoding="utf-8")
    uri = thumbnail_uri(np.full((40, 60, 3), 120, np.uint8))
    path = folder / "t.html"
    path.write_text(render(folder / "t.html.j2", "A title_" * 12, uri=uri), encoding="utf-8")
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_fits_and_is_readable(chromium: Any, page_path: Path, scheme: str, width: int) -> None:
    page = chromium.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(page_path.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    contrast = page.evaluate(CONTRAST)
    assert len(contrast) > 8
    assert min(contrast.values()) >= 4.5, contrast  # WCAG 2.2, 1.4.3
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert complaints == []
    page.close()


def test_the_policy_stops_scripts_and_requests(chromium: Any, page_path: Path) -> None:
    html = page_path.read_text(encoding="utf-8")
    smuggled = "<script>document.title = 'run'</script><img id=far src='http://127.0.0.1:9/a.png'></main>"
    bad = page_path.with_name("bad.html")
    bad.write_text(html.replace("</main>", smuggled), encoding="utf-8")
    page = chromium.new_page()
    requested: list[str] = []
    page.on("requestfinished", lambda request: requested.append(request.url))
    page.goto(bad.as_uri())
    assert page.title() != "run"
    assert not any(url.startswith("http") for url in requested)
    page.close()
