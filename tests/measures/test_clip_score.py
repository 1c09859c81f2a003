"""With a tiny CLIP drawn by hand: its image tower sees mean colours, its text tower counts colour words."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from tokenizers import Tokenizer, models, pre_tokenizers

from photogenic.core.errors import MissingModelError
from photogenic.measures.clip_score import ClipScorer
from photogenic.measures.decode import Rgb

SIZE_PX, CONTEXT = 8, 6
VOCABULARY = {"<pad>": 0, "red": 1, "green": 2, "blue": 3, "?": 4}


def save_model(path: Path, graph: onnx.GraphProto) -> None:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.checker.check_model(model)
    onnx.save(model, path)


def save_image_tower(path: Path) -> None:
    """pixel_values [B, 3, 8, 8] -> their mean per channel plus one, not normalised: [B, 3] in 0-2."""
    pixels = helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, ["B", 3, SIZE_PX, SIZE_PX])
    output = helper.make_tensor_value_info("image_embeds", TensorProto.FLOAT, ["B", 3])
    one = helper.make_tensor("one", TensorProto.FLOAT, [], [1.0])
    nodes = [
        helper.make_node("ReduceMean", ["pixel_values"], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("Add", ["mean", "one"], ["image_embeds"]),
    ]
    save_model(path, helper.make_graph(nodes, "image", [pixels], [output], [one]))


def save_text_tower(path: Path) -> None:
    """input_ids, attention_mask [B, 6] -> how often each colour word occurs: [B, 3]."""
    names = ("input_ids", "attention_mask")
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["B", CONTEXT]) for name in names]
    output = helper.make_tensor_value_info("text_embeds", TensorProto.FLOAT, ["B", 3])
    rows = np.zeros((len(VOCABULARY), 3), np.float32)
    rows[0] = 9  # padding would drown everything if the mask were not passed
    rows[1:4] = np.eye(3)
    table = helper.make_tensor("table", TensorProto.FLOAT, rows.shape, rows.ravel())
    axis = helper.make_tensor("axis", TensorProto.INT64, [1], [1])
    last = helper.make_tensor("last", TensorProto.INT64, [1], [2])
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["vectors"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["column"]),
        helper.make_node("Mul", ["vectors", "column"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "axis"], ["text_embeds"], keepdims=0),
    ]
    save_model(path, helper.make_graph(nodes, "text", inputs, [output], [table, axis, last]))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_image_tower(tmp_path / "clip-image.onnx")
    save_text_tower(tmp_path / "clip-text.onnx")
    tokenizer = Tokenizer(models.WordLevel(VOCABULARY, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    (tmp_path / "tokenizer").mkdir()
    tokenizer.save(str(tmp_path / "tokenizer" / "tokenizer.json"))
    settings = {
        "size_px": SIZE_PX,
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "context_length": CONTEXT,
        "domain": ["colours"],
        "embedding_dim": 3,
    }
    (tmp_path / "clip.json").write_text(json.dumps(settings))
    return tmp_path


def plain(red: int, green: int, blue: int, height: int = 20, width: int = 20) -> Rgb:
    return np.full((height, width, 3), (red, green, blue), np.uint8)


def test_pictures_and_texts_become_unit_vectors(folder: Path) -> None:
    scorer = ClipScorer(folder)
    images = scorer.embed_images([plain(255, 0, 0), plain(0, 255, 255)])
    assert images.dtype == np.float32 and images == pytest.approx(
        np.array([[1, 0, 0], [0, 0.5**0.5, 0.5**0.5]]), abs=1e-6
    )
    texts = scorer.embed_texts(["red red blue", "something green"])
    expected = [[2 / 5**0.5, 0, 1 / 5**0.5], [0, 1, 0]]
    assert texts == pytest.approx(np.array(expected), abs=1e-6)


def test_scores_are_a_hundred_cosines(folder: Path) -> None:
    scorer = ClipScorer(folder)
    pictures = [plain(255, 0, 0), plain(255, 0, 0), plain(0, 255, 255)]
    scores = scorer.score(pictures, ["red", "blue", "green blue"])
    assert scores.dtype == np.float32 and scores == pytest.approx([100, 0, 100], abs=1e-4)
    with pytest.raises(ValueError):
        scorer.score(pictures, ["red"])


def test_pictures_are_padded_with_white_to_a_square(folder: Path) -> None:
    wide = plain(255, 0, 0, height=10, width=20)  # half red, half white
    expected = np.array([1.0, 0.5, 0.5]) / 1.5**0.5
    assert ClipScorer(folder).embed_images([wide])[0] == pytest.approx(expected, abs=0.01)


def test_long_texts_are_cut_and_empty_ones_are_allowed(folder: Path) -> None:
    scorer = ClipScorer(folder)
    assert scorer.embed_texts(["green " * CONTEXT + "red"])[0] == pytest.approx([0, 1, 0])
    assert np.isfinite(scorer.embed_texts([""])).all()


def test_more_than_a_batch_and_none_at_all(folder: Path) -> None:
    scorer = ClipScorer(folder)
    many = scorer.embed_images([plain(n, 255 - n, 0) for n in range(150)])
    assert many.shape == (150, 3)
    assert many[99] == pytest.approx(scorer.embed_images([plain(99, 156, 0)])[0], abs=1e-6)
    assert scorer.embed_images([]).shape == scorer.embed_texts([]).shape == (0, 3)
    assert scorer.score([], []).shape == (0,)


def test_the_revision_is_that_of_the_files(folder: Path) -> None:
    before = ClipScorer(folder).revision
    assert ClipScorer(folder).revision == before
    settings = json.loads((folder / "clip.json").read_text())
    (folder / "clip.json").write_text(json.dumps(settings | {"domain": ["other"]}))
    assert ClipScorer(folder).revision != before
    assert ClipScorer(folder).config.domain == ("other",)


@pytest.mark.parametrize(
    "name", ["clip.json", "clip-image.onnx", "clip-text.onnx", "tokenizer/tokenizer.json"]
)
def test_missing_or_broken_files_are_named(folder: Path, name: str) -> None:
    (folder / name).write_text("{}")
    with pytest.raises(MissingModelError, match=name.rsplit("/", 1)[-1]):
        ClipScorer(folder)
    (folder / name).unlink()
    with pytest.raises(MissingModelError, match=name):
        ClipScorer(folder)
