"""Schemas of the parquet tables at which the stages meet.

Tables hold no times, hosts or absolute paths, so that two runs can be compared byte for byte.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import pyarrow as pa

from photogenic.core.records import Sample

POOL_SCHEMA = pa.schema(
    [
        ("sample_id", pa.string()),  # from (source, member, key); exists before a byte is read
        ("uid", pa.string()),  # SHA-256 of the original bytes; null until the first full read
        ("source", pa.string()),  # name of the pool source; sources.json knows where it lies
        ("member", pa.string()),  # path inside the source, POSIX separators
        ("key", pa.string()),  # the source's own key
        ("offset", pa.int64()),
        ("size_bytes", pa.int64()),
        ("alt_text", pa.string()),
        ("fields", pa.string()),  # JSON object of the side-car's other fields
    ]
)

VERDICTS_SCHEMA = pa.schema(
    [
        ("sample_id", pa.string()),
        ("uid", pa.string()),
        ("source", pa.string()),
        ("key", pa.string()),
        ("verdict", pa.string()),  # kept | dropped | failed
        ("drop_step", pa.string()),
        ("drop_reason", pa.string()),
        ("value", pa.float64()),
        ("threshold", pa.float64()),
    ]
)

NEEDLES_SCHEMA = pa.schema(
    [
        *POOL_SCHEMA,
        ("caption", pa.string()),
        ("caption_source", pa.string()),  # alt_text | writer | model
        ("decided_by", pa.string()),  # in plain words, e.g. "auto: appeal_score"
        ("score", pa.float64()),
        ("decisions", pa.string()),  # JSON: what each person said; null where nobody was asked
    ]
)

IMAGES_SCHEMA = pa.schema(
    [
        ("image_id", pa.string()),
        ("model", pa.string()),
        ("prompt_id", pa.string()),
        ("prompt", pa.string()),
        ("category", pa.string()),
        ("challenge", pa.string()),
        ("seed", pa.int64()),
        ("file", pa.string()),
        ("width_px", pa.int32()),
        ("height_px", pa.int32()),
        ("guidance_scale", pa.float64()),
        ("num_inference_steps", pa.int32()),
    ]
)


def sample_id_for(source: str, member: str, key: str) -> str:
    """24 hex digits (96 bits: a collision among 10^10 samples has odds of about 10^-9)."""
    return hashlib.sha256("\0".join((source, member, key)).encode("utf-8", "surrogateescape")).hexdigest()[
        :24
    ]


def iter_samples(table: pa.Table) -> Iterator[Sample]:
    """The rows of a table that has the pool's columns, as records."""
    columns = table.select(POOL_SCHEMA.names)
    for batch in columns.to_batches(max_chunksize=4096):
        for row in batch.to_pylist():
            row["fields"] = json.loads(row["fields"] or "{}")
            yield Sample(**row)
