"""Making a round's queue: its pictures in their order, gold mixed in, calibration in front."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sqlalchemy import Connection

from photogenic.core.errors import RunError
from photogenic.core.records import Locator
from photogenic.core.run import Run, seed_for
from photogenic.core.shards import read_table
from photogenic.measures.decode import read_header
from photogenic.measures.duplicates import near_duplicate_groups
from photogenic.review.arrange import arrange
from photogenic.review.config import ReviewConfig, RoundConfig
from photogenic.review.drafts import drafts_of
from photogenic.web.queues import NewItem, NewPicture, add_items, add_pictures, create_queue

FACTS = ("key", "width_px", "height_px", "size_bytes")


def candidates_of(run: Run) -> pa.Table:
    """What there is to review: the candidates, or the whole pool where no funnel has run.

    Raises:
        RunError: neither is there.
    """
    candidates = run.folder / "curate" / "candidates.parquet"
    manifest = run.folder / "pool" / "manifest"
    if not candidates.exists() and not manifest.is_dir():
        raise RunError(
            f"{run.folder} has neither candidates nor a pool.", "Run `photogenic curate RECIPE` first."
        )
    return read_table(candidates if candidates.exists() else manifest)


def open_round(
    connection: Connection,
    run: Run,
    config: ReviewConfig,
    number: int,
    rows: pa.Table,
    *,
    answers: Mapping[str, str],
    seed: int,
    taste: NDArray[np.float64] | None = None,
) -> str:
    """The queue of round `number` over `rows` (of the candidates); its id.

    `answers`: sample_id -> keep or drop, of pictures whose answer is known: gold and calibration are drawn
    from them.
    """
    chosen = config.rounds[number]
    rng = np.random.default_rng(seed_for(seed, "round", chosen.name))
    queue_id = create_queue(connection, kind=chosen.screen, title=chosen.name, body=_settings(chosen, number))
    order = arrange(
        rows.num_rows,
        order=chosen.order,
        rng=rng,
        taste=taste,
        random_ratio=chosen.random_ratio,
        groups=groups_of(rows, chosen.balance) if chosen.balance else None,
        duplicates=_duplicates(rows) if chosen.group_duplicates else None,
    )
    samples = rows.take(pa.array(order)).to_pylist()
    digests = _add_pictures(connection, queue_id, run, samples)
    overlap = (2 if chosen.second_reader else 1) if chosen.screen == "captions" else chosen.overlap
    known = [sample["sample_id"] for sample in samples if sample["sample_id"] in answers]
    purposes = _purposes(chosen, known, len(samples), rng)
    captions = chosen.screen == "captions"
    drafts = drafts_of(run, config.drafts) if captions else {}
    forbidden = {"forbidden": list(config.forbidden_phrases)} if captions else {}
    items = [
        NewItem(
            _body(sample, digests[sample["sample_id"]]) | forbidden | _draft(drafts.get(sample["sample_id"])),
            overlap,
            purposes.get(sample["sample_id"], "work"),
            answers[sample["sample_id"]] if sample["sample_id"] in purposes else None,
            wanted=1 if captions else None,  # there is nothing to read before it is written
        )
        for sample in samples
    ]
    add_items(connection, queue_id, items)
    return queue_id


def _purposes(
    chosen: RoundConfig, known: Sequence[str], num: int, rng: np.random.Generator
) -> dict[str, str]:
    """sample_id -> gold or calibration; they stay at their places in the order, so none stands out."""
    if chosen.screen == "captions" or not known:
        return {}
    drawn = [known[place] for place in rng.permutation(len(known))]
    calibration, rest = drawn[: chosen.calibration], drawn[chosen.calibration :]
    gold = rest[: round(chosen.gold_ratio * num)]
    return dict.fromkeys(calibration, "calibration") | dict.fromkeys(gold, "gold")


def _settings(chosen: RoundConfig, number: int) -> dict[str, Any]:
    return {
        "round": number,
        "keep": chosen.keep,
        "mark": chosen.mark,
        "criteria": list(chosen.criteria),
        "relook_ratio": chosen.relook_ratio if chosen.screen == "grid" else 0.0,
        **({"roles": list(chosen.roles)} if chosen.roles else {}),
    }


def _add_pictures(
    connection: Connection, queue_id: str, run: Run, samples: Sequence[Mapping[str, Any]]
) -> dict[str, str]:
    """Let the queue show the samples' pictures; sample_id -> digest."""
    sources = run.sources()
    digests, new = {}, []
    for sample in samples:
        locator = {name: sample[name] for name in ("source", "member", "offset", "size_bytes")}
        uid, width, height = sample["uid"], sample.get("width_px"), sample.get("height_px")
        if not (uid and width and height):
            data = sources.read(Locator(**locator))
            header = read_header(data)
            uid = uid or hashlib.sha256(data).hexdigest()
            width, height = header.width_px, header.height_px
        digests[sample["sample_id"]] = uid[:32]
        new.append(NewPicture(uid[:32], "review", locator, int(width), int(height)))
    add_pictures(connection, queue_id, new)
    return digests


def _body(sample: Mapping[str, Any], digest: str) -> dict[str, Any]:
    facts = {name: sample[name] for name in FACTS if sample.get(name) is not None}
    return {
        "sample_id": sample["sample_id"],
        "images": [digest],
        "alt_text": sample["alt_text"] or "",
        "metadata": facts,
    }


def _draft(draft: Mapping[str, str] | None) -> dict[str, Any]:
    return {"caption_drafts": [dict(draft)]} if draft else {}


def groups_of(rows: pa.Table, name: str) -> list[str]:
    """The value of a column or side-car field for each row, as a label.

    Raises:
        RunError: there is neither.
    """
    if name in rows.column_names:
        labels = rows[name].to_pylist()
    else:
        labels = [json.loads(fields or "{}").get(name) for fields in rows["fields"].to_pylist()]
    if labels and all(label is None for label in labels):
        raise RunError(f"{name!r} names neither a column nor a side-car field of the candidates.")
    return [str(label or "") for label in labels]


def _duplicates(rows: pa.Table) -> NDArray[np.int64] | None:
    if "phash" not in rows.column_names or rows["phash"].null_count:
        return None
    return near_duplicate_groups(rows["phash"].to_numpy().astype(np.uint64))
