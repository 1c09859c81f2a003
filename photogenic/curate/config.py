"""What a recipe may say under `pool` and `curate`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from photogenic.core.config import StrictModel
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
_MIN_QUANTILE = "Drop this share of what is left, the lowest first."
_MAX_QUANTILE = "Keep this share of what is left, the lowest first."


class Range(StrictModel):
    """Bounds of one column, absolute or as quantiles of what the earlier steps left; None: no bound."""

    min: float | None = Field(None, description=_MIN)
    max: float | None = Field(None, description=_MAX)
    min_quantile: Ratio | None = Field(None, ge=0, lt=1, description=_MIN_QUANTILE)
    max_quantile: Ratio | None = Field(None, gt=0, le=1, description=_MAX_QUANTILE)

    @model_validator(mode="after")
    def _bounds_something(self) -> Self:
        bounds = [name for name in type(self).model_fields if name.startswith(("min", "max"))]
        if all(getattr(self, name) is None for name in bounds):
            raise ValueError(f"give at least one bound, or the step drops nothing: {', '.join(bounds)}")
        return self


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
    jpeg_quality: Range | None = None
    borders: BordersStep | None = None
    ocr: OcrStep | None = None
    unsafe: UnsafeStep | None = None
    duplicates: DuplicatesStep | None = None
    clip_score: ClipScoreStep | None = None
    aesthetic: AestheticStep | None = None
    concept: ConceptStep | None = None
    popularity: PopularityStep | None = None
    appeal: Range | None = None
    select: SelectStep | None = None

    _order: tuple[str, ...] = PrivateAttr(default=())

    @model_validator(mode="wrap")
    @classmethod
    def _remember_order(cls, values: object, validate: ModelWrapValidatorHandler[Self]) -> Self:
        steps = validate(values)
        if isinstance(values, dict):
            # A frozen model may still set its private attributes.
            steps._order = tuple(name for name in values if getattr(steps, name) is not None)
        return steps

    @model_serializer(mode="wrap")
    def _in_order(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values = serialize(self)
        return {name: values[name] for name in self.order}

    @property
    def order(self) -> tuple[str, ...]:
        """Names of the steps, first to last."""
        return self._order or tuple(
            name for name in type(self).model_fields if getattr(self, name) is not None
        )

    def items(self) -> Iterator[tuple[str, Any]]:
        """(name, step), first to last."""
        return ((name, getattr(self, name)) for name in self.order)


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


class CurateConfig(StrictModel):
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
    timeout_s: float = Field(60.0, gt=0, description="The longest that one picture may keep a worker busy.")
