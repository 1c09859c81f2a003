"""The figure's geometry, read back from its markup."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from photogenic.ablation.figure import GAP, NAME, PANEL, VALUE, Difference, Line, forest

GROUPS = {
    "How many?": [
        Line("base", {"appeal": Difference(0.0, 0.0, 0.0)}),
        Line("<few>", {"appeal": Difference(0.5, -0.25, 1.0), "clip": Difference(-1.0, -2.0, -0.5)}),
    ],
    "Which?": [Line("all", {"appeal": Difference(0.75, 0.5, 1.0)}), Line("none", {})],
}
MEASURES = {"appeal": "appeal", "clip": "CLIP score"}
SVG = "{http://www.w3.org/2000/svg}"


def drawn(standalone: bool = False) -> ElementTree.Element:
    return ElementTree.fromstring(str(forest(GROUPS, MEASURES, standalone=standalone)))


def test_dots_and_whiskers_lie_where_their_numbers_say() -> None:
    dots = [(float(dot.get("cx", "nan")), dot.get("fill")) for dot in drawn().iter(f"{SVG}circle")]
    assert len(dots) == 4
    span = 1.25 * 1.12  # appeal reaches from -0.25 to 1, with 6 % of room at either end
    unit, zero = PANEL / span, NAME + PANEL * (0.25 + 0.06 * 1.25) / span
    assert dots[0][0] == pytest.approx(zero, abs=0.1)
    assert dots[1][0] == pytest.approx(zero + 0.5 * unit, abs=0.1)
    assert dots[3][0] == pytest.approx(zero + 0.75 * unit, abs=0.1)
    whiskers = [line for line in drawn().iter(f"{SVG}line") if line.get("stroke-width") == "2"]
    assert float(whiskers[1].get("x1", "nan")) == pytest.approx(zero - 0.25 * unit, abs=0.1)
    assert float(whiskers[1].get("x2", "nan")) == pytest.approx(zero + 1.0 * unit, abs=0.1)
    assert dots[2][0] > NAME + PANEL + VALUE + GAP  # the second panel


def test_a_filled_dot_means_an_interval_without_zero() -> None:
    fills = [dot.get("fill") for dot in drawn().iter(f"{SVG}circle")]
    assert fills == ["var(--ground)", "var(--ground)", "var(--colour-0)", "var(--colour-0)"]


def test_names_stay_names() -> None:
    assert "&lt;few&gt;" in forest(GROUPS, MEASURES)
    words = [text.text for text in drawn().iter(f"{SVG}text")]
    assert {"How many?", "base", "<few>", "CLIP score", "+0.75"} <= set(words)


def test_no_end_is_written_over_the_zero() -> None:
    far = Difference(-8.0, -9.0, -7.0)
    lines = [Line("base", {"clip": Difference(0.0, 0.0, 0.0)}), Line("far", {"clip": far})]
    svg = ElementTree.fromstring(str(forest({"How far?": lines}, {"clip": "CLIP score"})))
    words = [text.text or "" for text in svg.iter(f"{SVG}text")]
    assert "0" in words and "-9.5" in words  # nothing reaches far enough beyond zero to be told
    assert not [word for word in words if word.startswith("+")]


def test_alone_it_brings_its_colours_for_both_themes() -> None:
    style = next(drawn(standalone=True).iter(f"{SVG}style")).text or ""
    used = set(re.findall(r"var\((--[\w-]+)\)", str(forest(GROUPS, MEASURES, standalone=True))))
    light, _, dark = style.partition("@media")
    assert all(f"{name}:" in light and f"{name}:" in dark for name in used)
