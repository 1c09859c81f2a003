"""Steps that go by what a trained model says of a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from photogenic.core.config import StrictModel
from photogenic.curate.config.bounds import Range, Ratio


class OcrStep(StrictModel):
    """Overlaid text (the paper's step 3)."""

    max_words: int | None = Field(5, ge=0, description="Words that are read in the picture, at most.")
    max_text_area_ratio: Ratio | None = Field(
        0.05, ge=0, le=1, description="Share of the area under text, at most."
    )
    max_date_stamps: int | None = Field(
        None, ge=0, description="Dates or times along the upper or lower edge, at most; 0 for photographs."
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
