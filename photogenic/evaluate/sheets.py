"""Contact sheets of blind pairs: numbered, left beside right, the prompt only where it is asked about."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

SHEET_WIDTH_PX = 1560
GAP_PX = 8
MARGIN_PX = 24  # between pairs: wider than between the two pictures of one
FONT_PX = 20
LINE_PX = 26
MAX_LINES = 3  # of a prompt; longer ones stand in full in the ballot
PAPER, INK = (238, 238, 238), (20, 20, 20)


@dataclass(frozen=True)
class SheetPair:
    """One pair on a sheet; `prompt` is None where it must not be seen."""

    number: int
    left: Path
    right: Path
    prompt: str | None = None


def draw_sheet(pairs: Sequence[SheetPair], per_sheet: int) -> Image.Image:
    """All `pairs` on one picture, laid out as if there were `per_sheet` of them."""
    columns = min(3, math.ceil(math.sqrt(per_sheet)))
    cell_px = (SHEET_WIDTH_PX - MARGIN_PX * (columns + 1)) // columns
    side_px = (cell_px - GAP_PX) // 2
    font = ImageFont.load_default(size=FONT_PX)
    headings = [_heading(pair, cell_px) for pair in pairs]
    opened = [(_fitted(pair.left, side_px), _fitted(pair.right, side_px)) for pair in pairs]
    top_px = LINE_PX * max(map(len, headings))
    picture_px = max(image.height for pair in opened for image in pair)
    row_px = top_px + picture_px + MARGIN_PX
    rows = math.ceil(len(pairs) / columns)
    sheet = Image.new("RGB", (SHEET_WIDTH_PX, MARGIN_PX + rows * row_px), PAPER)
    pen = ImageDraw.Draw(sheet)
    for place, (heading, pictures) in enumerate(zip(headings, opened, strict=True)):
        x = MARGIN_PX + (place % columns) * (cell_px + MARGIN_PX)
        y = MARGIN_PX + (place // columns) * row_px
        for line, text in enumerate(heading):
            pen.text((x, y + line * LINE_PX), text, INK, font)
        for image, left in zip(pictures, (x, x + side_px + GAP_PX), strict=True):
            sheet.paste(image, (left, y + top_px))
    return sheet


def _fitted(path: Path, side_px: int) -> Image.Image:
    """As large as a square of `side_px` holds: small pictures are enlarged, as on the voting page."""
    with Image.open(path) as image:
        scale = side_px / max(image.size)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        return image.convert("RGB").resize(size, Image.Resampling.LANCZOS)


def _heading(pair: SheetPair, width_px: int) -> list[str]:
    if pair.prompt is None:
        return [f"{pair.number}"]
    letters = max(10, int(width_px / (FONT_PX * 0.5)))
    lines = textwrap.wrap(f"{pair.number}   {pair.prompt}", letters) or [f"{pair.number}"]
    return (
        lines if len(lines) <= MAX_LINES else [*lines[: MAX_LINES - 1], f"{lines[MAX_LINES - 1][:-1]}\u2026"]
    )
