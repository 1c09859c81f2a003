"""What a recipe may say under `evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from photogenic.core.config import StrictModel

Question = Literal["visual_appeal", "text_faithfulness"]


class NearCopyConfig(StrictModel):
    """When a picture counts as a near-copy of a needle: both limits must hold."""

    max_bits: int = Field(8, ge=0, le=64, description="Differing bits of the 64-bit perceptual hashes.")
    min_cosine: float = Field(
        0.95, ge=-1, le=1, description="Cosine of the CLIP's image embeddings; not asked without a CLIP."
    )


class VotingConfig(StrictModel):
    """How people are asked."""

    questions: tuple[Question, ...] = Field(
        ("visual_appeal", "text_faithfulness"), min_length=1, description="What is asked of each pair."
    )
    appeal_raters: int = Field(5, ge=1, le=99, description="Raters of a pair for visual appeal.")
    faithfulness_raters: int = Field(3, ge=1, le=99, description="Raters of a pair for text faithfulness.")
    max_pairs: int | None = Field(
        None, ge=1, description="Pairs of each two models, drawn at random; by default all."
    )
    repeat_ratio: float = Field(
        0.05, ge=0, le=0.5, description="Share of pairs shown once more to each rater, for consistency."
    )
    check_ratio: float = Field(
        0.03,
        ge=0,
        le=0.5,
        description="Attention checks per pair: pairs of which everybody knows the answer.",
    )
    database: str | None = Field(
        None, description="sqlite or postgresql address; by default RUN/evaluate/voting/votes.sqlite."
    )

    def raters(self, question: str) -> int:
        """How many raters a pair has."""
        return self.appeal_raters if question == "visual_appeal" else self.faithfulness_raters


class EvaluateConfig(StrictModel):
    """Automatic measures of the drawn pictures, beside people's votes and never instead of them."""

    clip: str | None = Field(
        "emu-tiny",
        description="Folder or name of the CLIP that gives the CLIP score, and the space of the distances."
        " Empty: neither is measured.",
    )
    taste: Path | None = Field(
        None,
        description="A taste that `photogenic review --learn` wrote: how likely reviewers would keep a"
        " picture is measured too.",
    )
    judges: Literal["measures", "people"] = Field(
        "measures", description="`people`: `photogenic evaluate` also serves a page on which people vote."
    )
    voting: VotingConfig = Field(default_factory=VotingConfig, description="How people are asked.")
    base: str = Field("base", description="The model that all others are compared with.")
    near_copy: NearCopyConfig = Field(
        default_factory=NearCopyConfig, description="When a picture counts as a near-copy of a needle."
    )
    confidence: float = Field(0.95, gt=0, lt=1, description="Of all intervals.")
    num_resamples: int = Field(2000, ge=100, description="Draws of the bootstrap.")
    num_shown: int = Field(12, ge=1, le=100, description="Pairs the report shows of each kind.")
