"""Steps that run a Python function of yours."""

from __future__ import annotations

from pydantic import Field

from photogenic.core.config import StrictModel
from photogenic.curate.config.bounds import Range


class ScorerStep(Range):
    """Your own number of a picture: a Python function of its pixels."""

    scorer: str = Field(
        description="`path.py:function`, `package.module:function`, or an entry point of `photogenic.steps`."
    )
    columns: tuple[str, ...] = Field(
        (), description="The names of the numbers, where it returns several; without it, the step's own name."
    )
    column: str | None = Field(None, description="The one that the bounds are of; without it, the first.")
    size_px: int = Field(512, ge=16, le=4096, description="The picture's longer side, at most.")


class FilterStep(StrictModel):
    """Your own decision: a Python function of a sample's columns."""

    filter: str = Field(
        description="`path.py:function`, `package.module:function`, or an entry point of `photogenic.steps`."
    )
    columns: tuple[str, ...] = Field((), description="Columns that it reads: they are measured first.")
