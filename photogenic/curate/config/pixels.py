"""Steps that go by what is measured of a picture's pixels."""

from __future__ import annotations

from pydantic import Field

from photogenic.core.config import StrictModel
from photogenic.curate.config.bounds import Range, Ratio


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
