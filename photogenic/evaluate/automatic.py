"""Automatic measures of what each model drew: beside people's judgement, never instead of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photogenic.core.errors import RunError
from photogenic.core.run import Run
from photogenic.core.shards import write_json
from photogenic.evaluate.beside import MEASURES_PAGE, said_by_raters
from photogenic.evaluate.compare import (
    Comparison,
    Estimate,
    Settings,
    adjust,
    compare,
    mean_estimate,
    set_estimate,
    share_estimate,
)
from photogenic.evaluate.config import EvaluateConfig
from photogenic.evaluate.copies import Looks, NearestNeedles, joined, nearest_needles
from photogenic.evaluate.extremes import Extremes, extremes
from photogenic.evaluate.measured import write_measured
from photogenic.evaluate.pictures import (
    Item,
    Measured,
    drawn_items,
    drawn_tables,
    measure_items,
    measured_size,
    needle_items,
)
from photogenic.evaluate.report import write_report
from photogenic.evaluate.results import JUDGED, NO_NEEDLES, Drawn, Paired, Results, as_json
from photogenic.evaluate.space import Space, fits, open_space
from photogenic.measures.taste import Taste
from photogenic.measures.taste import load as load_taste

Rows = NDArray[np.int64]
SetStatistic = Callable[[Rows], float]
NEAR_COPIES = "near_copy_ratio"
MIN_IN_SET = 2  # a distance between sets has no meaning for fewer pictures


def evaluate(config: EvaluateConfig, run: Run, *, seed: int) -> None:
    """Write RUN/evaluate/measures.json, measured.parquet and report.html.

    Reads RUN/generate/<model>/manifest.parquet of one model or more and, where there are any, the needles.

    Raises:
        RunError: nothing has been drawn, or the base that the recipe names has not.
    """
    results = measure_models(config, run, Settings(config.confidence, config.num_resamples, seed))
    folder = run.stage("evaluate")
    write_json(folder / "measures.json", as_json(results))
    write_measured(run.folder, results.drawn)
    write_report(folder / MEASURES_PAGE, results, config, said_by_raters(run.folder))
    for remark in results.remarks:
        run.log.info("evaluate: %s", remark)


def measure_models(config: EvaluateConfig, run: Run, settings: Settings) -> Results:
    """Everything the report tells."""
    tables = drawn_tables(run)
    if config.base not in tables:
        raise RunError(
            f"`evaluate.base` names {config.base!r}, which has drawn nothing.",
            f"Pictures are there from: {', '.join(tables)}.",
        )
    space, remark = open_space(config.clip)
    remarks = [remark] if remark else []
    taste = _taste(config, remarks)
    size_px = measured_size(tables)
    needles, space = _measured_needles(needle_items(run), space, size_px, taste, remarks)
    drawn = {}
    for name in sorted(tables, key=lambda name: (name != config.base, name)):
        measured = measure_items(drawn_items(run, name, tables[name]), space, size_px, name, taste)
        drawn[name] = _with_copies(tables[name].to_pylist(), measured, needles, config)
    others = [name for name in drawn if name != config.base]
    ends = {name: found for name, one in drawn.items() if (found := _extremes(one)) is not None}
    remarks += [one.sentence(name) for name, one in ends.items()]
    return Results(
        base=config.base,
        drawn=drawn,
        needles=needles,
        estimates={name: _estimates(one, needles, settings) for name, one in drawn.items()},
        needle_means={} if needles is None else _means(needles),
        paired={
            name: _paired(drawn[name], drawn[config.base], name, needles, settings, remarks)
            for name in others
        },
        space=None if space is None else space.name,
        remarks=remarks,
        size_px=size_px,
        confidence=settings.confidence,
        extremes=ends,
    )


def _taste(config: EvaluateConfig, remarks: list[str]) -> Taste | None:
    """Raises RunError: there is no taste at that path."""
    if config.taste is None:
        return None
    taste = load_taste(config.taste.expanduser())
    num_decisions = taste.num_kept + taste.num_dropped
    remarks.append(
        f"taste_prob is by {config.taste.name}, learnt from {num_decisions:,} decisions of reviewers."
    )
    return taste


def _extremes(drawn: Drawn) -> Extremes | None:
    return extremes([row["prompt"] for row in drawn.rows], drawn.measured.columns["luma_mean"])


def _measured_needles(
    items: Sequence[Item], space: Space | None, size_px: int, taste: Taste | None, remarks: list[str]
) -> tuple[Measured | None, Space | None]:
    """The needles with their numbers, and the CLIP if it knows what they show."""
    if not items:
        remarks.append(NO_NEEDLES)
        return None, space
    measured = measure_items(items, space, size_px, "needles", taste, with_centres=True)
    if space is None or measured.looks.embeds is None:
        return measured, None
    fit, remark = fits(space, measured.looks.embeds, [item.text for item in items])
    if remark:
        remarks.append(remark)
    if fit:
        return measured, space
    columns = {name: values for name, values in measured.columns.items() if name != "clip_score"}
    looks = Looks(measured.looks.hashes, None)
    centres = measured.centres and Looks(measured.centres.hashes, None)
    return replace(measured, columns=columns, looks=looks, centres=centres), None


def _with_copies(
    rows: Sequence[Mapping[str, Any]], measured: Measured, needles: Measured | None, config: EvaluateConfig
) -> Drawn:
    if needles is None:
        return Drawn(rows, measured, None)
    nearest = _nearest(measured, needles, config)
    columns = {**measured.columns, NEAR_COPIES: nearest.is_copy.astype(np.float64)}
    return Drawn(rows, replace(measured, columns=columns), nearest)


def _nearest(measured: Measured, needles: Measured, config: EvaluateConfig) -> NearestNeedles:
    """Among the needles as they are and their centred squares: tuning may have seen the one or the other."""
    limits, views = config.near_copy, needles.looks
    if needles.centres is not None:
        views = joined([needles.looks, needles.centres])
    found = nearest_needles(measured.looks, views, max_bits=limits.max_bits, min_cosine=limits.min_cosine)
    return replace(found, needle=found.needle % len(needles.items))


def _estimates(drawn: Drawn, needles: Measured | None, settings: Settings) -> dict[str, Estimate]:
    means = {
        name: (share_estimate if name == NEAR_COPIES else mean_estimate)(values, drawn.prompt_ids, settings)
        for name, values in drawn.measured.columns.items()
    }
    return means | {
        name: set_estimate(statistic, drawn.prompt_ids, settings)
        for name, statistic in _set_statistics(drawn.measured, needles).items()
    }


def _set_statistics(measured: Measured, needles: Measured | None) -> dict[str, SetStatistic]:
    """Measure -> statistic of the rows; none without embeddings."""
    embeds = measured.looks.embeds
    if embeds is None or len(embeds) <= MIN_IN_SET:
        return {}
    from photogenic.measures.distances import cmmd, diversity, frechet_distance

    statistics: dict[str, SetStatistic] = {"diversity": lambda rows: diversity(embeds[rows])}
    if needles is not None and needles.looks.embeds is not None and len(needles.looks.embeds) >= MIN_IN_SET:
        wanted = needles.looks.embeds
        statistics["frechet_distance"] = lambda rows: frechet_distance(embeds[rows], wanted)
        statistics["cmmd"] = lambda rows: cmmd(embeds[rows], wanted)
    return statistics


def _means(needles: Measured) -> dict[str, float]:
    return {
        name: float(np.nanmean(values))
        for name, values in needles.columns.items()
        if np.isfinite(values).any()
    }


def _paired(
    drawn: Drawn, base: Drawn, name: str, needles: Measured | None, settings: Settings, remarks: list[str]
) -> Paired:
    rows, base_rows = pair_rows(drawn.rows, base.rows)
    lonely = len(drawn.rows) + len(base.rows) - 2 * len(rows)
    if lonely:
        remarks.append(f"{lonely} pictures of {name} and the base have no partner and are in no comparison.")
    prompt_ids = [drawn.prompt_ids[row] for row in rows]
    compared = {
        measure: compare(values[rows], base.measured.columns[measure][base_rows], prompt_ids, settings)
        for measure, values in drawn.measured.columns.items()
    }
    judged = _adjusted({measure: compared[measure] for measure in JUDGED if measure in compared})
    return Paired(
        rows=rows,
        base_rows=base_rows,
        judged=judged,
        described={measure: found for measure, found in compared.items() if measure not in judged},
        of_sets=_set_differences(drawn, base, rows, base_rows, needles, settings),
        slices={
            column: _slices(drawn, base, rows, base_rows, column, list(judged), settings)
            for column in ("category", "challenge")
        },
    )


def pair_rows(rows: Sequence[Mapping[str, Any]], base_rows: Sequence[Mapping[str, Any]]) -> tuple[Rows, Rows]:
    """Row numbers of the pictures that both models drew: the same prompt and the same seed."""
    of_base = {(row["prompt_id"], row["seed"]): number for number, row in enumerate(base_rows)}
    pairs = [
        (number, of_base[row["prompt_id"], row["seed"]])
        for number, row in enumerate(rows)
        if (row["prompt_id"], row["seed"]) in of_base
    ]
    numbers = np.array(pairs, np.int64).reshape(-1, 2)
    return numbers[:, 0], numbers[:, 1]


def _adjusted(comparisons: Mapping[str, Comparison]) -> dict[str, Comparison]:
    return dict(zip(comparisons, adjust(list(comparisons.values())), strict=True))


def _set_differences(
    drawn: Drawn, base: Drawn, rows: Rows, base_rows: Rows, needles: Measured | None, settings: Settings
) -> dict[str, Estimate]:
    ours = _set_statistics(drawn.measured, needles)
    theirs = _set_statistics(base.measured, needles)
    if len(rows) <= MIN_IN_SET:
        return {}
    prompt_ids = [drawn.prompt_ids[row] for row in rows]
    return {
        name: set_estimate(_difference(ours[name], theirs[name], rows, base_rows), prompt_ids, settings)
        for name in ours
        if name in theirs
    }


def _difference(ours: SetStatistic, theirs: SetStatistic, rows: Rows, base_rows: Rows) -> SetStatistic:
    return lambda which: ours(rows[which]) - theirs(base_rows[which])


def _slices(
    drawn: Drawn,
    base: Drawn,
    rows: Rows,
    base_rows: Rows,
    column: str,
    measures: Sequence[str],
    settings: Settings,
) -> dict[str, dict[str, Comparison]]:
    """Value of `column` -> measure -> comparison within it, adjusted for looking at all; {} if only one."""
    labels = np.array([drawn.rows[row][column] or "" for row in rows], np.str_)
    values = [str(value) for value in np.unique(labels) if value]
    if len(values) < 2:
        return {}
    slices: dict[str, dict[str, Comparison]] = {value: {} for value in values}
    for measure in measures:
        ours, theirs = drawn.measured.columns[measure], base.measured.columns[measure]
        found = []
        for value in values:
            within = labels == value
            prompt_ids = [drawn.prompt_ids[row] for row in rows[within]]
            found.append(compare(ours[rows[within]], theirs[base_rows[within]], prompt_ids, settings))
        for value, comparison in zip(values, adjust(found), strict=True):
            slices[value][measure] = comparison
    return slices
