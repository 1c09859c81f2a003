"""Which scorers a recipe asks for, what its result depends upon, and what would stop it half-way."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator

import pyarrow as pa

from photogenic.core.errors import RecipeError, StorageError
from photogenic.core.manifest import NEEDLES_SCHEMA, VERDICTS_SCHEMA
from photogenic.core.shards import Sources
from photogenic.curate import neural
from photogenic.curate.asked import asked_columns, pixels_for
from photogenic.curate.captions import caption_scorer
from photogenic.curate.config import (
    ColumnStep,
    CurateConfig,
    DuplicatesStep,
    FilterStep,
    HeldOutStep,
    ScorerStep,
    SelectStep,
    StepsConfig,
)
from photogenic.curate.filters import FIELD
from photogenic.curate.finishing import finish_scorer
from photogenic.curate.held_out import held_out_phrases
from photogenic.curate.own import own_inputs, own_scorers
from photogenic.curate.scorers import (
    STORE_COLUMNS,
    Scorer,
    ocr_scorer,
    read_scorer,
    unsafe_scorer,
    watermark_scorer,
)
from photogenic.curate.tasting import taste_scorer

# Columns of the tables that a sample goes through; one of your own beside them would be taken for them.
TAKEN = frozenset((*VERDICTS_SCHEMA.names, *NEEDLES_SCHEMA.names, *STORE_COLUMNS, "row", "text", "image"))


def all_scorers(config: CurateConfig) -> list[Scorer]:
    """Whatever can make a column, cheap first; a classifier that the recipe names comes before ours."""
    steps = config.steps
    cheap = [read_scorer(), pixels_for(config), caption_scorer(), watermark_scorer()]
    ours = [*cheap, finish_scorer(), ocr_scorer()]
    return [*ours, *_taste(steps), *neural.neural_scorers(steps), *own_scorers(steps), unsafe_scorer()]


def _taste(steps: StepsConfig) -> list[Scorer]:
    return [] if steps.taste is None else [taste_scorer(steps.taste.path)]


def inputs(config: CurateConfig) -> list[object]:
    """What besides the configuration's values could change the result: the steps' order, how pixels are
    measured, models, own code, texts that are held out.
    """
    steps = config.steps
    by_embedding = steps.duplicates and neural.embedding_model(steps.duplicates)
    scorers = [pixels_for(config), *([watermark_scorer()] if steps.watermark else []), *_taste(steps)]
    if not asked_columns(steps).isdisjoint(finish_scorer().columns):
        scorers.append(finish_scorer())
    scorers += [*neural.neural_scorers(steps), *([neural.image_scorer(by_embedding)] if by_embedding else [])]
    held_out = [held_out_phrases(step) for _, step in steps.items() if isinstance(step, HeldOutStep)]
    return [steps.order, [scorer.folder_name for scorer in scorers], own_inputs(steps), *held_out]


def check(config: CurateConfig, sources: Sources) -> None:
    """Everything that would stop the funnel half-way is found before it begins.

    Raises:
        RecipeError: a column is not there, holds words where numbers are needed, or has a name that is taken.
        StorageError: a source of the pool cannot be reached at all.
    """
    for name, root in sources.roots.items():
        if not root.exists():
            raise StorageError(
                f"The pool's source {name!r} cannot be reached: {root} is not there.",
                "Mount it, or set its path in the recipe and index the pool again.",
            )
    columns = {field.name: field.type for scorer in all_scorers(config) for field in scorer.own_schema}
    for key, column in _columns_of_numbers(config.steps):
        _check_column(key, column, columns)
        if column in columns and not _holds_numbers(columns[column]):
            raise RecipeError(
                f"curate.steps.{key}: the column {column!r} holds no numbers.",
                "Name one of numbers, such as appeal_score.",
            )
    for name, step in config.steps.items():
        for column in step.columns if isinstance(step, FilterStep) else ():
            _check_column(f"{name}.columns", column, columns)
    _check_own_names(config)
    inputs(config)  # finds the functions of one's own, and the files of texts that are held out


def _check_column(key: str, column: str, columns: dict[str, pa.DataType]) -> None:
    if column in columns or column.startswith(FIELD):
        return
    near = difflib.get_close_matches(column, columns, n=1)
    raise RecipeError(
        f"curate.steps.{key}: there is no column {column!r}.",
        f"Did you mean {near[0]!r}?" if near else f"Side-car fields are written {FIELD}NAME.",
    )


def _holds_numbers(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _columns_of_numbers(steps: StepsConfig) -> Iterator[tuple[str, str]]:
    """(key of the recipe, column) of all columns that the recipe names to compare them."""
    for name, step in steps.items():
        match step:
            case DuplicatesStep():
                yield f"{name}.keep", step.keep
            case SelectStep():
                yield f"{name}.by", step.by
            case ColumnStep():
                yield f"{name}.name", step.name
            case ScorerStep() if step.column is not None:
                yield f"{name}.column", step.column


def _check_own_names(config: CurateConfig) -> None:
    """Columns are told apart without their capitals, as SQL does it."""
    known = Counter(column.lower() for scorer in all_scorers(config) for column in scorer.columns)
    for scorer in own_scorers(config.steps):
        for column in scorer.columns:
            if known[column.lower()] > 1 or column.lower() in TAKEN or column.startswith(FIELD):
                name = scorer.name.removeprefix("own-")
                raise RecipeError(f"curate.steps.{name}: there is a column {column!r} already.", "Rename it.")
