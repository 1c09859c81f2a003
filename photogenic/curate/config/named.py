"""Steps under names that the recipe gives them."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from photogenic.core.config import StrictModel
from photogenic.curate.config.fields import ColumnStep, HeldOutStep, LicenceStep, OptOutStep, PopularityStep
from photogenic.curate.config.own import FilterStep, ScorerStep

# Steps that may stand in a recipe more than once, under names of their own: `likes: {step: popularity, ...}`.
NAMED_STEPS: dict[str, type[StrictModel]] = {
    "popularity": PopularityStep,
    "column": ColumnStep,
    "licence": LicenceStep,
    "opt_out": OptOutStep,
    "held_out": HeldOutStep,
}
OWN_STEPS: dict[str, type[StrictModel]] = {"scorer": ScorerStep, "filter": FilterStep}


@dataclass(frozen=True)
class Named:
    """A step under a name that the recipe gave it."""

    kind: str
    step: StrictModel

    def written(self) -> dict[str, Any]:
        """As it stands in a recipe."""
        kind = {} if self.kind in OWN_STEPS else {"step": self.kind}
        return kind | self.step.model_dump(mode="json")


def is_named(name: object, step: object, known: Container[object]) -> bool:
    """Whether it is none of the `known` steps, and says itself what it is."""
    return name not in known and isinstance(step, dict) and any(key in step for key in ("step", *OWN_STEPS))


def read_named(name: str, values: dict[str, Any]) -> Named:
    """The step; what is wrong with it is told of its place in the recipe."""
    kind = str(values["step"]) if "step" in values else next(kind for kind in OWN_STEPS if kind in values)
    model = (NAMED_STEPS if "step" in values else OWN_STEPS).get(kind)
    if model is None:
        raise ValueError(f"`{name}`: there is no step {kind!r} to name; valid are {', '.join(NAMED_STEPS)}")
    if not name.isidentifier():
        raise ValueError(f"`{name}` is no name for a step: letters, digits and _ only")
    try:
        return Named(kind, model.model_validate({key: values[key] for key in values if key != "step"}))
    except ValidationError as error:
        lines = [
            InitErrorDetails(
                type=PydanticCustomError(line["type"], "{said}", {"said": line["msg"]}),
                loc=(name, *line["loc"]),
                input=line["input"],
            )
            for line in error.errors(include_url=False)
        ]
        raise ValidationError.from_exception_data("steps", lines) from None
