"""Steps that decide over the whole set: a picture stays or goes because of others."""

from __future__ import annotations

from pydantic import Field

from photogenic.core.config import StrictModel


class DuplicatesStep(StrictModel):
    """Near-duplicates by perceptual hash, and by embeddings; of each group the best stays."""

    max_distance: int = Field(6, ge=0, le=15, description="Differing bits of the 64-bit hashes, at most.")
    keep: str = Field("appeal_score", description="The column by which the best of a group is found.")
    model: str | None = Field(
        None, description="A CLIP or SigLIP: what lies close in its embedding is a near-duplicate as well."
    )
    min_cosine: float = Field(
        0.95, gt=0, le=1, description="Cosine of two embeddings, at least; where a model is named."
    )


class SelectStep(StrictModel):
    """The best by one column, balanced over the values of a field (the paper's steps 6 and 7)."""

    num: int = Field(gt=0, description="How many candidates are wanted.")
    by: str = Field("appeal_score", description="The column by which the best are found.")
    balance: str | None = Field(
        None,
        description="A side-car field such as `group`: each of its values gets an equal part, if it can.",
    )
