"""What a recipe may say under `evaluate`."""

from __future__ import annotations

from pydantic import Field

from photogenic.core.config import StrictModel


class NearCopyConfig(StrictModel):
    """When a picture counts as a near-copy of a needle: both limits must hold."""

    max_bits: int = Field(8, ge=0, le=64, description="Differing bits of the 64-bit perceptual hashes.")
    min_cosine: float = Field(
        0.95, ge=-1, le=1, description="Cosine of the CLIP's image embeddings; not asked without a CLIP."
    )


class EvaluateConfig(StrictModel):
    """Automatic measures of the drawn pictures, beside people's votes and never instead of them."""

    clip: str | None = Field(
        "emu-tiny",
        description="Folder or name of the CLIP that gives the CLIP score, and the space of the distances."
        " Empty: neither is measured.",
    )
    base: str = Field("base", description="The model that all others are compared with.")
    near_copy: NearCopyConfig = Field(
        default_factory=NearCopyConfig, description="When a picture counts as a near-copy of a needle."
    )
    confidence: float = Field(0.95, gt=0, lt=1, description="Of all intervals.")
    num_resamples: int = Field(2000, ge=100, description="Draws of the bootstrap.")
    num_shown: int = Field(12, ge=1, le=100, description="Pairs the report shows of each kind.")
