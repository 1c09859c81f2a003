"""The funnel's steps in their order, those under names of their own among them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

from pydantic import (
    ModelWrapValidatorHandler,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from photogenic.core.config import StrictModel
from photogenic.curate.config.bounds import Range
from photogenic.curate.config.fields import (
    CaptionStep,
    ColumnStep,
    HeldOutStep,
    LicenceStep,
    OptOutStep,
    PopularityStep,
)
from photogenic.curate.config.named import Named, is_named, read_named
from photogenic.curate.config.neural import (
    AestheticStep,
    ClipScoreStep,
    ConceptStep,
    OcrStep,
    TasteStep,
    UnsafeStep,
)
from photogenic.curate.config.pixels import AspectStep, BordersStep, ColourfulnessStep, ExposureStep, SizeStep
from photogenic.curate.config.setwise import DuplicatesStep, SelectStep


class StepsConfig(StrictModel):
    """The funnel's steps. Their order in the recipe is their order in the funnel; `null` takes one out."""

    size: SizeStep | None = None
    aspect: AspectStep | None = None
    exposure: ExposureStep | None = None
    contrast: Range | None = None
    colourfulness: ColourfulnessStep | None = None
    saturation: Range | None = None
    sharpness: Range | None = None
    noise: Range | None = None
    watermark: Range | None = None
    jpeg_quality: Range | None = None
    borders: BordersStep | None = None
    ocr: OcrStep | None = None
    unsafe: UnsafeStep | None = None
    duplicates: DuplicatesStep | None = None
    clip_score: ClipScoreStep | None = None
    aesthetic: AestheticStep | None = None
    concept: ConceptStep | None = None
    popularity: PopularityStep | None = None
    column: ColumnStep | None = None
    caption: CaptionStep | None = None
    licence: LicenceStep | None = None
    opt_out: OptOutStep | None = None
    held_out: HeldOutStep | None = None
    appeal: Range | None = None
    finish: Range | None = None
    taste: TasteStep | None = None
    select: SelectStep | None = None

    _order: tuple[str, ...] = PrivateAttr(default=())
    _named: dict[str, Named] = PrivateAttr(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _remember_order(cls, values: object, validate: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(values, dict):
            return validate(values)
        own = {name: step for name, step in values.items() if is_named(name, step, cls.model_fields)}
        steps = validate({name: step for name, step in values.items() if name not in own})
        # A frozen model may still set its private attributes.
        steps._named = {name: read_named(name, step) for name, step in own.items()}
        steps._order = tuple(name for name in values if steps.get(name) is not None)
        return steps

    @model_serializer(mode="wrap")
    def _in_order(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values = serialize(self)
        values |= {name: named.written() for name, named in self._named.items()}
        return {name: values[name] for name in self.order}

    @property
    def order(self) -> tuple[str, ...]:
        """Names of the steps, first to last."""
        return self._order or tuple(name for name in type(self).model_fields if self.get(name) is not None)

    def get(self, name: str) -> Any:
        """The step of that name; None where the recipe has none."""
        return self._named[name].step if name in self._named else getattr(self, name)

    def kind(self, name: str) -> str:
        """What the step of that name is: its name, unless the recipe gave it one of its own."""
        return self._named[name].kind if name in self._named else name

    def models(self) -> Iterator[tuple[str, str, str]]:
        """(step, setting, name) of every model that the recipe names."""
        for name, step in self.items():
            for setting in ("model", "head"):
                if isinstance(named := getattr(step, setting, None), str):
                    yield name, setting, named

    def items(self) -> Iterator[tuple[str, Any]]:
        """(name, step), first to last."""
        return ((name, self.get(name)) for name in self.order)
