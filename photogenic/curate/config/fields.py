"""Steps that read what came with a picture, its text and side-car fields, or any column."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from photogenic.core.config import StrictModel
from photogenic.curate.config.bounds import TARGET, Range, Ratio


class PopularityStep(Range):
    """Any number that came with the pool, such as likes (the paper's step 7)."""

    field: str = Field(description="The side-car field that holds the number.")
    keep_unknown: bool = Field(True, description="Keep samples that do not have the field.")
    within: str | None = Field(
        None,
        description="A side-car field such as `group`, or a column such as `concept`: quantiles are then of"
        " each of its values by itself.",
    )

    @model_validator(mode="after")
    def _within_is_for_quantiles(self) -> Self:
        if self.within is not None and (self.min is not None or self.max is not None):
            raise ValueError("`within` is for quantiles; put absolute bounds into a step of their own")
        if self.within is not None and TARGET in (self.min_quantile, self.max_quantile):
            raise ValueError("a quantile within groups cannot be solved; name it, or take `within` out")
        return self


class ColumnStep(Range):
    """Any number that was measured or that came with the pool."""

    name: str = Field(description="A score column such as `width_px`, or a side-car field: `fields.NAME`.")
    keep_unknown: bool = Field(True, description="Keep samples that do not have the number.")


class CaptionStep(StrictModel):
    """Whether the text that came with a picture says anything. No picture is opened."""

    min_words: int | None = Field(3, ge=0, description="Words of the text, at least.")
    max_words: int | None = Field(None, ge=1, description="Words of the text, at most.")
    max_boilerplate: int | None = Field(
        0, ge=0, description="Things that no caption is (`stock photo`, a file name, a URL), at most."
    )
    max_capitals_ratio: Ratio | None = Field(0.7, ge=0, le=1, description="Share of capitals, at most.")
    max_repeated_ratio: Ratio | None = Field(
        0.5, ge=0, le=1, description="Share of the words that stood there before, at most."
    )


class LicenceStep(StrictModel):
    """Only pictures that may be used."""

    field: str = Field("licence", description="The side-car field that names the licence.")
    allow: tuple[str, ...] = Field(
        min_length=1, description="Licences that are fine, in any case of letters; `CC-BY*` is a beginning."
    )
    keep_unknown: bool = Field(False, description="Keep samples that name no licence.")


class OptOutStep(StrictModel):
    """Nobody's picture who does not want it here."""

    field: str = Field("opt_out", description="The side-car field that says so.")
    means_no: tuple[str, ...] = Field(
        ("false", "no", "0", "none", "null"),
        description="What the field holds where nobody opted out; nothing is as good.",
    )


class HeldOutStep(StrictModel):
    """What a model shall be judged on later, and so must not be tuned on: texts that name it are dropped."""

    prompts: Path = Field(description="A file of prompts, as `generate.prompts` takes it.")
    challenge: str | None = Field(None, description="Only the prompts of this challenge; without it, all.")
