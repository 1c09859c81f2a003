"""RUN/curate/report.html: the funnel with counts, and with pictures of what each step kept and dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup
from numpy.typing import NDArray

from photogenic.core.config import dump_config
from photogenic.core.manifest import iter_samples
from photogenic.core.run import Run, seed_for
from photogenic.core.shards import atomic_path, read_json
from photogenic.curate.config import CurateConfig
from photogenic.curate.costs import scorers_by_step
from photogenic.curate.evidence import Evidence, StepRecord
from photogenic.curate.filters import Rule, text_of
from photogenic.curate.ledger import DROPPED, FAILED
from photogenic.curate.thumbnails import SIZE_PX, thumbnails
from photogenic.engines.tasks import Engine
from photogenic.web.page import contact_sheet, histogram, render

NUM_RANDOM = 24
NUM_NEAR = 8  # on each side of a threshold
NUM_PAIRS = 12
NUM_KEPT = 48

SAYS = {
    "read": "Can the file be decoded whole?",
    "size": "Is it large enough?",
    "aspect": "Is it neither strip nor banner?",
    "exposure": "Is it neither too dark nor too bright, and not clipped?",
    "contrast": "Is there a difference between its lights and its shadows?",
    "colourfulness": "Does it have colour?",
    "saturation": "Are its colours neither faded nor forced?",
    "sharpness": "Are its edges sharp?",
    "noise": "Is it free of noise?",
    "watermark": "Is nothing laid over it again and again?",
    "jpeg_quality": "Was it saved without heavy compression?",
    "borders": "Does it fill its frame, without bars and without being cut off?",
    "ocr": "Is it free of overlaid text?",
    "unsafe": "Is it free of offensive content?",
    "duplicates": "Of all that look alike, is it the best?",
    "clip_score": "Does its text say what it shows?",
    "aesthetic": "Would people call it beautiful, as far as a head on an embedding can tell?",
    "concept": "Does it show something that can be named?",
    "popularity": "Did people like it where it came from?",
    "column": "Is this number within its bounds?",
    "caption": "Does its text say anything?",
    "licence": "May it be used?",
    "opt_out": "Does nobody object to it?",
    "held_out": "Does its text name nothing that models are to be judged on later?",
    "scorer": "Is your own number within its bounds?",
    "filter": "Does your own function keep it?",
    "taste": "Would the reviewers keep it, as far as their decisions taught?",
    "appeal": "Is it appealing, as far as pixel measures can tell?",
    "finish": "Is it a good, finished photograph, as far as pixels tell?",
    "select": "Is it among the best of its kind?",
}


# What the numbers mean that are not measured of pixels; those say it themselves, in measures.pixel.COLUMNS.
COLUMNS_SAY = {
    "min_side_px": "pixels of the original's shorter side",
    "megapixels": "width x height of the original, in millions",
    "aspect_ratio": "longer side over shorter side",
    "watermark_score": "how far the strongest repetition stands out: photographs 4-12, marks 15 and more",
    "num_words": "words that are read in the picture",
    "num_date_stamps": "dates and times printed along the upper or lower edge",
    "text_area_ratio": "share of the area under what is read, 0-1",
    "unsafe_prob": "probability of offensive content, 0-1",
    "clip_score": "100 x cosine of picture and text",
    "aesthetic_score": "what an aesthetic head says, about 1-10",
    "concept_prob": "probability of the likeliest concept, 0-1",
    "appeal_score": "sharpness, light, colour and lack of faults in one number, 0-10; blind to content",
    "finish_prob": "how likely it is a finished photograph and no spoiled one, 0-1; knows photographs only",
    "finish_score": "finish_prob times the fourth root of appeal_score, to 0-10",
    "taste_prob": "how likely the reviewers would keep it, 0-1, learnt from their decisions",
    "num_caption_words": "words of the text",
    "num_boilerplate": "things in the text that no caption is: file names, URLs, `stock photo`",
    "caption_capitals_ratio": "share of capitals, 0-1",
    "caption_repeated_ratio": "share of the words that stood there before, 0-1",
}


@dataclass
class Sheet:
    """Samples to be shown, as rows of the evidence, with a caption each."""

    rows: list[int]
    captions: list[str]
    markup: Markup = field(default_factory=Markup)


@dataclass
class RuleView:
    """A rule with its histogram, and with what lies next to its threshold."""

    rule: Rule
    num_dropped: int
    chart: Markup
    says: str
    just_dropped: Sheet
    just_kept: Sheet


@dataclass
class StepView:
    """A step and its pictures."""

    record: StepRecord
    says: str
    cost: str = ""  # of the scorers that run because of it
    rules: list[RuleView] = field(default_factory=list)
    dropped: Sheet | None = None
    pairs: Sheet | None = None  # near-duplicates: the one that stayed, the one that went, and so on

    @property
    def sheets(self) -> Iterator[Sheet]:
        for view in self.rules:
            yield from (view.just_dropped, view.just_kept)
        yield from (sheet for sheet in (self.dropped, self.pairs) if sheet)


def write(config: CurateConfig, run: Run, engine: Engine) -> Path:
    """Write the report from the run's tables; the engine draws the thumbnails."""
    evidence = Evidence.read(run)
    steps = [
        _step_view(evidence, place, config.steps.kind(step.name)) for place, step in enumerate(evidence.steps)
    ]
    _tell_costs(config, run, steps)
    kept = _random(evidence, np.flatnonzero(evidence.kept), NUM_KEPT, "kept")
    _fill(
        evidence, run, engine, config.timeout_s, [kept, *(sheet for step in steps for sheet in step.sheets)]
    )
    page = render(
        Path(__file__).with_name("report.html.j2"),
        "Curation",
        num_pool=len(evidence),
        num_kept=int(evidence.kept.sum()),
        num_failed=sum(step.failed for step in evidence.steps),
        steps=steps,
        kept=kept,
        troubles=_troubles(evidence),
        balance=_balance(evidence, config),
        times=_times(run),
        recipe=dump_config(config),
        scores=read_json(run.folder / "curate" / "counts.json")["scores"],
    )
    path = run.folder / "curate" / "report.html"
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def _tell_costs(config: CurateConfig, run: Run, steps: list[StepView]) -> None:
    """What each step's own scorers took, over all runs of this folder."""
    seconds = {name: took for name, _, took in _times(run)}
    scorers = scorers_by_step(config, [(step.record.name, step.record.rules) for step in steps])
    for step in steps:
        took = [seconds[name] for name in scorers[step.record.name] if name in seconds]
        step.cost = _duration(sum(took)) if took else ""


