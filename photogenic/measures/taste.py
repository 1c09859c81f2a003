"""Taste: how likely people would keep a picture, as learnt from their decisions by a review.

The artefact is JSON: a logistic regression on standardised columns and the calibration of its probabilities.
So whoever names it by path (a step of the funnel, the stopping gate) runs numbers and no code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from photogenic.core.errors import RunError
from photogenic.core.shards import read_json, write_json

Floats = NDArray[np.float64]
FORMAT = "photogenic taste 1"


@dataclass(frozen=True)
class Taste:
    """P(keep) = 1 / (1 + exp(-(slope x (weights · z + bias) + offset))), z standardised columns."""

    columns: tuple[str, ...]  # a name, or name[i] for a part of an embedding
    means: tuple[float, ...]  # stand in for what is missing
    scales: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float
    slope: float  # of the calibration
    offset: float
    num_kept: int  # decisions it was learnt from
    num_dropped: int

    def score(self, columns: pa.Table | Mapping[str, Any]) -> Floats:
        """How likely each row would be kept: [n], 0..1. A value that is missing counts as the mean.

        Raises:
            RunError: a column is missing altogether.
        """
        return self._probabilities(matrix_of(columns, self.columns))

    def _probabilities(self, matrix: Floats) -> Floats:
        """[n, number of columns] => [n]."""
        means, scales = np.array(self.means), np.array(self.scales)
        standard = (np.where(np.isfinite(matrix), matrix, means) - means) / scales
        margin = standard @ np.array(self.weights) + self.bias
        return np.asarray(1 / (1 + np.exp(-np.clip(self.slope * margin + self.offset, -60, 60))), np.float64)

    def listens_to(self, names: Iterable[str]) -> tuple[str, ...]:
        """Those of its columns that are among `names`.

        Raises:
            RunError: none is.
        """
        there = set(names)
        heard = tuple(column for column in self.columns if column in there)
        if not heard:
            raise RunError(
                f"The taste listens to {', '.join(self.columns)}, and none of these is measured here.",
                "Learn it again from a run whose funnel measures pixels.",
            )
        return heard

    def of_one(self, values: Mapping[str, float]) -> float:
        """P(keep) of one picture, 0..1; a column that is not among `values` counts as its mean."""
        self.listens_to(values)
        row = [float(values.get(column, np.nan)) for column in self.columns]
        return float(self._probabilities(np.array([row]))[0])


def save(taste: Taste, path: Path) -> None:
    """Write the artefact."""
    write_json(path, {"format": FORMAT, **asdict(taste)})


def load(path: Path) -> Taste:
    """Read an artefact.

    Raises:
        RunError: it is not there, or is something else.
    """
    if not path.is_file():
        raise RunError(f"There is no taste at {path}.", "`photogenic review RECIPE --learn` writes one.")
    try:
        values = dict(read_json(path))
        if values.pop("format", None) != FORMAT:
            raise ValueError("another format")
        lists = {name: tuple(values[name]) for name in ("columns", "means", "scales", "weights")}
        if len({len(column) for column in lists.values()}) != 1:
            raise ValueError("lists of different lengths")
        return Taste(**{**values, **lists})
    except (ValueError, TypeError, KeyError) as error:
        raise RunError(f"{path} holds no taste: {error}.") from error


def matrix_of(columns: pa.Table | Mapping[str, Any], names: Sequence[str]) -> Floats:
    """[n, len(names)]; NaN where a value is missing."""
    table = columns if isinstance(columns, pa.Table) else pa.table(dict(columns))
    read: dict[str, Floats] = {}
    parts = []
    for name in names:
        base, _, index = name.partition("[")
        if base not in table.column_names:
            raise RunError(f"The taste needs the column {base!r}, which is not there.", "Measure it first.")
        if base not in read:
            read[base] = _numbers(table[base])
        values = read[base]
        parts.append(values[:, int(index[:-1])] if index else values)
    return np.column_stack(parts) if parts else np.empty((table.num_rows, 0))


def _numbers(column: pa.ChunkedArray) -> Floats:
    """[n] or, of an embedding, [n, d]."""
    if pa.types.is_fixed_size_list(column.type):
        rows = [row if row is not None else [np.nan] * column.type.list_size for row in column.to_pylist()]
        return np.asarray(rows, np.float64)
    return np.asarray([np.nan if value is None else value for value in column.to_pylist()], np.float64)
