"""Words that can be read in a picture (PP-OCR through rapidocr, with the models its package ships)."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photogenic.core.shards import file_fingerprint, fingerprint
from photogenic.measures.decode import Rgb
from photogenic.measures.inference import shipped_with
from photogenic.measures.vision import opencv

MIN_LINE_SCORE = 0.85  # the recogniser's confidence; textures and eyes are "read" with less
MIN_ALPHANUMERICS = 2  # a lone letter is more often a shape than a text
MAX_LINE_AREA_RATIO = 0.9  # the detector takes some drawings as a whole for one sign
MAX_WORD_LETTERS, MEAN_WORD_LETTERS = 12, 5  # of English
DETECTION_LONG_SIDE_PX = 480
MIN_STAMP_DIGITS = 5  # of a day and a year, '98 11 3
MAX_STAMP_LETTERS = 0.25  # of the digits: O and l are read for 0 and 1
STAMP_EDGE = 0.2  # of the height, above and below: there cameras print the date
OF_DATES = re.compile(r"JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC|[AP]M\b", re.IGNORECASE)
CLOCK = re.compile(r"\d\s?:\s?\d\d\b")  # with a point it would be a price


@dataclass(frozen=True)
class OcrResult:
    num_words: int
    text_area_ratio: float  # of the picture, under the lines' outlines, 0-1
    num_date_stamps: int  # lines of digits near the upper or lower edge, as cameras print date and time
    text: str  # the lines, from top to bottom, joined by newlines


class Ocr:
    """Reads pictures one by one, in one thread: 50-300 ms each."""

    def __init__(self) -> None:
        detector, recogniser = model_files()
        self.revision = fingerprint(file_fingerprint(detector), file_fingerprint(recogniser))
        self._engine = _engine(detector, recogniser)

    def __call__(self, rgb: Rgb) -> OcrResult:
        """Reads [H, W, 3]."""
        # What is not passed sticks from the call before.
        found = self._engine(np.ascontiguousarray(rgb[:, :, ::-1]), use_det=True, use_cls=False, use_rec=True)
        texts, scores, boxes = _or_empty(found.txts), _or_empty(found.scores), _or_empty(found.boxes)
        lines = [
            (str(text).strip(), box)
            for text, score, box in zip(texts, scores, boxes, strict=True)
            if score >= MIN_LINE_SCORE
            and sum(c.isalnum() for c in text) >= MIN_ALPHANUMERICS
            and _area_ratio([box], *rgb.shape[:2]) <= MAX_LINE_AREA_RATIO
        ]
        return OcrResult(
            num_words=sum(_num_words(piece) for text, _ in lines for piece in text.split()),
            text_area_ratio=_area_ratio([box for _, box in lines], *rgb.shape[:2]),
            num_date_stamps=sum(_is_date_stamp(text, box, len(rgb)) for text, box in lines),
            text="\n".join(text for text, _ in lines),
        )


def model_files() -> tuple[Path, Path]:
    """The detector and the recogniser that rapidocr ships."""
    return shipped_with("rapidocr", "models/*det*.onnx"), shipped_with("rapidocr", "models/*rec*.onnx")


def _num_words(piece: str) -> int:
    """Of one piece between spaces. A long one is several words whose spaces the recogniser did not see."""
    length = sum(c.isalnum() for c in piece)
    return round(length / MEAN_WORD_LETTERS) if length > MAX_WORD_LETTERS else min(length, 1)


def _is_date_stamp(text: str, box: NDArray[np.float32], height: int) -> bool:
    """Whether a line may be date or time, and lies where cameras print them. Its spaces are often lost.

    Outlines are quadrilaterals [4, 2] (x, y).
    """
    from_edge = 0.5 - abs(float(box[:, 1].mean()) / height - 0.5)
    digits = sum(c.isdigit() for c in text)
    letters = sum(c.isalpha() for c in OF_DATES.sub("", text))
    is_time = digits >= MIN_STAMP_DIGITS or CLOCK.search(text) is not None
    return from_edge <= STAMP_EDGE and is_time and letters <= MAX_STAMP_LETTERS * digits


def _or_empty(values: Any) -> Any:
    return () if values is None else values


def _area_ratio(boxes: list[NDArray[np.float32]], height: int, width: int) -> float:
    """The share of the picture under the union of quadrilaterals [4, 2] (x, y)."""
    if not boxes:
        return 0.0
    mask = np.zeros((height, width), np.uint8)
    opencv().fillPoly(mask, [np.rint(box).astype(np.int32) for box in boxes], 1)
    return float(mask.mean())


def _engine(detector: Path, recogniser: Path) -> Any:
    # Explicit paths: left to itself, rapidocr downloads a model whose checksum it does not like.
    from rapidocr import RapidOCR

    engine = RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.use_cls": False,
            "Global.text_score": MIN_LINE_SCORE,
            "Det.model_path": str(detector),
            "Det.limit_type": "max",
            "Det.limit_side_len": DETECTION_LONG_SIDE_PX,
            "Rec.model_path": str(recogniser),
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )
    logging.getLogger("RapidOCR").setLevel(logging.CRITICAL)
    opencv()  # one thread for rapidocr's resizing, too
    return engine
