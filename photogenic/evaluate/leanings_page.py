"""What raters went by, as a table for both pages: that of the votes and that of the measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from photogenic.evaluate.compare import Estimate
from photogenic.evaluate.marks import extent_of, interval_track, percent
from photogenic.evaluate.results import JUDGED
from photogenic.measures.pixel import COLUMNS

HEADING = "What the raters went by"
NUM_SHOWN = 10
WORDS = {**JUDGED, **COLUMNS}
INTRODUCTION = Markup("""<p>How often the picture with more of a measure won: a correlation, not a cause,
for raters may have looked at something else that goes along with it.</p>
<p class="note">50 % is chance; pictures with equally much of a measure count as half a win. The wins of both
models weigh the same, so that the one that wins more does not win for everything that it has more of.</p>""")
ROW = (
    '<tr><th scope="row">{}<small>{}</small></th><td class="track diverging">{}</td>'
    '<td class="num">{}<small>{}</small></td></tr>'
)
TABLE = """<div class="scroll"><table class="wide">
<thead><tr><th>measure</th><th class="middle">less won | more won</th>
<th class="num">more won</th></tr></thead>
<tbody>
{}
</tbody></table></div>
<p class="note">Of {:,} pairs with a winner. {}Each interval is for one measure by itself.</p>"""


def leanings_table(told: Mapping[str, Any]) -> Markup:
    """`told` is what verdict.json tells of one panel; the strongest ten measures are shown."""
    measures = told["measures"]
    shown = list(measures)[:NUM_SHOWN]
    from_half = {
        name: Estimate(*(measures[name][end] - 0.5 for end in ("mean", "low", "high"))) for name in shown
    }
    extent = extent_of(list(from_half.values()))
    rows = Markup("\n").join(
        Markup(ROW).format(
            name,
            WORDS[name],
            interval_track(from_half[name], extent),
            percent(measures[name]["mean"]),
            _ends(measures[name]),
        )
        for name in shown
    )
    return Markup(TABLE).format(rows, told["num_pairs"], _left_out(measures, shown))


def _left_out(measures: Mapping[str, Mapping[str, float]], shown: Sequence[str]) -> str:
    """The scores by which pictures are chosen are told in any case: that raters do not share one matters."""
    if len(shown) == len(measures):
        return ""
    scores = [
        f"{name} {percent(measures[name]['mean'])} ({_ends(measures[name])})"
        for name in JUDGED
        if name in measures and name not in shown
    ]
    others = f" Not among them: {', '.join(scores)}." if scores else ""
    return f"The {len(shown)} of {len(measures)} measures that are farthest from 50 %.{others} "


def _ends(told: Mapping[str, float]) -> str:
    return f"{percent(told['low'])} to {percent(told['high'])}"
