"""What a recipe may say under `pool` and `curate`; one file for each thing that is configured."""

from photogenic.curate.config.bounds import TARGET, Range, Ratio
from photogenic.curate.config.fields import (
    CaptionStep,
    ColumnStep,
    HeldOutStep,
    LicenceStep,
    OptOutStep,
    PopularityStep,
)
from photogenic.curate.config.funnel import DEFAULT_STEPS, CurateConfig
from photogenic.curate.config.named import NAMED_STEPS, OWN_STEPS, Named
from photogenic.curate.config.neural import (
    AestheticStep,
    ClipScoreStep,
    ConceptStep,
    OcrStep,
    TasteStep,
    UnsafeStep,
)
from photogenic.curate.config.own import FilterStep, ScorerStep
from photogenic.curate.config.pixels import AspectStep, BordersStep, ColourfulnessStep, ExposureStep, SizeStep
from photogenic.curate.config.pool import Format, PoolConfig, SourceConfig, Url
from photogenic.curate.config.setwise import DuplicatesStep, SelectStep
from photogenic.curate.config.steps import StepsConfig

__all__ = [
    "DEFAULT_STEPS",
    "NAMED_STEPS",
    "OWN_STEPS",
    "TARGET",
    "AestheticStep",
    "AspectStep",
    "BordersStep",
    "CaptionStep",
    "ClipScoreStep",
    "ColourfulnessStep",
    "ColumnStep",
    "ConceptStep",
    "CurateConfig",
    "DuplicatesStep",
    "ExposureStep",
    "FilterStep",
    "Format",
    "HeldOutStep",
    "LicenceStep",
    "Named",
    "OcrStep",
    "OptOutStep",
    "PoolConfig",
    "PopularityStep",
    "Range",
    "Ratio",
    "ScorerStep",
    "SelectStep",
    "SizeStep",
    "SourceConfig",
    "StepsConfig",
    "TasteStep",
    "UnsafeStep",
    "Url",
]
