"""The type of pictures, and OpenCV, imported on first use and kept to one thread."""

from __future__ import annotations

from functools import lru_cache
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]  # [H, W, 3], sRGB


@lru_cache(maxsize=1)
def opencv() -> ModuleType:
    """The `cv2` module, with one thread: workers are processes, pools of threads would fight for cores."""
    import cv2

    cv2.setNumThreads(1)
    return cv2
