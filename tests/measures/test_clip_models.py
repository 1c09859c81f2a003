"""CLIP and SigLIP of transformers' own classes: the same scores as transformers gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from neural_models import export_onnx, save_clip, save_siglip
from PIL import Image
from transformers import AutoModel, AutoTokenizer, CLIPImageProcessor, SiglipImageProcessor, pipeline

from photogenic.core.errors import MissingModelError
from photogenic.measures.clip_score import ClipScorer
from photogenic.measures.decode import Rgb
from photogenic.measures.heads import zero_shot
from photogenic.measures.inference import runtime_of

TEXTS = ("a photo of a cat", "a face", "the red cup on the table", "rocket")
SIZES = ((90, 60), (60, 90), (33, 200), (20, 24))


@pytest.fixture(scope="module")
def pictures(photographs: dict[str, Rgb]) -> list[Rgb]:
    """Of four shapes, one of them smaller than the view."""
    images = (
        Image.fromarray(rgb).resize(size) for rgb, size in zip(photographs.values(), SIZES, strict=True)
    )
    return [np.asarray(image) for image in images]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "clip"
    save_clip(folder)
    return folder


@pytest.fixture(scope="module")
def siglip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "siglip"
    save_siglip(folder)
    return folder


def test_clip_equals_transformers(clip: Path, pictures: list[Rgb]) -> None:
    model, processor = AutoModel.from_pretrained(clip), CLIPImageProcessor.from_pretrained(clip)
    tokens = AutoTokenizer.from_pretrained(clip)(list(TEXTS), padding=True, return_tensors="pt")
    pixels = processor([Image.fromarray(rgb) for rgb in pictures], return_tensors="pt")
    with torch.inference_mode():
        theirs = model(**tokens, **pixels)
    cosines = (theirs.image_embeds * theirs.text_embeds).sum(-1)
    ours = ClipScorer(clip)
    np.testing.assert_allclose(ours.score(pictures, TEXTS), 100 * cosines, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(ours.embed_images(pictures), theirs.image_embeds, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ours.config.logit_scale, model.logit_scale.exp().item(), rtol=1e-5)
    assert np.ptp(ours.score(pictures, TEXTS)) > 1


def test_zero_shot_equals_transformers_pipeline(clip: Path, siglip: Path, pictures: list[Rgb]) -> None:
    for folder in (clip, siglip):
        labels = ["a photo of a cat", "the sky", "dog on the table"]
        theirs = pipeline("zero-shot-image-classification", model=str(folder))
        answers = theirs(
            [Image.fromarray(rgb) for rgb in pictures], candidate_labels=labels, hypothesis_template="{}"
        )
        ours = ClipScorer(folder)
        best, prob = zero_shot(
            ours.embed_images(pictures),
            ours.embed_texts(labels),
            ours.config.logit_scale,
            ours.config.logit_bias,
        )
        assert [labels[number] for number in best] == [answer[0]["label"] for answer in answers]
        np.testing.assert_allclose(prob, [answer[0]["score"] for answer in answers], rtol=1e-4)


def test_siglip_equals_transformers(siglip: Path, pictures: list[Rgb]) -> None:
    model, processor = AutoModel.from_pretrained(siglip), SiglipImageProcessor.from_pretrained(siglip)
    tokenizer = AutoTokenizer.from_pretrained(siglip)
    ids = tokenizer(list(TEXTS), padding="max_length", max_length=64, return_tensors="pt").input_ids
    pixels = processor([Image.fromarray(rgb) for rgb in pictures], return_tensors="pt").pixel_values
    with torch.inference_mode():
        theirs = model(input_ids=ids, pixel_values=pixels)
    cosines = (theirs.image_embeds * theirs.text_embeds).sum(-1)
    ours = ClipScorer(siglip)
    np.testing.assert_allclose(ours.score(pictures, TEXTS), 100 * cosines, rtol=1e-4, atol=1e-3)
    assert ours.config.logit_bias == pytest.approx(-0.5) and ours.config.logit_scale == pytest.approx(
        np.exp(1.5)
    )


def test_onnx_files_give_what_safetensors_give(tmp_path: Path, clip: Path, pictures: list[Rgb]) -> None:
    export_onnx(save_clip(tmp_path / "clip"), tmp_path / "clip")
    assert (runtime_of(tmp_path / "clip", "clip"), runtime_of(clip, "clip")) == ("onnx", "torch")
    scores = [ClipScorer(folder).score(pictures, TEXTS) for folder in (tmp_path / "clip", clip)]
    np.testing.assert_allclose(*scores, rtol=1e-4, atol=1e-3)


def test_another_kind_of_model_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(MissingModelError, match="is a bert, neither CLIP nor SigLIP"):
        ClipScorer(tmp_path)
