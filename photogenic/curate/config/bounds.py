"""Bounds of one column, which many steps share."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from photogenic.core.config import StrictModel

Ratio = float  # 0-1

_MIN = "Keep what measures at least this."
_MAX = "Keep what measures at most this."
_MIN_QUANTILE = (
    "Drop this share of what is left, the lowest first; `target`: solved so that so many are left."
)
_MAX_QUANTILE = "Keep this share of what is left, the lowest first; `target`: as solved."

TARGET: Literal["target"] = "target"


class Range(StrictModel):
    """Bounds of one column, absolute or as quantiles of what the earlier steps left; None: no bound."""

    min: float | None = Field(None, description=_MIN)
    max: float | None = Field(None, description=_MAX)
    min_quantile: Annotated[Ratio, Field(ge=0, lt=1)] | Literal["target"] | None = Field(
        None, description=_MIN_QUANTILE
    )
    max_quantile: Annotated[Ratio, Field(gt=0, le=1)] | Literal["target"] | None = Field(
        None, description=_MAX_QUANTILE
    )

    @model_validator(mode="after")
    def _bounds_something(self) -> Self:
        bounds = [name for name in type(self).model_fields if name.startswith(("min", "max"))]
        if all(getattr(self, name) is None for name in bounds):
            raise ValueError(f"give at least one bound, or the step drops nothing: {', '.join(bounds)}")
        return self

    @property
    def asks_for_target(self) -> bool:
        """Whether a bound is to be solved."""
        return TARGET in (self.min_quantile, self.max_quantile)
