"""The figure of an ablation: question by question, how far each variant is from the base, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

ROW, HEAD, TOP, FOOT = 26, 34, 44, 34  # heights
MARGIN = 12  # around a figure that stands alone
END_ROOM = 40  # between a panel's zero and its end, for both to be written
NAME, PANEL, GAP, VALUE = 168, 210, 26, 84  # widths: of names, of a panel, between panels, of its numbers

# What the figure needs where no page gives it colours: the look's own, light and dark.
STANDALONE = """
text { font: 12px system-ui, sans-serif; }
svg { --ink: #1b1b1b; --soft: #5c5c5c; --line: #d9d9d9; --ground: #ffffff; --colour-0: #2563a8; }
@media (prefers-color-scheme: dark) {
  svg { --ink: #e8e8e8; --soft: #a6a6a6; --line: #3d3d3d; --ground: #161616; --colour-0: #7db2ec; }
}
"""


@dataclass(frozen=True)
class Difference:
    """A measure's difference from the base; None where an end is unknown."""

    mean: float
    low: float | None
    high: float | None

    @property
    def is_clear(self) -> bool:
        """Whether its interval leaves zero out."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


@dataclass(frozen=True)
class Line:
    """A row of the figure: a variant, with a difference for each measure that has one."""

    name: str
    differences: Mapping[str, Difference]


def forest(
    groups: Mapping[str, Sequence[Line]], measures: Mapping[str, str], *, standalone: bool = False
) -> Markup:
    """Dots with whiskers, one panel a measure. A filled dot's interval leaves zero out.

    Args:
        groups: question -> rows.
        measures: measure -> its label.
        standalone: an SVG file of its own, which brings its colours along.
    """
    width = NAME + len(measures) * (PANEL + VALUE + GAP)
    height = TOP + sum(HEAD + ROW * len(lines) for lines in groups.values()) + FOOT
    spans = {name: _span(groups, name) for name in measures}
    parts = [
        _frame(name, label, index, spans[name], height)
        for index, (name, label) in enumerate(measures.items())
    ]
    y = float(TOP)
    for question, lines in groups.items():
        parts.append(_text(0, y + HEAD - 9, question, "ink", weight=650))
        y += HEAD
        for line in lines:
            parts.append(_text(12, y + ROW / 2 + 4, line.name, "ink"))
            for index, name in enumerate(measures):
                if name in line.differences:
                    parts.append(_dot(line.differences[name], index, spans[name], y + ROW / 2))
            y += ROW
    told, margin = "; ".join(measures.values()), MARGIN if standalone else 0
    style = Markup("<style>{}</style>").format(Markup(STANDALONE)) if standalone else ""
    back = (
        Markup('<rect x="{0}" y="{0}" width="100%" height="100%" fill="var(--ground)"/>').format(-MARGIN)
        if standalone
        else ""
    )
    return Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="{0} {0} {1} {2}" width="{1}"'
        ' height="{2}" class="forest"><title>Difference from the base: {3}</title>{4}{5}{6}</svg>'
    ).format(-margin, width + 2 * margin, height + 2 * margin, told, style, back, Markup("").join(parts))


def _span(groups: Mapping[str, Sequence[Line]], measure: str) -> tuple[float, float]:
    """What the panel shows: zero and all ends, and some room."""
    ends = [0.0]
    for lines in groups.values():
        for line in lines:
            if measure in line.differences:
                found = line.differences[measure]
                ends += [end for end in (found.mean, found.low, found.high) if end is not None]
    room = 0.06 * (max(ends) - min(ends)) or 1.0
    return min(ends) - room, max(ends) + room


def _left(index: int) -> float:
    return NAME + index * (PANEL + VALUE + GAP)


def _x(value: float, index: int, span: tuple[float, float]) -> float:
    return _left(index) + PANEL * (value - span[0]) / (span[1] - span[0])


def _frame(name: str, label: str, index: int, span: tuple[float, float], height: float) -> Markup:
    """A panel's title, its line at zero and its ends."""
    zero, bottom = _x(0.0, index, span), height - FOOT
    # An end beside the zero would be written over it; what reaches so little past zero needs no end.
    ends = [f"{end:+.2g}" if abs(_x(end, index, span) - zero) > END_ROOM else "" for end in span]
    upright = Markup('<line x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}" stroke="var(--soft)"/>').format(
        zero, TOP, bottom
    )
    return Markup("").join(
        [
            _text(_left(index), 18, label, "ink", weight=650),
            _text(_left(index), 34, "difference from the base", "soft"),
            upright,
            _text(zero, bottom + 16, "0", "soft", anchor="middle"),
            _text(_left(index), bottom + 16, ends[0], "soft"),
            _text(_left(index) + PANEL, bottom + 16, ends[1], "soft", anchor="end"),
        ]
    )


def _dot(found: Difference, index: int, span: tuple[float, float], y: float) -> Markup:
    """The interval, the dot, and the numbers beside the panel."""
    low = span[0] if found.low is None else found.low
    high = span[1] if found.high is None else found.high
    shape = (
        '<line x1="{:.1f}" x2="{:.1f}" y1="{y:.1f}" y2="{y:.1f}" stroke="var(--colour-0)" stroke-width="2"/>'
        '<circle cx="{:.1f}" cy="{y:.1f}" r="4.5" fill="{fill}" stroke="var(--colour-0)" stroke-width="2"/>'
    )
    drawn = Markup(shape).format(
        _x(low, index, span),
        _x(high, index, span),
        _x(found.mean, index, span),
        y=y,
        fill="var(--colour-0)" if found.is_clear else "var(--ground)",
    )
    return drawn + _text(_left(index) + PANEL + 10, y + 4, f"{found.mean:+.2f}" if found.mean else "0", "ink")


def _text(x: float, y: float, words: str, colour: str, *, weight: int = 400, anchor: str = "start") -> Markup:
    return Markup(
        '<text x="{:.1f}" y="{:.1f}" fill="var(--{})" font-weight="{}" text-anchor="{}">{}</text>'
    ).format(x, y, colour, weight, anchor, words)
