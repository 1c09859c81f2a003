"""Ready-made CLIP and T5, tiny and random ones of transformers' own classes: trained on, and refused."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from test_pretrain import AUTOENCODER, CLIP, LOOP, T5, UNET
from test_pretrain import config as pretrain_config
from transformers import (
    CLIPModel,
    CLIPTextModel,
    T5ForConditionalGeneration,
    T5Tokenizer,
)
from transformers import T5Config as HubT5Config

from photogenic.core.errors import MissingModelError
from photogenic.core.run import MetricsLog, Run
from photogenic.models.checkpoint import load_pipeline
from photogenic.models.clip import build_clip
from photogenic.models.sampling import draw
from photogenic.models.text_encoders import load_clip_text, load_t5_encoder
from photogenic.train.config import PretrainConfig
from photogenic.train.pretrain import pretrain
from photogenic.train.ready_made import clip_numbers, described, t5_numbers, text_sizes

sys.path.insert(0, str(Path(__file__).parent.parent / "models"))
import tiny

CLIP_WIDTH, CLIP_TOKENS, PROJECTION_DIM = 16, 24, 12
T5_WIDTH, T5_TOKENS = 20, 10


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A CLIP with both towers and a T5 with its decoder, each with its tokenizer, as the hub has them."""
    root = tmp_path_factory.mktemp("encoders")
    torch.manual_seed(5)
    tokenizer = tiny.clip_tokenizer()
    clip = build_clip(
        tokenizer,
        size_px=16,
        patch_size=8,
        hidden_size=CLIP_WIDTH,
        num_attention_heads=2,
        num_text_layers=2,
        num_vision_layers=1,
        projection_dim=PROJECTION_DIM,
    )
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    words = T5Tokenizer(
        vocab=[*pieces, *((letter, -3.0) for letter in "abcdefghijklmnopqrstuvwxyz")], extra_ids=0
    )
    t5 = T5ForConditionalGeneration(
        HubT5Config(
            vocab_size=len(words) + 2,
            d_model=T5_WIDTH,
            d_ff=40,
            d_kv=10,
            num_heads=2,
            num_layers=2,
            feed_forward_proj="gated-gelu",
            tie_word_embeddings=False,
            decoder_start_token_id=0,
        )
    )
    for name, parts in {"clip": (clip, tokenizer), "t5": (t5, words)}.items():
        for part in parts:
            part.save_pretrained(root / name)
    return {name: str(root / name) for name in ("clip", "t5")}


def config(folders: dict[str, str], **diffusion: Any) -> PretrainConfig:
    return pretrain_config(
        clip=None,
        judge=None,
        tokenizer={},
        text_encoders={**folders, "t5_tokens": T5_TOKENS},
        autoencoder={**AUTOENCODER, "decoder_loop": None},
        diffusion={"unet": UNET, "loop": LOOP} | diffusion,
    )


