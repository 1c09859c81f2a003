"""How the report writes numbers and draws intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from photogenic.evaluate.compare import Estimate

UNKNOWN = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
REACH = 47.0  # per cent of the line from its middle to where a mark may stand: marks have a width


def interval_track(estimate: Estimate, extent: float) -> Markup:
    """A dot with its interval on a line from -extent to extent, zero in the middle."""
    if not math.isfinite(estimate.mean):
        return Markup("")
    low, high = max(estimate.low, -extent), min(estimate.high, extent)
    side = "above" if estimate.low > 0 else "below" if estimate.high < 0 else "open"
    return Markup(
        '<span class="zero"></span><span class="span {}" style="left: {:.2f}%; width: {:.2f}%"></span>'
        '<span class="dot {}" style="left: {:.2f}%"></span>'
    ).format(
        side,
        _place(low, extent),
        _place(high, extent) - _place(low, extent),
        side,
        _place(estimate.mean, extent),
    )


def _place(value: float, extent: float) -> float:
    return 50 + REACH * min(1.0, max(-1.0, value / extent))


def extent_of(estimates: Sequence[Estimate]) -> float:
    """What the longest arm needs, and a little air."""
    ends = [abs(end) for one in estimates for end in (one.low, one.mean, one.high) if math.isfinite(end)]
    return 1.1 * max(ends, default=0.0) or 1.0


def number(value: float) -> str:
    """Three digits that count; a dash where nothing is known."""
    if not math.isfinite(value):
        return UNKNOWN
    if value == 0 or abs(value) >= 1000:
        return f"{value:,.0f}"
    return (
        f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"
        if abs(value) >= 1e-4
        else f"{value:.1e}"
    )


def signed(value: float) -> str:
    if not math.isfinite(value):
        return UNKNOWN
    text = number(abs(value))
    return f"{MINUS if value < 0 else '+'}{text}" if value else text


def interval(estimate: Estimate) -> str:
    if not (math.isfinite(estimate.low) and math.isfinite(estimate.high)):
        return "too few prompts for an interval"
    return f"{signed(estimate.low)} to {signed(estimate.high)}"


def percent(share: float) -> str:
    return f"{100 * share:.0f} %" if math.isfinite(share) else UNKNOWN


def p_value(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
