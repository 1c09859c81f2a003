"""From plan to file: compose the drawing on a background, spoil it, encode it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from photogenic.core.errors import DecodeError, StorageError
from photogenic.core.run import seed_for
from photogenic.demo import spoil
from photogenic.demo.plan import Plan
from photogenic.demo.sources.sticker import Pixels

ON_PIXELS = {
    "overlaid_text": spoil.overlaid_text,
    "blur": spoil.blur,
    "over_exposed": spoil.over_exposed,
    "under_exposed": spoil.under_exposed,
    "washed_out": spoil.washed_out,
    "grey": spoil.grey,
    "cut_off": spoil.cut_off,
    "tiny": spoil.tiny,
    "near_duplicate": spoil.near_duplicate,
}

# Backgrounds other than white, as stickers on the web have them now and then.
TINTS = ((245, 245, 245), (255, 250, 235), (232, 243, 252), (236, 248, 236), (252, 236, 240))
WHITE = (255, 255, 255)


@dataclass(frozen=True)
class Painted:
    """A picture that was written."""

    plan: Plan
    file_name: str
    parameters: spoil.Parameters


def paint(task: tuple[Path, Plan]) -> Painted | None:
    """Write one picture below a folder; None where the drawing cannot be drawn or shows nothing."""
    folder, plan = task
    rng = np.random.default_rng(seed_for(plan.seed, "compose", plan.clean_key))
    try:
        rgb = compose(plan, rng)
    except DecodeError:
        return None
    content, suffix, parameters = _spoiled_file(plan, rgb, rng)
    sticker = plan.sticker
    file_name = f"{sticker.source}/{sticker.group}/{plan.key}.{suffix}"
    path = folder / file_name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written: {error.strerror}.", "Run the same command again."
        ) from error
    return Painted(plan, file_name, parameters)


def compose(plan: Plan, rng: np.random.Generator) -> Pixels:
    """RGB uint8 [H, W, 3]: the drawing with a margin on white, one in ten on a light tint.

    Raises:
        DecodeError: the drawing cannot be drawn.
    """
    drawn = Image.fromarray(plan.sticker.render(plan.size_px))
    colour = TINTS[int(rng.integers(len(TINTS)))] if rng.random() < 0.1 else WHITE
    margin_px = round(float(rng.uniform(0.02, 0.12)) * plan.size_px)
    canvas = Image.new("RGB", (drawn.width + 2 * margin_px, drawn.height + 2 * margin_px), colour)
    canvas.paste(drawn, (margin_px, margin_px), drawn)
    return np.asarray(canvas)


def _spoiled_file(plan: Plan, rgb: Pixels, rng: np.random.Generator) -> tuple[bytes, str, spoil.Parameters]:
    """Content and suffix of the file, and what was done to the picture."""
    # `rng` goes on from the composition, which a duplicate shares with its original: so an exact duplicate
    # gets the very same file. What is spoiled comes from the picture's own key.
    own_rng = np.random.default_rng(seed_for(plan.seed, "spoil", plan.key))
    parameters: spoil.Parameters = {}
    if plan.kind == "heavy_jpeg":
        content, parameters = spoil.heavy_jpeg(rgb, own_rng)
        return content, "jpg", parameters
    if plan.kind in ON_PIXELS:
        spoiled, parameters = ON_PIXELS[plan.kind](rgb, own_rng)
        if spoiled.shape == rgb.shape:
            parameters["mean_change"] = _mean_change(rgb, spoiled)
        rgb = spoiled
    content, suffix = encode(rgb, own_rng if plan.kind == "near_duplicate" else rng)
    if plan.kind == "truncated":
        content, parameters = spoil.truncated(content, own_rng)
    return content, suffix, parameters


def _mean_change(before: Pixels, after: Pixels) -> float:
    """Mean absolute difference, 0 to 1: it tells where a fault left hardly a trace."""
    return round(float(np.abs(before.astype(np.float32) - after).mean() / 255.0), 4)


def encode(rgb: Pixels, rng: np.random.Generator) -> tuple[bytes, str]:
    """PNG, JPEG (quality 85-95) or WebP (80-92), as on the web, and the suffix."""
    suffix = str(rng.choice(["png", "jpg", "webp"], p=[0.4, 0.4, 0.2]))
    if suffix == "jpg":
        return spoil.encode_jpeg(rgb, int(rng.integers(85, 96))), suffix
    buffer = io.BytesIO()
    if suffix == "png":
        Image.fromarray(rgb).save(buffer, "PNG", compress_level=4)
    else:
        Image.fromarray(rgb).save(buffer, "WEBP", quality=int(rng.integers(80, 93)), method=2)
    return buffer.getvalue(), suffix
