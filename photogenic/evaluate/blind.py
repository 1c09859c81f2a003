"""Pictures as raters see them: both of a pair of one size, format and quality, and nothing but pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps

from photogenic.core.errors import RunError
from photogenic.core.run import seed_for
from photogenic.core.shards import atomic_path
from photogenic.evaluate.pairs import Showing
from photogenic.web.derivatives import upright_srgb

SPOILED, CLEAN = "spoiled", "clean"  # the two "models" of an attention check
CHECK_SIZE_PX = 512
COLOURS = {"red": (200, 40, 40), "green": (40, 140, 60), "blue": (40, 70, 190), "yellow": (230, 190, 40)}
SHAPES = ("circle", "square", "triangle")


@dataclass(frozen=True)
class BlindPicture:
    """A picture in the folder of blind pictures, under a name that tells nothing."""

    digest: str  # 32 hex digits, from a secret and the pixels
    width_px: int
    height_px: int


class BlindFolder:
    """Writes pictures as RGB PNG without metadata, named by a digest that needs `secret` to be guessed."""

    def __init__(self, folder: Path, secret: str) -> None:
        self.folder = folder
        self.secret = secret

    def add_pair(self, left: Image.Image, right: Image.Image) -> tuple[BlindPicture, BlindPicture]:
        """Both at the smaller one's size: shrunk to cover it, and cut in the middle."""
        size = (min(left.width, right.width), min(left.height, right.height))
        return self._add(left, size), self._add(right, size)

    def _add(self, image: Image.Image, size: tuple[int, int]) -> BlindPicture:
        fitted = image if image.size == size else ImageOps.fit(image, size, Image.Resampling.LANCZOS)
        stream = BytesIO()
        Image.fromarray(np.asarray(fitted)).save(stream, format="PNG")
        digest = hashlib.sha256(self.secret.encode() + stream.getvalue()).hexdigest()[:32]
        path = self.path(digest)
        if not path.exists():
            with atomic_path(path) as temporary:
                temporary.write_bytes(stream.getvalue())
        return BlindPicture(digest, *size)

    def path(self, digest: str) -> Path:
        """Where the picture of that digest lies."""
        return self.folder / f"{digest}.png"


def open_rgb(path: Path) -> Image.Image:
    """The picture upright, flat on white, in sRGB: as everybody is shown pictures.

    Raises:
        RunError: it is missing, or no picture.
    """
    try:
        with Image.open(path) as image:
            return upright_srgb(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise RunError(f"{path} cannot be shown: {error}.") from error


def spoil(image: Image.Image, seed: int) -> Image.Image:
    """The same picture so damaged that nobody prefers it: its blocks in disorder, under heavy noise."""
    rng = np.random.default_rng(seed)
    blocks = 8
    width, height = image.width // blocks * blocks, image.height // blocks * blocks
    pixels = np.asarray(image.resize((max(width, blocks), max(height, blocks)))).astype(np.float64)
    tall, wide = pixels.shape[0] // blocks, pixels.shape[1] // blocks
    tiles = pixels.reshape(blocks, tall, blocks, wide, 3).swapaxes(1, 2).reshape(-1, tall, wide, 3)
    tiles = tiles[rng.permutation(len(tiles))]
    mixed = tiles.reshape(blocks, blocks, tall, wide, 3).swapaxes(1, 2).reshape(pixels.shape)
    noisy = 0.5 * mixed + 0.5 * rng.integers(0, 256, pixels.shape)
    return Image.fromarray(_bytes(noisy)).resize(image.size)


def shape_picture(shape: str, colour: str) -> Image.Image:
    """A plain shape on white, 512 px."""
    image = Image.new("RGB", (CHECK_SIZE_PX, CHECK_SIZE_PX), "white")
    pen, low, high = ImageDraw.Draw(image), CHECK_SIZE_PX // 5, CHECK_SIZE_PX * 4 // 5
    if shape == "circle":
        pen.ellipse((low, low, high, high), fill=COLOURS[colour])
    elif shape == "square":
        pen.rectangle((low, low, high, high), fill=COLOURS[colour])
    else:
        pen.polygon([(CHECK_SIZE_PX // 2, low), (low, high), (high, high)], fill=COLOURS[colour])
    return image


def appeal_check(number: int, image: Image.Image, seed: int) -> tuple[Showing, Image.Image, Image.Image]:
    """A drawn picture against itself spoiled: the clean one is expected."""
    return _check(number, "", image, spoil(image, seed_for(seed, "spoil", number)), seed)


def faithfulness_check(number: int, seed: int) -> tuple[Showing, Image.Image, Image.Image]:
    """A plain shape that is as the prompt says, against one of another form and colour."""
    rng = np.random.default_rng(seed_for(seed, "shape", number))
    (shape, other), (colour, unlike) = (
        [names[index] for index in rng.permutation(len(names))[:2]] for names in (SHAPES, list(COLOURS))
    )
    prompt = f"a {colour} {shape} on a white background"
    return _check(number, prompt, shape_picture(shape, colour), shape_picture(other, unlike), seed)


def _check(
    number: int, prompt: str, clean: Image.Image, spoiled: Image.Image, seed: int
) -> tuple[Showing, Image.Image, Image.Image]:
    """The pictures are in the order of the showing's models, which is one of chance as in every pair."""
    pair_id = hashlib.sha256(f"check {seed} {number} {prompt}".encode()).hexdigest()[:16]
    models, images = (CLEAN, SPOILED), (clean, spoiled)
    if seed_for(seed, "first", pair_id) % 2:
        models, images = (SPOILED, CLEAN), (spoiled, clean)
    showing = Showing(
        pair_id=pair_id,
        prompt_id=f"check-{pair_id}",
        prompt=prompt,
        category="",
        challenge="",
        models=models,
        pictures=(f"{models[0]}-{pair_id}", f"{models[1]}-{pair_id}"),
        purpose="check",
        expected=CLEAN,
    )
    return showing, *images


def _bytes(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def models_of(showings: Sequence[Showing]) -> list[str]:
    """The models that are compared."""
    return sorted({model for one in showings if one.purpose != "check" for model in one.models})
