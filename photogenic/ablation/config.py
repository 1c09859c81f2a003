"""What a file of ablations may say."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from photogenic.core.config import StrictModel

BASE = "base"  # the untuned model; no variant may be called so


class Chosen(StrictModel):
    """The pictures that a variant is tuned on."""

    take: Literal["needles", "random", "worst"] = Field(
        "needles",
        description="needles: the best of those that review chose. random: of the whole haystack, with its"
        " spoiled ones. worst: of the haystack those that `by` puts last.",
    )
    num: int | None = Field(None, gt=0, description="How many; by default all needles, or as many as those.")


class Variant(StrictModel):
    """One way of tuning: on which pictures, and what is different in the recipe."""

    pictures: Chosen = Field(default_factory=lambda: Chosen(), description="What it is tuned on.")
    set: tuple[str, ...] = Field(
        (), description="Changes of the recipe's section `tune`: tune.loss.noise_offset=0."
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


class Ablations(StrictModel):
    """A recipe, and the ways in which its tuning is varied."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="Names the folder: runs/<name>.")
    recipe: Path = Field(description="The recipe; its pool, funnel and review have been run.")
    run: Path | None = Field(
        None, description="The recipe's run folder, by default runs/<name of the recipe>."
    )
    by: str = Field("appeal_score", description="The measured column that says which pictures are worst.")
    reference: str | None = Field(
        None,
        description="The variant that the others are compared with, besides the base; default: the first.",
    )
    variants: dict[str, Variant] = Field(min_length=1, description="Name -> how it is tuned.")

    @field_validator("variants")
    @classmethod
    def _names_are_folders(cls, variants: dict[str, Variant]) -> dict[str, Variant]:
        for name in variants:
            if name == BASE or not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
                raise ValueError(f"{name!r} cannot name a variant: letters, digits, - _ . and not `{BASE}`")
        return variants

    def compared_with(self) -> str:
        """The variant that the others are compared with."""
        return self.reference or next(iter(self.variants))
