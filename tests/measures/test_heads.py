from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from torch import nn

from photogenic.core.errors import MissingModelError
from photogenic.measures.heads import AestheticHead, zero_shot

DIM = 24


def unit_vectors(num: int) -> np.ndarray:
    vectors = np.random.default_rng(0).normal(size=(num, DIM)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def improved_predictor() -> nn.Module:
    """The improved-aesthetic-predictor's layers as published, of smaller widths, under its own names."""
    layers = nn.Sequential(
        nn.Linear(DIM, 64),
        nn.Dropout(0.2),
        nn.Linear(64, 16),
        nn.Dropout(0.2),
        nn.Linear(16, 8),
        nn.Dropout(0.1),
        nn.Linear(8, 4),
        nn.Linear(4, 1),
    )
    return nn.ModuleDict({"layers": layers}).eval()


def test_the_improved_predictor_folds_to_what_torch_gives(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = improved_predictor()
    path = tmp_path / "head.safetensors"
    save_file({name: value.numpy() for name, value in model.state_dict().items()}, path)
    vectors = unit_vectors(50)
    with torch.inference_mode():
        theirs = model["layers"](torch.from_numpy(vectors)).numpy()[:, 0]
    ours = AestheticHead(path)
    np.testing.assert_allclose(ours(vectors), theirs, rtol=1e-5, atol=1e-6)
    assert ours.embedding_dim == DIM


@pytest.mark.parametrize("prefix", ["", "predictor.", "linear."])
def test_a_linear_head_in_a_folder(tmp_path: Path, prefix: str) -> None:
    weight, bias = np.arange(DIM, dtype=np.float32)[None], np.array([5.0], np.float32)
    tower = {"vision_model.layers.0.weight": np.ones((3, 3), np.float32)}
    save_file({f"{prefix}weight": weight, f"{prefix}bias": bias} | tower, tmp_path / "model.safetensors")
    vectors = unit_vectors(7)
    np.testing.assert_allclose(AestheticHead(tmp_path)(vectors), vectors @ weight[0] + 5, rtol=1e-5)


def test_a_score_does_not_depend_on_its_neighbours(tmp_path: Path) -> None:
    save_file({"weight": np.random.default_rng(1).normal(size=(1, DIM))}, tmp_path / "head.safetensors")
    head, vectors = AestheticHead(tmp_path), unit_vectors(101)
    alone = np.concatenate([head(vectors[row : row + 1]) for row in range(101)])
    assert alone.tobytes() == head(vectors).tobytes()


def test_what_is_no_head_is_a_sentence(tmp_path: Path) -> None:
    save_file({"vision_model.layers.0.weight": np.ones((3, 3))}, tmp_path / "model.safetensors")
    with pytest.raises(MissingModelError, match="holds no aesthetic head"):
        AestheticHead(tmp_path)
    save_file({"weight": np.ones((2, 3))}, tmp_path / "model.safetensors")
    with pytest.raises(MissingModelError, match="gives 2 numbers"):
        AestheticHead(tmp_path)


def test_zero_shot_against_the_closed_form() -> None:
    images, texts = np.eye(3, dtype=np.float32)[:2], np.eye(3, dtype=np.float32)
    best, prob = zero_shot(images, texts, 2.0, None)
    assert best.tolist() == [0, 1]
    np.testing.assert_allclose(prob, np.exp(2) / (np.exp(2) + 2), rtol=1e-6)
    np.testing.assert_allclose(zero_shot(images, texts, 2.0, -1.0)[1], 1 / (1 + np.exp(-1)), rtol=1e-6)
