"""What a recipe may say under `pool` and `curate`."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from photogenic.core.config import StrictModel
from photogenic.core.section import LATER, Section
from photogenic.core.storage import RemotePath, Root, literal_secrets

Format = Literal["folder", "webdataset", "parquet"]
Url = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9+.-]*://")]


class SourceConfig(StrictModel):
    """Pictures: a folder of them (with metadata or side-cars), tars, or parquet files."""

    path: Url | Path = Field(
        description="The folder, or one tar or parquet file; a relative path starts at the working directory."
        " Or a URL: s3://bucket/folder."
    )
    storage_options: dict[str, Any] = Field(
        default_factory=dict,
        description="For a URL: what fsspec's file system is opened with, such as an endpoint. Secrets are"
        " written `${NAME}` and stay in the environment.",
    )
    format: Format | None = Field(
        None, description="folder, webdataset or parquet; without it, what lies there tells."
    )
    bytes_column: str | None = Field(
        None, description="parquet: the column of the pictures' bytes (`image.bytes` is a child of a struct)."
    )
    path_column: str | None = Field(
        None, description="parquet: the column of the pictures' paths, from the source's folder."
    )
    key: str = Field("key", description="The field that holds the source's own key; without it, the path.")
    alt_text: tuple[str, ...] = Field(
        ("alt_text", "text", "caption"),
        description="The fields that may hold the text; the first one that is there counts.",
    )

    @property
    def root(self) -> Root:
        """Where it lies."""
        if isinstance(self.path, str):
            return RemotePath.at(self.path, self.storage_options)
        return self.path.expanduser().resolve()

    @model_validator(mode="after")
    def _secrets_stay_outside(self) -> Self:
        if self.storage_options and not isinstance(self.path, str):
            raise ValueError("storage_options are for a URL, and path is none")
        if named := list(literal_secrets(self.storage_options)):
            raise ValueError(
                f"storage_options.{named[0]} would be written down with the recipe: put it into the"
                " environment and write `${NAME}` here"
            )
        if isinstance(self.path, str) and "@" in self.path.split("/")[2]:
            raise ValueError("the URL holds a name or a password: give them in storage_options as `${NAME}`")
        return self

    @model_validator(mode="after")
    def _columns_are_of_parquet(self) -> Self:
        named = [name for name in ("bytes_column", "path_column") if getattr(self, name) is not None]
        if len(named) == 2:
            raise ValueError("give bytes_column or path_column, not both")
        if named and self.format not in (None, "parquet"):
            raise ValueError(f"{named[0]} is for the format parquet, not {self.format}")
        return self


class PoolConfig(StrictModel):
    """The haystack: named sources."""

    sources: dict[str, SourceConfig] = Field(
        description="Name -> source. Tables speak of a source by its name, so folders can move.", min_length=1
    )
    rows_per_shard: int = Field(10_000, gt=0, description="Samples per shard of the pool manifest.")

    @field_validator("sources", mode="before")
    @classmethod
    def _a_bare_path_is_a_source(cls, sources: object) -> object:
        if not isinstance(sources, dict):
            return sources
        return {
            name: {"path": source} if isinstance(source, str | Path) else source
            for name, source in sources.items()
        }


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


class SizeStep(StrictModel):
    """Pixels of the original, after EXIF orientation."""

    min_side_px: int | None = Field(512, ge=1, description="The shorter side has at least this many pixels.")
    max_megapixels: float | None = Field(None, gt=0, description="Width x height is at most this.")


class AspectStep(StrictModel):
    """Longer side over shorter side."""

    max_ratio: float = Field(2.0, ge=1, description="Longer side / shorter side is at most this.")


class ExposureStep(StrictModel):
    """Too dark, too bright, or clipped. A plain background (a drawing on white) is not counted."""

    min_luma: Ratio | None = Field(0.08, ge=0, le=1, description="Mean luma, 0 black to 1 white, at least.")
    max_luma: Ratio | None = Field(0.97, ge=0, le=1, description="Mean luma at most.")
    max_dark_clip_ratio: Ratio | None = Field(0.5, ge=0, le=1, description="Share of black pixels, at most.")
    max_bright_clip_ratio: Ratio | None = Field(
        0.6, ge=0, le=1, description="Share of burnt-out pixels, at most."
    )


class ColourfulnessStep(Range):
    """Colourfulness, and how much of the picture is grey."""

    max_grey_ratio: Ratio | None = Field(None, ge=0, le=1, description="Share without colour, at most.")
    max_tint_ratio: Ratio | None = Field(
        None, ge=0, le=1, description="How far all agrees in one hue, at most; 1 for grey."
    )
    min_hue_spread: float | None = Field(
        None, ge=0, description="Spread of the colours off a single tint, in levels, at least; 0 for sepia."
    )
    max_cast: float | None = Field(
        None,
        ge=0,
        le=90,
        description="Colour cast: degrees between the brightest colour and grey, at most.",
    )


class BordersStep(StrictModel):
    """Frames and letterboxes, and subjects cut off by the frame."""

    max_border_ratio: Ratio | None = Field(0.25, ge=0, le=1, description="Share of the area that is frame.")
    max_edge_touch_ratio: Ratio | None = Field(
        None,
        ge=0,
        le=1,
        description="Share of the rim that the subject touches; for pictures on plain ground.",
    )


class OcrStep(StrictModel):
    """Overlaid text (the paper's step 3)."""

    max_words: int | None = Field(5, ge=0, description="Words that are read in the picture, at most.")
    max_text_area_ratio: Ratio | None = Field(
        0.05, ge=0, le=1, description="Share of the area under text, at most."
    )


class UnsafeStep(StrictModel):
    """Offensive content (the paper's step 1)."""

    max_prob: Ratio = Field(0.5, ge=0, le=1, description="Probability of the classifier, at most.")
    model: str | None = Field(
        None, description="An image classifier: Hugging Face id or folder; without it, open_nsfw."
    )
    labels: tuple[str, ...] = Field(
        (), description="Which of its labels mean unsafe; without it, those known by name, such as nsfw."
    )


class DuplicatesStep(StrictModel):
    """Near-duplicates by perceptual hash, and by embeddings; of each group the best stays."""

    max_distance: int = Field(6, ge=0, le=64, description="Differing bits of the 64-bit hashes, at most.")
    keep: str = Field("appeal_score", description="The column by which the best of a group is found.")
    model: str | None = Field(
        None, description="A CLIP or SigLIP: what lies close in its embedding is a near-duplicate as well."
    )
    min_cosine: float = Field(
        0.95, gt=0, le=1, description="Cosine of two embeddings, at least; where a model is named."
    )


class ClipScoreStep(Range):
    """Whether picture and text agree (the paper's step 4)."""

    model: str = Field(
        "emu-tiny", description="A CLIP or SigLIP: Hugging Face id, folder, or the name of a packaged one."
    )


class AestheticStep(Range):
    """An aesthetic head on the embeddings of a CLIP (the paper's step 2)."""

    model: str = Field(
        description="The CLIP that the head was trained on: Hugging Face id, folder or packaged name."
    )
    head: str = Field(description="The head's safetensors: Hugging Face id, folder or file.")


class TasteStep(Range):
    """How likely reviewers would keep a picture, as a review has learnt it from their decisions."""

    path: Path = Field(description="What `photogenic review RECIPE --learn` wrote: RUN/review/taste.json.")


class ConceptStep(StrictModel):
    """What a picture shows (the paper's step 6): the columns concept and concept_prob."""

    model: str = Field(
        description="An image classifier, or a CLIP or SigLIP where `names` are given: id or folder."
    )
    names: tuple[str, ...] = Field((), description="The concepts that a CLIP looks for.")
    template: str = Field("a photo of {}", description="The text that a CLIP is asked; {} is the name.")
    min_prob: Ratio | None = Field(None, ge=0, le=1, description="Probability of the concept, at least.")

    @model_validator(mode="after")
    def _there_is_a_choice(self) -> Self:
        if len(self.names) == 1:
            raise ValueError("one name is no choice: give at least two, or none for a classifier")
        if self.names and "{}" not in self.template:
            raise ValueError("the template lacks {}, the place of the name")
        return self


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


class SelectStep(StrictModel):
    """The best by one column, balanced over the values of a field (the paper's steps 6 and 7)."""

    num: int = Field(gt=0, description="How many candidates are wanted.")
    by: str = Field("appeal_score", description="The column by which the best are found.")
    balance: str | None = Field(
        None,
        description="A side-car field such as `group`: each of its values gets an equal part, if it can.",
    )


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
    taste: TasteStep | None = None
    select: SelectStep | None = None

    _order: tuple[str, ...] = PrivateAttr(default=())
    _named: dict[str, Named] = PrivateAttr(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _remember_order(cls, values: object, validate: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(values, dict):
            return validate(values)
        own = {name: step for name, step in values.items() if _is_named(name, step, cls.model_fields)}
        steps = validate({name: step for name, step in values.items() if name not in own})
        # A frozen model may still set its private attributes.
        steps._named = {name: _named(name, step) for name, step in own.items()}
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


def _is_named(name: object, step: object, known: Container[object]) -> bool:
    return name not in known and isinstance(step, dict) and any(key in step for key in ("step", *OWN_STEPS))


def _named(name: str, values: dict[str, Any]) -> Named:
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
