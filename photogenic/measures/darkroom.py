"""What a darkroom would have to undo: how far a photograph is turned, tinted, faded, too light or too dark.

Two networks were shown photographs that had been turned, tinted, faded and so on by known amounts, and others
spoiled in the ways of `benchmarks/spoiling.py`; each tells the amounts, and in which aspects the picture
fails. The second also tells whether it stands upright, by comparison with itself turned by quarters, and,
though it only sees squares, the format that the scene was taken in: where the file has another, things are
pressed flat or thin. One is a MobileNetV2 (Sandler
et al., 2018), the other an EfficientNet-Lite2 (Tan & Le, 2019); both began as networks for ImageNet, where
they came to know how things stand and which colours they have, and were trained on by
`benchmarks/learning_darkroom.py`. Their answers are columns of the finish score, which weighs them beside its
pixel measures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photogenic.core.weights import PACKAGED
from photogenic.measures.decode import Rgb
from photogenic.measures.inference import onnx_session

Floats = NDArray[np.float32]

DARKROOM_FILE = PACKAGED / "darkroom.onnx"
SIDE_PX = 256  # both sides: they do not see how long and high a picture is
AMOUNTS = ("turn", "red", "blue", "saturation", "gain", "lift", "gamma")  # 0 where nothing was done
TOUCHES = ("turned", "tinted", "saturated", "toned")  # logits: whether anything was
NUM_ASPECTS = 13  # logits: whether it is free of the faults of the finish score's aspects, but for the last
POSTURES = ("upright", "on_side", "upside_down")  # logarithms of their probabilities
ANSWERS = (  # `format`: the logarithm of width over height
    *AMOUNTS,
    *TOUCHES,
    *(f"aspect_{n}" for n in range(NUM_ASPECTS)),
    *POSTURES,
    "format",
)
NETWORKS = {  # in the order of the file; the first knows nine aspects, and nothing after them
    "darkroom": ANSWERS[: ANSWERS.index("aspect_9")],
    "darkroom2": ANSWERS,
}
PRESSED = "pressed"  # the logarithm of width over height, less what it should be
DARKROOM_COLUMNS = (  # `lean`: the size of `turn`
    *(f"{network}_{name}" for network, names in NETWORKS.items() for name in (*names, "lean")),
    PRESSED,
)
FORMAT = DARKROOM_COLUMNS.index("darkroom2_format")


class Darkroom:
    """The networks, side by side in one file, in one thread."""

    def __init__(self, path: Path = DARKROOM_FILE) -> None:
        self._session = onnx_session(path)

    def __call__(self, rgb: Rgb) -> dict[str, float]:
        """DARKROOM_COLUMNS of a picture [H, W, 3]: `turn` in tens of degrees, the others in logarithms."""
        (answers,) = self.batch([squeezed(rgb)], [format_of(rgb)])
        return dict(zip(DARKROOM_COLUMNS, answers.tolist(), strict=True))

    def batch(self, pictures: Sequence[Rgb], formats: Sequence[float]) -> Floats:
        """[B, number of DARKROOM_COLUMNS] of pictures [SIDE_PX, SIDE_PX, 3] that had these formats."""
        (answers,) = self._session.run(None, {"pictures": np.stack(pictures)})
        pressed = np.asarray(formats, np.float32) - answers[:, FORMAT]
        return np.column_stack([answers, pressed]).astype(np.float32)


def format_of(rgb: Rgb) -> float:
    """The logarithm of width over height of [H, W, 3]."""
    return math.log(rgb.shape[1] / rgb.shape[0])


def squeezed(rgb: Rgb) -> Rgb:
    """[H, W, 3] => [SIDE_PX, SIDE_PX, 3]"""
    return np.asarray(Image.fromarray(rgb).resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS))


@lru_cache(maxsize=1)
def darkroom() -> Darkroom:
    """The one that comes along."""
    return Darkroom()
