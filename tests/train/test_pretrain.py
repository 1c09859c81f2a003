"""All parts of a model, trained for a moment on drawn shapes, saved, loaded and measured."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CLIPModel, PreTrainedTokenizerFast

from photogenic.core.errors import RunError
from photogenic.core.run import MetricsLog, Run
from photogenic.core.shards import read_json
from photogenic.measures.clip_score import ClipScorer
from photogenic.models.checkpoint import load_pipeline
from photogenic.models.clip import embed_images, embed_texts, tokenize
from photogenic.models.sampling import draw
from photogenic.train.config import LoopConfig, PretrainConfig
from photogenic.train.data import to_tensor
from photogenic.train.naming import known_prompts, named
from photogenic.train.pretrain import pretrain

LOOP = {"max_steps": 3, "batch_size": 4, "checkpoint_every": 2, "log_every": 1}
CLIP = {
    "hidden_size": 32,
    "num_attention_heads": 2,
    "num_text_layers": 1,
    "num_vision_layers": 1,
    "patch_size": 16,
    "projection_dim": 16,
    "loop": LOOP,
}
UNET = {"block_out_channels": (32, 32), "attention_head_width": 16, "cross_attention_dim": 32}
T5 = {"d_model": 16, "d_ff": 32, "d_kv": 8, "num_heads": 2, "num_layers": 1}
AUTOENCODER = {"block_out_channels": (16, 16, 16, 16), "loop": LOOP, "decoder_loop": LOOP}


def config(**changes: Any) -> PretrainConfig:
    values: dict[str, Any] = {
        "size_px": 32,
        "held_out_ratio": 0.2,
        "tokenizer": {"vocab_size": 320, "max_length": 16},
        "clip": CLIP,
        "judge": {**CLIP, "seed_offset": 7},
        "autoencoder": AUTOENCODER,
        "diffusion": {"unet": UNET, "t5": T5, "loop": LOOP},
    }
    return PretrainConfig.model_validate(values | changes)


def test_all_parts_become_a_pipeline_and_a_second_call_trains_nothing(shapes_run: Run) -> None:
    model = pretrain(config(), shapes_run, seed=0)
    assert model == shapes_run.folder / "pretrain" / "model"
    pipeline = load_pipeline(model)
    picture = next(iter(draw(pipeline, ["red disc"], [1], num_inference_steps=2)))
    assert picture.shape == (32, 32, 3)
    assert len(pipeline.vae.config.latents_std) == 16
    assert pipeline.vae.config.fourier_bands == 3

    logs = {path: path.read_bytes() for path in (shapes_run.folder / "pretrain").rglob("metrics.jsonl")}
    assert {path.parent.name for path in logs} == {"autoencoder", "clip", "decoder", "diffusion", "judge"}
    pretrain(config(), shapes_run, seed=0)
    assert all(path.read_bytes() == log for path, log in logs.items())
    naming = read_json(shapes_run.folder / "pretrain" / "naming.json")
    assert naming["interval"][0] <= naming["top5_of_100"] <= naming["interval"][1]


def test_exported_clip_agrees_with_torch(shapes_run: Run) -> None:
    model = pretrain(config(judge=None), shapes_run, seed=0)
    folder = shapes_run.folder / "pretrain"
    clip = CLIPModel.from_pretrained(folder / "clip" / "model").eval()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder / "tokenizer" / "model")
    scorer = ClipScorer(model)
    weights = sum(parameter.numel() for parameter in clip.vision_model.parameters())
    assert (model / "clip-image.onnx").stat().st_size < 2.6 * weights + 20_000
    rgb = np.stack([np.full((32, 32, 3), value, np.uint8) for value in (10, 120, 250)])
    texts = ["red disc", "a blue bar", "zebra!"]
    with torch.no_grad():
        images = embed_images(clip, to_tensor(rgb)).numpy()
        words = embed_texts(clip, *tokenize(tokenizer, texts)).numpy()
    np.testing.assert_allclose(scorer.embed_images(list(rgb)), images, atol=2e-3)  # stored in half precision
    np.testing.assert_allclose(scorer.embed_texts(texts), words, atol=2e-3)


def test_more_steps_go_on_from_the_finished_run(shapes_run: Run) -> None:
    pretrain(config(judge=None), shapes_run, seed=0)
    longer = {"unet": UNET, "t5": T5, "loop": LOOP | {"max_steps": 5}}
    pretrain(config(judge=None, diffusion=longer), shapes_run, seed=0)
    rows = MetricsLog(shapes_run.folder / "pretrain" / "diffusion" / "metrics.jsonl").rows()
    assert [row["global_step"] for row in rows if "loss" in row] == [1, 2, 3, 4, 5]


def test_what_does_not_change_a_step_does_not_change_its_identity() -> None:
    loop = LoopConfig(max_steps=10)
    assert loop.identity() == loop.model_copy(update={"max_steps": 20, "log_every": 3}).identity()
    assert loop.identity() != loop.model_copy(update={"batch_size": 3}).identity()
    cosine = loop.model_copy(
        update={"optimizer": loop.optimizer.model_copy(update={"lr_schedule": "cosine"})}
    )
    assert cosine.identity() != cosine.model_copy(update={"max_steps": 20}).identity()


@pytest.mark.parametrize("missing", ["clip", "autoencoder", "diffusion"])
def test_weights_or_all_parts(missing: str) -> None:
    with pytest.raises(ValueError, match="give either `weights`"):
        config(**{missing: None})
    with pytest.raises(ValueError, match="leave out `autoencoder`, `clip`, `text_encoders` and `judge`"):
        config(weights="emu-tiny")


def test_a_finished_model_is_trained_further(shapes_run: Run, tmp_path: Path) -> None:
    base = pretrain(config(judge=None), shapes_run, seed=0).rename(tmp_path / "base")
    shutil.rmtree(shapes_run.folder / "pretrain")
    further = PretrainConfig.model_validate(
        {"weights": str(base), "diffusion": {"loop": LOOP | {"optimizer": {"learning_rate": 0.01}}}}
    )
    model = pretrain(further, shapes_run, seed=0)
    before, after = load_pipeline(base), load_pipeline(model)
    for part, changed in (("unet", True), ("joiner", True), ("vae", False), ("text_encoder", False)):
        pairs = zip(getattr(before, part).parameters(), getattr(after, part).parameters(), strict=True)
        assert any(not torch.equal(a, b) for a, b in pairs) is changed
    assert (model / "clip.json").exists()
    assert pretrain(further, shapes_run, seed=0) == model


def test_known_prompts_are_texts_of_several_pictures() -> None:
    texts = ["apple"] * 3 + ["pear"] * 2 + ["fig"] * 5
    assert sorted(known_prompts(texts, seed=0)) == ["apple", "fig"]


def test_a_judge_that_knows_names_what_it_sees(shapes_run: Run) -> None:
    """Trained on twelve shapes, the judge finds each among the others, but not with texts exchanged."""
    loop = {"max_steps": 150, "batch_size": 12, "checkpoint_every": 150}
    pretrain(config(judge={**CLIP, "loop": loop}), shapes_run, seed=0)
    folder = shapes_run.folder / "pretrain"
    judge = CLIPModel.from_pretrained(folder / "judge" / "model")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder / "tokenizer" / "model")
    root: Path = shapes_run.sources().roots["shapes"]
    names = sorted(path.stem for path in root.glob("*.png"))
    rgb = np.stack([np.asarray(Image.open(root / f"{name}.png").resize((32, 32))) for name in names])
    prompts = [name.replace("-", " ") for name in names]
    right = named(rgb, prompts, judge, tokenizer, seed=0).mean()
    # Sorted by colour, then by form: four further on, neither word is right.
    wrong = named(rgb, prompts[4:] + prompts[:4], judge, tokenizer, seed=0).mean()
    assert right > 0.7 > wrong


def test_a_pool_so_small_that_nothing_is_held_out_trains_all_the_same(shapes_run: Run) -> None:
    model = pretrain(config(judge=None, held_out_ratio=1e-9), shapes_run, seed=0)
    assert (model / "model_index.json").exists()
    rows = [MetricsLog(path).rows() for path in (shapes_run.folder / "pretrain").rglob("metrics.jsonl")]
    assert len(rows) == 4 and not any("validation" in name for part in rows for row in part for name in row)


def test_a_pool_of_which_nothing_can_be_read_is_said(shapes_run: Run) -> None:
    root: Path = shapes_run.sources().roots["shapes"]
    for path in root.glob("*.png"):
        path.write_bytes(b"no picture")
    with pytest.raises(RunError, match="nothing to train on: 0 pictures"):
        pretrain(config(), shapes_run, seed=0)