def _duration(seconds: float) -> str:
    """12.3 s, 4.5 min or 6.7 h."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _step_view(evidence: Evidence, place: int, kind: str) -> StepView:
    step = evidence.steps[place]
    view = StepView(step, SAYS.get(kind, ""))
    view.rules = [_rule_view(evidence, place, rule) for rule in step.rules]
    gone = np.flatnonzero(evidence.stopped_at == place)
    if step.name == "duplicates":
        view.pairs = _pairs(evidence, gone)
    elif step.name != "read" and len(gone) > (NUM_NEAR if len(step.rules) == 1 else 0):
        view.dropped = _random(evidence, gone, NUM_RANDOM, step.name)
    return view


def _rule_view(evidence: Evidence, place: int, rule: Rule) -> RuleView:
    values = evidence.numbers(rule.column)
    entered = evidence.stopped_at >= place
    broke = (evidence.stopped_at == place) & evidence.because(rule.sentence)
    # The dropped and the kept ones nearest to the threshold, both drawn from the outside towards the inside.
    outward = values if rule.side == "min" else -values
    measured = entered & ~np.isnan(values)
    dropped = np.flatnonzero(broke & measured)
    kept = np.flatnonzero((evidence.stopped_at > place) & measured)
    nearest_dropped = dropped[np.argsort(outward[dropped], kind="stable")][-NUM_NEAR:]
    nearest_kept = kept[np.argsort(outward[kept], kind="stable")][:NUM_NEAR]
    thresholds = [] if rule.threshold is None else [rule.threshold]
    return RuleView(
        rule=rule,
        num_dropped=int(broke.sum()),
        chart=histogram(values[measured], thresholds, x_label=rule.column),
        says=column_says(rule.column),
        just_dropped=_sheet(nearest_dropped, [f"{values[row]:.4g}" for row in nearest_dropped]),
        just_kept=_sheet(nearest_kept, [f"{values[row]:.4g}" for row in nearest_kept]),
    )


def column_says(column: str) -> str:
    """What a number means, in a line; nothing for those of the recipe's own making."""
    from photogenic.measures.pixel import COLUMNS

    return COLUMNS.get(column) or COLUMNS_SAY.get(column, "")


def _random(evidence: Evidence, rows: NDArray[np.int64], num: int, name: str) -> Sheet:
    """Some of `rows`, drawn with a fixed seed, in the order of the pool."""
    generator = np.random.default_rng(seed_for("curate report", name))
    drawn = np.sort(generator.permutation(rows)[:num])
    return _sheet(drawn, [_caption(sample) for sample in evidence.rows(drawn).to_pylist()])


