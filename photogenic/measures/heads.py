"""What can be told from an image embedding alone: aesthetic heads, and concepts named in words."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from photogenic.core.errors import MissingModelError
from photogenic.measures.hub import files_like
from photogenic.measures.tensors import read_tensors

Embeddings = NDArray[np.float32]
Numbers = NDArray[np.float64]

# A lone linear layer: LAION's aesthetic-predictor; several under `layers`: the improved one. A checkpoint may
# hold its CLIP too, whose layers have other names.
LAYER = re.compile(r"(?:.*\.)?(?:layers|predictor|mlp)\.(?P<number>\d+)\.(?P<what>weight|bias)")
LONE = re.compile(r"(?:(?:predictor|linear|head|fc|layer)\.)?(?P<what>weight|bias)")
TOWERS = re.compile(r"(?:.*\.)?(?:vision_model|text_model|encoder|visual)\.")


class AestheticHead:
    """A LAION-type head: aesthetic_score = w . e + b on unit embeddings of the CLIP that it was trained on.

    LAION's aesthetic-predictor (2022) is one linear layer. The improved one (Schuhmann, 2022) is five
    without activations between them, dropout aside: one affine map too, and folded at once.
    """

    def __init__(self, path: Path) -> None:
        layers = _layers(path)
        weight, bias = layers[0]
        for next_weight, next_bias in layers[1:]:
            weight, bias = next_weight @ weight, next_weight @ bias + next_bias
        if weight.shape[0] != 1:
            raise MissingModelError(
                f"{path} is no aesthetic head: it gives {weight.shape[0]} numbers, not one."
            )
        self.weight: Numbers = weight[0]  # [D]
        self.bias = float(bias[0])

    @property
    def embedding_dim(self) -> int:
        """Of the embeddings that it judges."""
        return len(self.weight)

    def __call__(self, embeddings: Embeddings) -> Embeddings:
        """[N, D] unit vectors -> [N], about 1-10. A row's score does not depend on the other rows."""
        products = embeddings.astype(np.float64) * self.weight
        return np.asarray(products.sum(axis=1) + self.bias, np.float32)


def _layers(path: Path) -> list[tuple[Numbers, Numbers]]:
    """(weight [out, in], bias [out]) from the first layer to the last.

    Raises:
        MissingModelError: there are none, or they do not follow one another.
    """
    found: dict[int, dict[str, Numbers]] = {}
    for file in files_like(path, "*.safetensors"):
        for name, tensor in read_tensors(file, lambda name: _place(name) is not None).items():
            number, what = _place(name) or (0, "")
            found.setdefault(number, {})[what] = tensor
    layers = [
        (layer["weight"], layer.get("bias", np.zeros(len(layer["weight"]))))
        for _, layer in sorted(found.items())
        if "weight" in layer and layer["weight"].ndim == 2
    ]
    fit = all(before[0].shape[0] == after[0].shape[1] for before, after in itertools.pairwise(layers))
    if not layers or not fit:
        raise MissingModelError(
            f"{path} holds no aesthetic head.",
            "A head is a safetensors file with `weight` and `bias`, or `layers.N.weight` and so on.",
        )
    return layers


def _place(name: str) -> tuple[int, str] | None:
    """(layer, weight or bias) of a head's tensor, None for any other."""
    if TOWERS.match(name):
        return None
    match = LAYER.fullmatch(name)
    if match:
        return int(match["number"]), match["what"]
    match = LONE.fullmatch(name)
    return (0, match["what"]) if match else None


def zero_shot(
    images: Embeddings, texts: Embeddings, logit_scale: float, logit_bias: float | None
) -> tuple[NDArray[np.int64], Embeddings]:
    """Which of the K texts fits each picture best, and its probability. [N, D], [K, D] -> [N], [N]

    CLIP: softmax over the texts of logit_scale x cosine (Radford et al., 2021, section 3.1). SigLIP: sigmoid
    of the same plus logit_bias, each text by itself (Zhai et al., 2023), so that none may fit.
    """
    cosines = images.astype(np.float64) @ texts.astype(np.float64).T
    best = cosines.argmax(axis=1)
    logits = logit_scale * cosines
    if logit_bias is not None:
        highest = logits.max(axis=1) + logit_bias
        return best, np.asarray(1 / (1 + np.exp(-highest)), np.float32)
    relative = np.exp(logits - logits.max(axis=1, keepdims=True))
    return best, np.asarray(1 / relative.sum(axis=1), np.float32)


def prompts_for(names: Sequence[str], template: str) -> list[str]:
    """The texts that stand for concepts: `{}` in the template is the name."""
    return [template.replace("{}", name) for name in names]
