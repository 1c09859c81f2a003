"""What a file of ablations may say."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from photogenic.core.config import FolderName, StrictModel

BASE = "base"  # the untuned model; no variant may be called so
OF_ALL = ("tune.", "generate.", "evaluate.")  # sections that may be changed for all variants


class Chosen(StrictModel):
    """The pictures that a variant is tuned on."""

    take: Literal["needles", "random", "worst", "best", "attention"] = Field(
        "needles",
        description="needles: the best of those that review chose. random: of the whole haystack, with its"
        " spoiled ones. worst: of the haystack those that `by` puts last. best: of the candidates those that"
        " `by` puts first. attention: of the candidates those that the base model's own attention puts first."
        " None of them shows what the funnel's step `held_out` holds out.",
    )
    num: int | None = Field(None, gt=0, description="How many; by default all needles, or as many as those.")
    captions: Literal["review", "alt_text"] = Field(
        "review",
        description="review: the captions of review where a picture has one, else the alternative text."
        " alt_text: the alternative texts alone.",
    )


class Variant(StrictModel):
    """One way of tuning: on which pictures, and what is different in the recipe; or a model of another's."""

    pictures: Chosen = Field(default_factory=lambda: Chosen(), description="What it is tuned on.")
    set: tuple[str, ...] = Field(
        (), description="Changes of the recipe's section `tune`: tune.loss.noise_offset=0."
    )
    of: str | None = Field(
        None, description="Not tuned by itself: made of what this other variant's tuning left behind."
    )
    step: int | None = Field(None, gt=0, description="With `of`: the checkpoint of this step.")
    ema_sigma_rel: float | None = Field(
        None,
        gt=0,
        lt=0.28,
        description="With `of`: its average of this length; the other one sets tune.ema.post_hoc.",
    )

    @field_validator("set")
    @classmethod
    def _only_of_tuning(cls, changes: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [change for change in changes if not change.startswith("tune.")]
        if wrong:
            raise ValueError(
                f"{wrong[0]}: a variant differs in tuning only, so its changes begin with `tune.`"
            )
        return changes

    @model_validator(mode="after")
    def _tuned_or_of_another(self) -> Self:
        if self.of is None and (self.step or self.ema_sigma_rel):
            raise ValueError(
                "`step` and `ema_sigma_rel` choose among the models of another variant: give `of`"
            )
        if self.of is not None and (self.set or self.pictures != Chosen()):
            raise ValueError("a variant with `of` is not tuned, so it has neither `pictures` nor `set`")
        return self


class Attention(StrictModel):
    """How pictures are ranked by a pre-trained model's attention, after Alchemist (arXiv 2505.19297)."""

    prompt: str = Field(
        "bright beautiful shiny colourful dark grey blurred",
        min_length=1,
        description="The same for all pictures: words of good and bad quality, no more than the model takes.",
    )
    noise_level: float = Field(
        0.25, ge=0, le=1, description="How noisy the model sees the pictures: 0 clean, 1 noise alone."
    )
    num_calibration: int = Field(
        200,
        ge=4,
        description="Pictures from either end of `by` that tell which words of which layers to listen to.",
    )
    num_signals: int = Field(16, gt=0, description="To how many of them the ranking listens.")
    num_sampled: int = Field(
        2000, ge=0, description="Pictures of the haystack, drawn at random, that are ranked for comparison."
    )


class Ablations(StrictModel):
    """A recipe, and the ways in which its tuning is varied."""

    name: FolderName = Field(description="Names the folder: runs/<name>.")
    recipe: Path = Field(description="The recipe; its pool, funnel and review have been run.")
    run: Path | None = Field(
        None, description="The recipe's run folder, by default runs/<name of the recipe>."
    )
    set: tuple[str, ...] = Field(
        (), description="Changes of the recipe for all variants: tune.loop.max_steps=160."
    )
    by: str = Field("appeal_score", description="The measured column that says which pictures are worst.")
    reference: str | None = Field(
        None,
        description="The variant that the others are compared with, besides the base; default: the first.",
    )
    at: Literal["gate", "reference"] = Field(
        "gate",
        description="After how many steps a variant's model is taken. gate: each where its own gate says."
        " reference: all where the reference's gate says, so that all had as many.",
    )
    attention: Attention = Field(
        default_factory=lambda: Attention(), description="The ranking of `take: attention`."
    )
    questions: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="Question -> variants that answer it, in the figure's order; `base` may be one of them.",
    )
    variants: dict[str, Variant] = Field(min_length=1, description="Name -> how it is tuned.")

    @field_validator("set")
    @classmethod
    def _only_what_follows_review(cls, changes: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [change for change in changes if not change.startswith(OF_ALL)]
        if wrong:
            raise ValueError(f"{wrong[0]}: changes for all variants begin with {', '.join(OF_ALL)}")
        return changes

    @field_validator("variants")
    @classmethod
    def _names_are_folders(cls, variants: dict[str, Variant]) -> dict[str, Variant]:
        for name in variants:
            if name == BASE or not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
                raise ValueError(f"{name!r} cannot name a variant: letters, digits, - _ . and not `{BASE}`")
        return variants

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        tuned = [name for name, variant in self.variants.items() if variant.of is None]
        for name, variant in self.variants.items():
            if variant.of is not None and variant.of not in tuned:
                raise ValueError(f"`{name}` is made `of` {variant.of!r}, which is no variant that is tuned")
        if self.compared_with() not in tuned:
            raise ValueError(f"`reference` names {self.compared_with()!r}, which is no variant that is tuned")
        asked = [name for names in self.questions.values() for name in names]
        unknown = [name for name in asked if name != BASE and name not in self.variants]
        if unknown:
            raise ValueError(f"`questions` names {unknown[0]!r}, which is no variant")
        return self

    def compared_with(self) -> str:
        """The variant that the others are compared with."""
        return self.reference or next(iter(self.variants))

    def source(self, name: str) -> str:
        """The variant whose tuning made the model of `name`."""
        return self.variants[name].of or name

    def only(self, names: tuple[str, ...]) -> Ablations:
        """The same with these variants alone.

        Raises:
            ValueError: one of them is none, or is made of one that is not among them.
        """
        unknown = [name for name in names if name not in self.variants]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no variant; there are {', '.join(self.variants)}")
        kept = {name: variant for name, variant in self.variants.items() if name in names}
        lacking = [
            variant.of for variant in kept.values() if variant.of is not None and variant.of not in kept
        ]
        if lacking:
            raise ValueError(f"{lacking[0]!r} has to be among them: another is made of it")
        asked = {
            text: tuple(n for n in them if n == BASE or n in kept) for text, them in self.questions.items()
        }
        reference = self.reference if self.reference in kept else None
        values = self.model_dump() | {"variants": kept, "questions": asked, "reference": reference}
        return Ablations.model_validate(values)