def _pairs(evidence: Evidence, gone: NDArray[np.int64]) -> Sheet:
    """Of some near-duplicates: the one that stayed, then the one that went."""
    drawn = _random(evidence, gone, NUM_PAIRS, "duplicates").rows
    table, rows, captions = evidence.verdicts, [], []
    reasons = [str(table["drop_reason"][row].as_py()) for row in drawn]
    stayed = pa.array([reason.rpartition(" ")[2] for reason in reasons], pa.string())
    places = pc.index_in(stayed, table["sample_id"].combine_chunks()).to_pylist()
    for row, place, reason in zip(drawn, places, reasons, strict=True):
        if place is None:  # it failed; nobody stands for it
            continue
        value = table["value"][row].as_py()
        same = reason.startswith("same bytes")
        rows += [place, row]
        alike = f"cosine {value:.3f}" if reason.startswith("looks like") else f"{value:.0f} bits differ"
        captions += ["kept", "dropped: same bytes" if same else f"dropped: {alike}"]
    return Sheet(rows, captions)


def _caption(sample: dict[str, Any]) -> str:
    if sample["drop_reason"] is None:
        return str(sample["alt_text"] or sample["key"])
    reason = sample["drop_reason"].split(" (")[0]
    if sample["drop_step"] == "select":  # said once above the sheet; here only which group it competed in
        reason = "".join(reason.partition(" of ")[2].rpartition(" by ")[0].split("'")[1:2])
    number = "" if sample["value"] is None else f" {sample['value']:.4g}"
    return f"{reason}{number}".strip()


def _sheet(rows: NDArray[np.int64], captions: list[str]) -> Sheet:
    return Sheet([int(row) for row in rows], captions)


def _fill(evidence: Evidence, run: Run, engine: Engine, timeout_s: float, sheets: list[Sheet]) -> None:
    """Draw every thumbnail once, and the sheets with them."""
    rows = sorted({row for sheet in sheets for row in sheet.rows})
    shown = evidence.rows(rows)
    samples = iter_samples(shown)
    uris = thumbnails(samples, run.sources(), engine, timeout_s=timeout_s)
    ids = dict(zip(rows, shown["sample_id"].to_pylist(), strict=True))
    for sheet in sheets:
        pictures = [(uris.get(ids[row]), text) for row, text in zip(sheet.rows, sheet.captions, strict=True)]
        sheet.markup = contact_sheet([(uri, text) for uri, text in pictures if uri], SIZE_PX)


def _troubles(evidence: Evidence) -> list[tuple[str, str, int, str]]:
    """What could not be decoded or judged: verdict, reason, count, an example."""
    counts: Counter[tuple[str, str]] = Counter()
    examples: dict[tuple[str, str], str] = {}
    verdict, step = evidence.verdicts["verdict"], evidence.verdicts["drop_step"]
    unread = pc.and_(pc.equal(verdict, DROPPED), pc.fill_null(pc.equal(step, "read"), False))
    rows = np.flatnonzero(pc.or_(pc.equal(verdict, FAILED), unread).to_numpy())
    members = evidence.column("member").take(pa.array(rows)).to_pylist()
    for row, member in zip(evidence.verdicts.take(pa.array(rows)).to_pylist(), members, strict=True):
        kind = (row["verdict"], row["drop_reason"].replace(member, "FILE"))
        counts[kind] += 1
        examples.setdefault(kind, member)
    return [(*kind, count, examples[kind]) for kind, count in counts.most_common()]


def _balance(evidence: Evidence, config: CurateConfig) -> tuple[str, list[tuple[str, int, int]], float]:
    """The field of concepts, each concept's count in the pool and among the candidates, the largest share."""
    by_step = "concept" if "concept" in evidence.homes else "group"
    name = (config.steps.select and config.steps.select.balance) or by_step
    concepts = [text_of(value) or "" for value in evidence.words(name)]
    before = Counter(concepts)
    if set(before) <= {""}:
        return name, [], 1.0
    after = Counter(concept for concept, kept in zip(concepts, evidence.kept, strict=True) if kept)
    widest = max(count / num.total() for num in (before, after) for count in num.values())
    rows = [(concept or "none", count, after[concept]) for concept, count in before.most_common(40)]
    return name, rows, widest


def _times(run: Run) -> list[tuple[str, int, float]]:
    """Scorer, pictures, seconds."""
    path = run.folder / "curate" / "scores" / "times.json"
    times = read_json(path) if path.exists() else {}
    return [(name, entry["num"], entry["seconds"]) for name, entry in times.items()]
