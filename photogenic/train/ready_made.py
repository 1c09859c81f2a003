"""Text encoders before they are loaded or fetched: how large they are, and whether a folder holds one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, NamedTuple

from photogenic.core.errors import MissingModelError
from photogenic.core.shards import read_json
from photogenic.measures.hub import HUB_ID, folder_here
from photogenic.train.config import ClipConfig, PretrainConfig, T5Config

Kind = Literal["clip", "t5"]

MODEL_TYPES = {"clip": ("clip", "clip_text_model"), "t5": ("t5",)}  # config.json's model_type
TOKENIZERS = ("tokenizer.json", "vocab.json", "spiece.model")

# The paper's encoders (Emu, section 3.1), whose sizes are taken where the files are not here, as in the
# configurations of openai/clip-vit-large-patch14 and google/flan-t5-xxl.
CLIP_VIT_L = {
    "hidden_size": 768,
    "projection_dim": 768,
    "num_hidden_layers": 12,
    "vocab_size": 49408,
    "max_position_embeddings": 77,
}
T5_XXL = {"d_model": 4096, "d_ff": 10240, "d_kv": 64, "num_heads": 64, "num_layers": 24, "vocab_size": 32128}


class TextSizes(NamedTuple):
    """Of the text encoders that a recipe trains or names."""

    pooled_dim: int  # width of CLIP's pooled text
    num_clip: int  # numbers in CLIP's text tower
    t5: T5Config
    t5_vocab_size: int
    clip_tokens: int  # of a text
    t5_tokens: int  # of a text
    is_ready: bool  # nothing of them is trained
    is_assumed: bool = False  # the files are not here: sizes of the paper's encoders

    @property
    def num_tokens(self) -> int:
        """Of a text as the U-Net sees it: CLIP's and T5's, one after the other."""
        return self.clip_tokens + self.t5_tokens


def described(folder: Path, kind: Kind) -> dict[str, Any]:
    """What config.json says of the encoder in `folder`; nothing of its weights is read.

    Raises:
        MissingModelError: it holds another kind of model, no safetensors or no tokenizer.
    """
    path = folder / "config.json"
    config: dict[str, Any] = read_json(path) if path.is_file() else {}
    if config.get("model_type") not in MODEL_TYPES[kind]:
        found = f"a {config['model_type']}" if "model_type" in config else "no model of transformers"
        raise MissingModelError(f"{folder} holds {found}, and not a {kind.upper()}.")
    if not any(folder.glob("*.safetensors")):
        raise MissingModelError(
            f"{folder} holds no weights as safetensors.", "Convert them where you trust them."
        )
    if not any((folder / name).is_file() for name in TOKENIZERS):
        raise MissingModelError(f"{folder} holds no tokenizer.", "Put its tokenizer.json beside the weights.")
    return config


def standing(name: str, kind: Kind) -> tuple[str, Literal["yes", "no", "unknown"]]:
    """What is known of an encoder before a run, and whether it will do; nothing is fetched."""
    folder = folder_here(name)
    if folder is None:
        is_of_hub = HUB_ID.fullmatch(name) is not None
        found = "not here: will be fetched from the hub" if is_of_hub else f"there is no folder {name}"
        return found, "unknown" if is_of_hub else "no"
    try:
        described(folder, kind)
    except MissingModelError as error:
        return error.what, "no"
    return str(folder), "yes"


def text_sizes(config: PretrainConfig) -> TextSizes:
    """From the recipe, or from the ready-made encoders' configurations.

    Raises:
        MissingModelError: a folder holds no such encoder.
    """
    parts = config.parts()
    text, t5 = parts.text, parts.diffusion.t5
    if isinstance(text, ClipConfig):
        tokens, vocab = config.tokenizer.max_length, config.tokenizer.vocab_size
        num_clip = clip_numbers(text.hidden_size, text.projection_dim, text.num_text_layers, vocab, tokens)
        return TextSizes(text.projection_dim, num_clip, t5, vocab, tokens, tokens, is_ready=False)
    folders = folder_here(text.clip), folder_here(text.t5)
    clip = CLIP_VIT_L if folders[0] is None else _shape(folders[0], "clip")
    other = T5_XXL if folders[1] is None else _shape(folders[1], "t5")
    return TextSizes(
        clip["projection_dim"],
        clip_numbers(*(clip[name] for name in CLIP_VIT_L)),
        T5Config(**{name: other[name] for name in T5Config.model_fields}),
        other["vocab_size"],
        clip["max_position_embeddings"],
        text.t5_tokens,
        is_ready=True,
        is_assumed=None in folders,
    )


def _shape(folder: Path, kind: Kind) -> dict[str, Any]:
    """As CLIP_VIT_L or T5_XXL; what config.json leaves out is known to transformers."""
    from transformers import AutoConfig

    described(folder, kind)
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    shape: dict[str, Any] = getattr(config, "text_config", config).to_dict()
    return shape


def clip_numbers(width: int, projection_dim: int, num_layers: int, vocab_size: int, length: int) -> int:
    """Numbers in CLIP's text tower: embeddings, norm, projection; 12 w^2 + 13 w a layer (hidden ones 4 w)."""
    return (vocab_size + length + 2 + projection_dim) * width + num_layers * (12 * width**2 + 13 * width)


def t5_numbers(t5: T5Config, vocab_size: int = 0) -> int:
    """Numbers in T5's encoder: four attention matrices and three of the gated layer a block, no norms."""
    attention = 4 * t5.d_model * t5.d_kv * t5.num_heads
    return t5.num_layers * (attention + 3 * t5.d_model * t5.d_ff) + vocab_size * t5.d_model
