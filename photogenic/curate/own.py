"""Your own scorers and filters: a Python function and a line of the recipe.

A scorer gets a picture, [H, W, 3] uint8 sRGB on white, and returns a number, or numbers by name. A filter
gets a sample's columns by name and returns True or None to keep it, False or a reason to drop it. The hash of
the source file counts as the revision: a changed function is asked again. What it imports is not looked at.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from photogenic.core.errors import RecipeError
from photogenic.core.manifest import POOL_SCHEMA
from photogenic.core.records import Sample
from photogenic.core.shards import file_fingerprint, fingerprint
from photogenic.curate.config import FilterStep, ScorerStep, StepsConfig
from photogenic.curate.ledger import DROPPED, FAILED, Ledger
from photogenic.curate.scorers import BUGS, Scorer, Values, broken_code

Rgb = NDArray[np.uint8]

GROUP = "photogenic.steps"  # of entry points


@dataclass(frozen=True)
class Own:
    """Where a function lies, and of which state: other source, other Own."""

    where: str  # `path:function` with an absolute path, or `module:function`
    source: str  # SHA-256 of the file


@dataclass(frozen=True)
class OwnScorer:
    """What a worker needs to ask a scorer."""

    own: Own
    size_px: int
    columns: tuple[str, ...]


def find(name: str) -> Own:
    """What the recipe means by `path.py:function`, `package.module:function`, or an entry point.

    Raises:
        RecipeError: there is no such file, module, function or entry point.
    """
    where = name if ":" in name else _entry_point(name)
    place, _, function = where.rpartition(":")
    if place.endswith(".py"):
        path = Path(place).expanduser().resolve()
        if not path.is_file():
            raise RecipeError(f"There is no file {path} with the function {function!r}.", _PATHS)
        own = Own(f"{path}:{function}", file_fingerprint(path))
    else:
        own = Own(where, _source_of(place))
    load(own)
    return own


_PATHS = "Write path.py:function; a relative path starts at the working directory."


def _entry_point(name: str) -> str:
    known = {point.name: point.value for point in entry_points(group=GROUP)}
    if name not in known:
        there = ", ".join(sorted(known)) or "none"
        raise RecipeError(
            f"{name!r} names no function: there is no such entry point of {GROUP} (there: {there}).", _PATHS
        )
    return known[name]


def _source_of(module: str) -> str:
    try:
        spec = importlib.util.find_spec(module)
    except ImportError:
        spec = None
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        raise RecipeError(f"There is no module {module!r}.", _PATHS)
    return file_fingerprint(Path(spec.origin))


@lru_cache(maxsize=32)
def load(own: Own) -> Callable[[Any], Any]:
    """The function itself; once in each process.

    Raises:
        RecipeError: the file cannot be imported, or has no such function.
    """
    place, _, name = own.where.rpartition(":")
    try:
        module = _from_file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
    except Exception as error:  # whatever the user's file raises
        raise RecipeError(f"{place} cannot be imported: {type(error).__name__}: {error}", "") from error
    function: Callable[[Any], Any] | None = getattr(module, name, None)
    if function is None or not callable(function):
        raise RecipeError(f"{place} has no function {name!r}.", _PATHS)
    return function


def _from_file(path: Path) -> ModuleType:
    name = f"photogenic_own_{hashlib.sha256(str(path).encode()).hexdigest()[:16]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


# --- scorers -------------------------------------------------------------------------------------------


def own_scorers(steps: StepsConfig) -> list[Scorer]:
    """Those that the recipe names."""
    return [own_scorer(name, step) for name, step in steps.items() if isinstance(step, ScorerStep)]


def own_scorer(name: str, step: ScorerStep) -> Scorer:
    """The scorer of a step; its columns are null where the function returns nothing, or what is no number."""
    from importlib.metadata import version

    own = find(step.scorer)
    columns = step.columns or (name,)
    packages = [version(package) for package in ("pillow", "simplejpeg", "numpy")]
    function = own.where.rpartition(":")[2]
    revision = fingerprint("own 1", function, own.source, step.size_px, columns, packages)
    model = OwnScorer(own, step.size_px, columns)
    return _scorer(name, model, revision)


@lru_cache(maxsize=32)
def _scorer(name: str, model: OwnScorer, revision: str) -> Scorer:
    columns = dict.fromkeys(model.columns, "float64")
    return Scorer(f"own-{name}", measure_own, columns, revision, model=model)


def measure_own(sample: Sample, data: bytes, model: Any) -> Values:
    """Columns of `own_scorer`."""
    returned = load(model.own)(picture_for(data, model.size_px))
    if not isinstance(returned, dict):
        returned = {model.columns[0]: returned}
    unknown = sorted(set(returned) - set(model.columns))
    if unknown:
        raise RecipeError(
            f"{model.own.where} returned {', '.join(unknown)}, which the step's `columns` do not name.",
            f"They name: {', '.join(model.columns)}.",
        )
    return {name: _number(returned.get(name)) for name in model.columns}


def picture_for(data: bytes, size_px: int) -> Rgb:
    """What a scorer sees: [H, W, 3] uint8 sRGB on white, EXIF applied, the longer side at most `size_px`."""
    from photogenic.measures.decode import decode

    return decode(data, min_long_side_px=size_px).rgb


def _number(value: Any) -> float | None:
    if value is None:
        return None
    number = float(value)
    return number if math.isfinite(number) else None


# --- filters -------------------------------------------------------------------------------------------


def drop_by_own(ledger: Ledger, step: FilterStep, name: str) -> None:
    """Ask the function about each living sample; one over which it raises has failed."""
    function = load(find(step.filter))
    dropped: dict[int, str] = {}
    failed: dict[int, str] = {}
    for number, row in _rows(ledger, step.columns):
        try:
            reason = _refusal(function(row), step)
        except BUGS as error:
            raise broken_code(f"The filter {name!r}", error, f"{row['source']}/{row['member']}") from error
        except Exception as error:  # whatever the user's function raises
            failed[number] = f"{type(error).__name__}: {error}"
            continue
        if reason is not None:
            dropped[number] = reason
    for verdict, reasons in ((DROPPED, dropped), (FAILED, failed)):
        rows = np.fromiter(reasons, np.int64, len(reasons))
        ledger.strike(name, verdict, rows, pa.array(list(reasons.values()), pa.string()))


def _refusal(answer: Any, step: FilterStep) -> str | None:
    """Why the function drops a sample; None where it keeps it. NumPy has a False of its own."""
    refused = f"refused by {step.filter.rpartition(':')[2]}"
    if isinstance(answer, str):
        return answer or refused
    return None if answer is None or answer else refused


def _rows(ledger: Ledger, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, Any]]]:
    """(row, columns by name) of everyone alive: the pool's, with `fields` as a dict, and all asked for."""
    wanted = {name: ledger.value(name) for name in (*POOL_SCHEMA.names, *columns)}
    for batch in ledger.living_batches(wanted):
        for row in batch.to_pylist():
            row["fields"] = json.loads(row["fields"] or "{}")
            yield row.pop("row"), row


def own_inputs(steps: StepsConfig) -> list[str]:
    """The sources of all functions of one's own: other code, other result."""
    named = [getattr(step, "scorer", None) or getattr(step, "filter", None) for _, step in steps.items()]
    return [find(name).source for name in named if name is not None]
