"""The type of pictures, and OpenCV, imported on first use and kept to one thread."""

from __future__ import annotations

import ctypes
import sys
from functools import lru_cache
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]  # [H, W, 3], sRGB

# malloc.h of glibc. The second value is the largest that it takes.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES, LARGEST_KEPT_BYTES = 64 << 20, 32 << 20


@lru_cache(maxsize=1)
def opencv() -> ModuleType:
    """The `cv2` module, with one thread: workers are processes, pools of threads would fight for cores."""
    import cv2

    cv2.setNumThreads(1)
    _keep_freed_memory()
    return cv2


def _keep_freed_memory() -> None:
    """Let this process keep up to 64 MB of what it frees.

    A picture's planes are some hundred KB each. glibc gives such pieces back to the system and asks for them
    again, page by page, at the next picture: that cost more time than the arithmetic on them. Pieces
    above 32 MB (huge pictures) still go back. Other C libraries are left as they are.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, LARGEST_KEPT_BYTES)
        mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)
