"""Charts as inline markup, without scripts.

Lines and bars are SVG that stretches with the page; the words beside them are HTML, so that they keep their
size on a narrow screen. Colours come from look.css, which knows the light and the dark theme.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup

NUM_COLOURS = 6  # series colours in look.css; further series begin again, with another dash

Points = Sequence[tuple[float, float]]
Range = tuple[float, float]


def line_chart(
    series: Mapping[str, Points],
    *,
    x_label: str,
    y_label: str,
    marker_x: float | None = None,
    marker_label: str = "",
    title: str = "",
) -> Markup:
    """One line per series; a point that is not finite leaves a gap. `marker_x` draws an upright line."""
    finite = [point for points in series.values() for point in points if _finite(point)]
    if not finite:
        return Markup('<p class="note">{}: nothing was measured.</p>').format(title or y_label)
    marked = [] if marker_x is None else [marker_x]
    x_range = _padded([x for x, _ in finite] + marked, 0.0)
    y_range = _padded([y for _, y in finite], 0.06)
    lines = [
        Markup('<polyline class="line colour-{} dash-{}" points="{}"/>').format(
            index % NUM_COLOURS, index // NUM_COLOURS % 3, _coordinates(piece, x_range, y_range)
        )
        for index, points in enumerate(series.values())
        for piece in _pieces(points)
    ]
    markers = [] if marker_x is None else [(marker_x, marker_label)]
    name = title or f"{y_label} by {x_label}"
    return _figure(
        Markup("").join(lines), name, x_range, y_range, x_label, y_label, markers, legend=list(series)
    )


def histogram(
    values: Sequence[float] | np.ndarray[tuple[int], np.dtype[np.float64]],
    thresholds: Sequence[float] = (),
    *,
    x_label: str = "",
    num_bins: int = 40,
    title: str = "",
) -> Markup:
    """How often each value occurs; an upright line at each threshold.

    A few extreme values do not flatten the rest: what lies beyond the 0.5th and 99.5th percentile goes into
    the outermost bars. Where values lie beyond the outermost threshold, there is a bar for them.
    """
    numbers = np.asarray(values, dtype=np.float64)
    numbers = numbers[np.isfinite(numbers)]
    if numbers.size == 0:
        return Markup('<p class="note">{}: nothing was measured.</p>').format(title or x_label)
    low, high = np.quantile(numbers, [0.005, 0.995])
    ends = [float(low), float(high), *thresholds]
    margin = (max(ends) - min(ends)) / num_bins
    ends += [bound + margin for bound in thresholds if bound == max(ends) and (numbers > bound).any()]
    ends += [bound - margin for bound in thresholds if bound == min(ends) and (numbers < bound).any()]
    x_range = _padded(ends, 0.0)
    counts, edges = np.histogram(np.clip(numbers, *x_range), bins=num_bins, range=x_range)
    y_range = (0.0, float(counts.max()) * 1.05)
    bars = Markup("").join(
        _bar(float(left), float(right), int(height), x_range, y_range)
        for left, right, height in zip(edges[:-1], edges[1:], counts, strict=True)
        if height
    )
    markers = [(threshold, _number(threshold)) for threshold in thresholds]
    return _figure(bars, title or f"Histogram of {x_label}", x_range, y_range, x_label, "count", markers)


def bar_chart(
    rows: Sequence[tuple[str, float]],
    *,
    label: str = "",
    number: str = "{:,.0f}",
    intervals: Sequence[tuple[float, float]] | None = None,
    maximum: float | None = None,
    title: str = "",
) -> Markup:
    """A table of level bars: name, bar, value written by the format `number`.

    `intervals` (low, high), one a row, are drawn as whiskers; `maximum` is the value of a full bar.
    """
    if not rows:
        return Markup('<p class="note">{}: nothing was counted.</p>').format(title or label)
    whiskers = list(intervals) if intervals is not None else [None] * len(rows)
    ends = [value for _, value in rows] + [end for pair in whiskers if pair for end in pair]
    low = min(0.0, *ends)
    high = maximum if maximum is not None else max(0.0, *ends)
    span = (high - low) or 1.0
    lines = [
        Markup('<tr><th scope="row">{}</th><td class="track">{}{}</td><td class="num">{}</td></tr>').format(
            name,
            _stretch("bar", min(0.0, value), max(0.0, value), low, span),
            _stretch("whisker", *pair, low, span) if pair else "",
            number.format(value),
        )
        for (name, value), pair in zip(rows, whiskers, strict=True)
    ]
    caption = Markup("<caption>{}</caption>").format(title) if title else Markup("")
    head = (
        Markup('<thead><tr><th></th><th></th><th class="num">{}</th></tr></thead>').format(label)
        if label
        else Markup("")
    )
    return Markup('<table class="bars">{}{}<tbody>{}</tbody></table>').format(
        caption, head, Markup("\n").join(lines)
    )


def _stretch(kind: str, start: float, end: float, low: float, span: float) -> Markup:
    left, width = 100 * (start - low) / span, 100 * (end - start) / span
    return Markup('<span class="{}" style="left: {:.2f}%; width: {:.2f}%"></span>').format(kind, left, width)


def _bar(left: float, right: float, height: int, x_range: Range, y_range: Range) -> Markup:
    x, x_end = _share(left, x_range), _share(right, x_range)
    top = 100 - _share(height, y_range)
    shape = (
        '<rect class="column" x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{:.2f}"><title>{}</title></rect>'
    )
    told = f"{_number(left)} to {_number(right)}: {height:,}"
    return Markup(shape).format(x, top, (x_end - x) * 0.9, 100 - top, told)


def _figure(
    shapes: Markup,
    title: str,
    x_range: Range,
    y_range: Range,
    x_label: str,
    y_label: str,
    markers: Sequence[tuple[float, str]] = (),
    legend: Sequence[str] = (),
) -> Markup:
    """The plot with its ticks, labels and legend."""
    x_ticks, y_ticks = _ticks(*x_range), _ticks(*y_range)
    grid = Markup("").join(
        Markup('<line class="grid" x1="0" x2="100" y1="{0:.2f}" y2="{0:.2f}"/>').format(
            100 - _share(y, y_range)
        )
        for y in y_ticks
    )
    upright = Markup("").join(
        Markup('<line class="marker" x1="{0:.2f}" x2="{0:.2f}" y1="0" y2="100"/>').format(_share(x, x_range))
        for x, _ in markers
    )
    svg = Markup(
        '<svg role="img" viewBox="0 0 100 100" preserveAspectRatio="none"><title>{}</title>{}{}{}</svg>'
    ).format(title, grid, shapes, upright)
    return Markup(
        '<figure class="chart"><div class="y-label">{}</div><div class="plot"><div class="y-ticks">{}</div>'
        '<div class="canvas">{}{}</div><div class="x-ticks">{}</div></div><div class="x-label">{}</div>{}'
        "</figure>"
    ).format(
        y_label,
        _labels(y_ticks, y_range, "bottom"),
        svg,
        _marker_labels(markers, x_range),
        _labels(x_ticks, x_range, "left"),
        x_label,
        _legend(legend),
    )


def _labels(ticks: Sequence[float], span: Range, side: str) -> Markup:
    return Markup("").join(
        Markup('<span style="{}: {:.2f}%">{}</span>').format(side, _share(tick, span), _number(tick))
        for tick in ticks
    )


def _marker_labels(markers: Sequence[tuple[float, str]], x_range: Range) -> Markup:
    words = []
    for x, label in markers:
        share = _share(x, x_range)
        side = "before" if share > 60 else "after"
        words.append(
            Markup('<span class="marker-label {}" style="left: {:.2f}%">{}</span>').format(side, share, label)
        )
    return Markup("").join(words)


def _legend(names: Sequence[str]) -> Markup:
    if len(names) < 2:
        return Markup("")
    swatch = (
        '<li><svg class="swatch" viewBox="0 0 20 4" aria-hidden="true">'
        '<line class="line colour-{} dash-{}" x2="20" y1="2" y2="2"/></svg>{}</li>'
    )
    items = [
        Markup(swatch).format(index % NUM_COLOURS, index // NUM_COLOURS % 3, name)
        for index, name in enumerate(names)
    ]
    return Markup('<ul class="legend">{}</ul>').format(Markup("").join(items))


def _pieces(points: Points) -> list[Points]:
    """The runs of finite points."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if _finite(point):
            pieces[-1].append(point)
        else:
            pieces.append([])
    # A lone point would draw nothing; doubled, its round cap shows as a dot.
    return [piece if len(piece) > 1 else piece * 2 for piece in pieces if piece]


def _finite(point: tuple[float | None, float | None]) -> bool:
    return all(value is not None and math.isfinite(value) for value in point)


def _coordinates(points: Points, x_range: Range, y_range: Range) -> str:
    return " ".join(f"{_share(x, x_range):.2f},{100 - _share(y, y_range):.2f}" for x, y in points)


def _share(value: float, span: Range) -> float:
    """Where `value` lies in `span`, in per cent."""
    return 100 * (value - span[0]) / (span[1] - span[0])


def _padded(values: Sequence[float], share: float) -> Range:
    low, high = min(values), max(values)
    if low == high:
        room = abs(low) or 1.0
        return low - room / 2, high + room / 2
    return low - share * (high - low), high + share * (high - low)


def _ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten) within [low, high]."""
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def _number(value: float) -> str:
    """Short: 12,000 · 0.25 · 1e-05."""
    if value and not 1e-4 <= abs(value) < 1e6:
        return f"{value:.3g}"
    return f"{value:,.4f}".rstrip("0").rstrip(".")
