"""What a recipe may say under `pretrain` and `tune`; one file for each thing that is configured."""

from photogenic.train.config.loop import LoopConfig, OptimizerConfig
from photogenic.train.config.loss import DiffusionLossConfig, FlowConfig, PredictionType, forbidden_loss
from photogenic.train.config.parts import (
    AdversarialConfig,
    AutoencoderConfig,
    ClipConfig,
    PerceptualConfig,
    T5Config,
    TextEncodersConfig,
    TokenizerConfig,
    UNetConfig,
)
from photogenic.train.config.pretrain import (
    AspectConfig,
    DiffusionConfig,
    GrowingConfig,
    PretrainConfig,
    PretrainParts,
)
from photogenic.train.config.tune import EmaConfig, GateConfig, LoraConfig, PostHocConfig, TuneConfig

__all__ = [
    "AdversarialConfig",
    "AspectConfig",
    "AutoencoderConfig",
    "ClipConfig",
    "DiffusionConfig",
    "DiffusionLossConfig",
    "EmaConfig",
    "FlowConfig",
    "GateConfig",
    "GrowingConfig",
    "LoopConfig",
    "LoraConfig",
    "OptimizerConfig",
    "PerceptualConfig",
    "PostHocConfig",
    "PredictionType",
    "PretrainConfig",
    "PretrainParts",
    "T5Config",
    "TextEncodersConfig",
    "TokenizerConfig",
    "TuneConfig",
    "UNetConfig",
    "forbidden_loss",
]