def same(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    """Up to half precision, in which models are saved."""
    pairs = zip(a.parameters(), b.parameters(), strict=True)
    return all(torch.allclose(x.float(), y.float(), rtol=1e-3, atol=1e-4) for x, y in pairs)


def test_a_model_is_pre_trained_on_them_and_they_stay_as_they_are(
    folders: dict[str, str], shapes_run: Run, tmp_path: Path
) -> None:
    logged = {}
    for embeddings in ("ahead", "inline"):  # the autoencoder is trained once for both
        model = pretrain(config(folders, embeddings=embeddings), shapes_run, seed=0)
        rows = MetricsLog(shapes_run.folder / "pretrain" / "diffusion" / "metrics.jsonl").rows()
        logged[embeddings] = [row["loss"] for row in rows if "loss" in row]
    assert len(logged["ahead"]) == 3 and logged["inline"] == pytest.approx(logged["ahead"], rel=1e-5)

    folder = shapes_run.folder / "pretrain"
    assert {path.name for path in folder.iterdir()} == {"autoencoder", "cache", "diffusion", "model"}
    checkpoint = sorted((folder / "diffusion" / "checkpoints").glob("*.safetensors"))[-1]
    assert {name.split("/")[-1].split(".")[0] for name in load_file(checkpoint)} == {"unet", "joiner"}

    pipeline = load_pipeline(model)
    ready = (
        load_clip_text(Path(folders["clip"]), torch.float32),
        load_t5_encoder(Path(folders["t5"]), torch.float32, T5_TOKENS),
    )
    assert same(pipeline.text_encoder, ready[0].model) and same(pipeline.text_encoder_2, ready[1].model)
    joiner = pipeline.joiner.config
    assert tuple(joiner.input_dims) == (CLIP_WIDTH, T5_WIDTH)
    assert tuple(joiner.max_lengths) == (CLIP_TOKENS, T5_TOKENS)
    for loaded, encoder in zip((pipeline.tokenizer, pipeline.tokenizer_2), ready, strict=True):
        assert loaded("red").input_ids == encoder.tokenizer("red").input_ids
        assert loaded.model_max_length == encoder.max_length
    assert next(iter(draw(pipeline, ["a red disc"], [1], num_inference_steps=2))).shape == (32, 32, 3)

    base = model.rename(tmp_path / "base")
    shutil.rmtree(folder)
    loop = LOOP | {"optimizer": {"learning_rate": 0.01, "warmup_steps": 0}}
    further = {"weights": str(base), "diffusion": {"freeze_t5": True, "loop": loop}}
    longer = load_pipeline(pretrain(PretrainConfig.model_validate(further), shapes_run, seed=0))
    assert same(longer.text_encoder_2, pipeline.text_encoder_2) and not same(longer.unet, pipeline.unet)


def test_sizes_are_those_of_the_models(folders: dict[str, str]) -> None:
    sizes = text_sizes(config(folders))
    assert (sizes.pooled_dim, sizes.t5_tokens, sizes.is_ready) == (PROJECTION_DIM, T5_TOKENS, True)
    assert sizes.num_tokens == CLIP_TOKENS + T5_TOKENS
    clip = load_clip_text(Path(folders["clip"]), torch.float32).model
    t5 = load_t5_encoder(Path(folders["t5"]), torch.float32, T5_TOKENS).model
    assert sizes.num_clip == sum(weight.numel() for weight in clip.parameters())
    matrices = {name: weight for name, weight in t5.named_parameters() if weight.ndim > 1}
    counted = sum(weight.numel() for name, weight in matrices.items() if "relative_attention" not in name)
    assert t5_numbers(sizes.t5, sizes.t5_vocab_size) == counted


def test_the_paper_s_encoders_are_assumed_where_they_are_not_here() -> None:
    sizes = text_sizes(config({"clip": "nobody/no-such-clip", "t5": "nobody/no-such-t5"}))
    assert sizes.is_assumed and sizes.num_clip == clip_numbers(768, 768, 12, 49408, 77) == 123_650_304
    assert t5_numbers(sizes.t5, sizes.t5_vocab_size) == pytest.approx(4.762e9, rel=1e-3)


def test_what_is_no_such_encoder_is_refused(folders: dict[str, str], tmp_path: Path) -> None:
    clip, t5 = Path(folders["clip"]), Path(folders["t5"])
    with pytest.raises(MissingModelError, match="holds a t5, and not a CLIP"):
        described(t5, "clip")
    with pytest.raises(MissingModelError, match="holds no model of transformers"):
        described(tmp_path, "t5")
    for pattern, words in (("*.safetensors", "no weights as safetensors"), ("*token*", "holds no tokenizer")):
        shutil.copytree(clip, tmp_path / "copy", ignore=shutil.ignore_patterns(pattern, "vocab.json"))
        with pytest.raises(MissingModelError, match=words):
            described(tmp_path / "copy", "clip")
        shutil.rmtree(tmp_path / "copy")

    # A text tower without its projection, as Stable Diffusion 1 has it.
    whole = CLIPModel.from_pretrained(clip)
    tower = CLIPTextModel(whole.config.text_config)
    tower.save_pretrained(tmp_path / "tower")
    with pytest.raises(MissingModelError, match=r"lacks 1 weights .* text_projection"):
        load_clip_text(tmp_path / "tower", torch.float32)
    shutil.copytree(t5, tmp_path / "mixed")
    tiny.letter_tokenizer(T5_TOKENS).save_pretrained(tmp_path / "mixed")
    with pytest.raises(MissingModelError, match="does not belong to the model"):
        load_t5_encoder(tmp_path / "mixed", torch.float32, T5_TOKENS)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"clip": CLIP}, "leave out `clip`"),
        ({"tokenizer": {"vocab_size": 400}}, "leave out `tokenizer`"),
        ({"diffusion": {"t5": T5, "loop": LOOP}}, r"leave out `diffusion\.t5`"),
        ({"text_encoders": None, "clip": CLIP, "diffusion": {"freeze_t5": True, "loop": LOOP}}, "must learn"),
        ({"weights": "emu-tiny", "autoencoder": None}, "leave out .*`text_encoders`"),
    ],
)
def test_ready_made_or_trained(changes: dict[str, Any], words: str) -> None:
    given: dict[str, Any] = {
        "size_px": 32,
        "text_encoders": {"clip": "a/clip", "t5": "a/t5"},
        "autoencoder": AUTOENCODER,
        "diffusion": {"loop": LOOP},
    }
    assert (
        PretrainConfig.model_validate(given).parts().text
        == PretrainConfig.model_validate(given).text_encoders
    )
    with pytest.raises(ValueError, match=words):
        PretrainConfig.model_validate(given | changes)
