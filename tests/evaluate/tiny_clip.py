"""A CLIP of two real ONNX graphs that knows eight colours, and one that knows nothing.

The image tower tells how much ink of each channel a picture holds, and where; the text tower adds up what its
words say of ink. It is small enough to be understood and wrong enough to be measured.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import ImageColor
from tokenizers import Tokenizer, models, pre_tokenizers

SIZE_PX = 64
CONTEXT_LENGTH = 8
NUM_PLACES = 16
PLACE_WEIGHT = 0.3


def write_tiny_clip(folder: Path, colours: tuple[str, ...], *, shuffled: bool = False) -> Path:
    """The folder of a CLIP whose words mean their colours; shuffled, each word means another one's."""
    folder.mkdir(parents=True)
    meanings = colours[-1:] + colours[:-1] if shuffled else colours
    words = {"<pad>": 0, "<unk>": 1} | {colour: number + 2 for number, colour in enumerate(colours)}
    table = np.zeros((len(words), 3 + NUM_PLACES), np.float32)
    for number, colour in enumerate(meanings):
        table[number + 2, :3] = 1 - np.array(ImageColor.getrgb(colour), np.float32) / 255
    onnx.save(_image_tower(), folder / "clip-image.onnx")
    onnx.save(_text_tower(table), folder / "clip-text.onnx")
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    (folder / "tokenizer").mkdir()
    tokenizer.save(str(folder / "tokenizer" / "tokenizer.json"))
    described = {
        "size_px": SIZE_PX,
        "mean": [0, 0, 0],
        "std": [1, 1, 1],
        "context_length": CONTEXT_LENGTH,
        "domain": ["shapes"],
        "embedding_dim": 3 + NUM_PLACES,
    }
    (folder / "clip.json").write_text(json.dumps(described))
    return folder


def _image_tower() -> onnx.ModelProto:
    nodes = [
        helper.make_node("Sub", ["one", "pixel_values"], ["ink"]),
        helper.make_node("GlobalAveragePool", ["ink"], ["channels"]),
        helper.make_node("Flatten", ["channels"], ["how_much"]),
        helper.make_node("ReduceMean", ["ink", "channel_axis"], ["grey"], keepdims=1),
        helper.make_node("AveragePool", ["grey"], ["places"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("Flatten", ["places"], ["flat_places"]),
        helper.make_node("Mul", ["flat_places", "place_weight"], ["where"]),
        helper.make_node("Concat", ["how_much", "where"], ["image_embeds"], axis=1),
    ]
    constants = {
        "one": np.float32(1),
        "channel_axis": np.array([1], np.int64),
        "place_weight": np.float32(PLACE_WEIGHT / np.sqrt(NUM_PLACES)),
    }
    pixel_values = helper.make_tensor_value_info(
        "pixel_values", TensorProto.FLOAT, ["B", 3, SIZE_PX, SIZE_PX]
    )
    return _model(nodes, [pixel_values], "image_embeds", constants)


def _text_tower(table: NDArray[np.float32]) -> onnx.ModelProto:
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["meanings"], axis=0),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last_axis"], ["wide_mask"]),
        helper.make_node("Mul", ["meanings", "wide_mask"], ["said"]),
        helper.make_node("ReduceSum", ["said", "token_axis"], ["text_embeds"], keepdims=0),
    ]
    constants = {
        "table": table,
        "last_axis": np.array([2], np.int64),
        "token_axis": np.array([1], np.int64),
    }
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["B", CONTEXT_LENGTH])
        for name in ("input_ids", "attention_mask")
    ]
    return _model(nodes, inputs, "text_embeds", constants)


def _model(
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    output: str,
    constants: dict[str, np.ndarray | np.generic],
) -> onnx.ModelProto:
    embeds = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["B", 3 + NUM_PLACES])
    held = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, output, inputs, [embeds], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return model
