"""What a recipe may say under `curate`."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from photogenic.core.config import StrictModel
from photogenic.core.section import LATER, Section
from photogenic.curate.config.bounds import Range
from photogenic.curate.config.fields import HeldOutStep, LicenceStep, OptOutStep, PopularityStep
from photogenic.curate.config.own import FilterStep
from photogenic.curate.config.setwise import DuplicatesStep, SelectStep
from photogenic.curate.config.steps import StepsConfig

# Cheap steps first, thresholds that only the clearly bad fails: for a folder of photographs of whatever kind.
DEFAULT_STEPS: dict[str, dict[str, Any]] = {
    "size": {},
    "aspect": {},
    "exposure": {},
    "contrast": {"min": 0.25},
    "sharpness": {"min": 0.5},
    "jpeg_quality": {"min": 30},
    "borders": {},
    "duplicates": {},
    "unsafe": {},
    "ocr": {},
    "clip_score": {"min_quantile": 0.05},
    "appeal": {"min_quantile": 0.5},
}


class CurateConfig(Section):
    """The funnel: haystack -> candidates."""

    steps: StepsConfig = Field(
        default_factory=lambda: StepsConfig.model_validate(DEFAULT_STEPS),
        description="The funnel's steps, in their order.",
    )
    domain: str | None = Field(
        None,
        description="What the pool shows, such as `photographs` or `stickers`: a CLIP made for something"
        " else is left out. Not given: it is left out if it cannot tell the pool's texts from shuffled ones.",
    )
    target: int | None = Field(
        None,
        gt=0,
        description="How many candidates are wanted: the quantile of all bounds that say `target` is solved"
        " so that this many are left by the last step.",
    )
    timeout_s: float = Field(60.0, gt=0, description="The longest that one picture may keep a worker busy.")
    pixel_measures: Literal["all", "asked"] = Field(
        "all",
        description="What is measured of pixels: `all` there is, in one go, so that further steps open no"
        " picture; or only what the steps have `asked` for, which is faster. Candidates have these columns.",
        json_schema_extra=LATER,
    )

    @model_validator(mode="after")
    def _target_can_be_solved(self) -> Self:
        asking = [
            name for name, step in self.steps.items() if isinstance(step, Range) and step.asks_for_target
        ]
        if bool(asking) != (self.target is not None):
            missing = "no bound says `target`" if self.target is not None else "`target` is not given"
            raise ValueError(f"a target needs both, `target: NUMBER` and bounds that say `target`: {missing}")
        if asking:
            order = self.steps.order
            late = [name for name in order[order.index(asking[0]) :] if not _is_rule(self.steps.get(name))]
            if late:
                raise ValueError(
                    f"`{late[0]}` decides over the whole set, or by itself: put it before `{asking[0]}`, the"
                    " first step whose bound says `target`"
                )
        return self


def _is_rule(step: StrictModel) -> bool:
    """Whether a step drops by bounds of columns alone."""
    if isinstance(step, PopularityStep) and step.within is not None:
        return False
    by_itself = DuplicatesStep | SelectStep | FilterStep | LicenceStep | OptOutStep | HeldOutStep
    return not isinstance(step, by_itself)
