"""A small haystack of real files, drawn with a fixed seed."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

NUM_GOOD = 40
SIDE_PX = 320


def draw_good(number: int, side_px: int = SIDE_PX) -> Image.Image:
    """Coloured shapes with sharp edges on a soft ground; another number, another picture."""
    generator = np.random.default_rng(number)
    ramp = np.linspace(60, 160, side_px)[:, None, None] * generator.uniform(0.6, 1.0, 3)
    picture = Image.fromarray(np.broadcast_to(ramp, (side_px, side_px, 3)).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    for _ in range(14):
        x, y, size = generator.uniform(0, 0.8, 3) * side_px
        colour = tuple(int(level) for level in generator.integers(0, 256, 3))
        shape = draw.ellipse if generator.random() < 0.5 else draw.rectangle
        shape((x, y, x + 20 + size / 3, y + 20 + size / 3), fill=colour)
    return picture


def draw_haystack(folder: Path) -> None:
    """Good pictures of two concepts, and one or two of each kind of trouble."""
    rows = []

    def add(name: str, group: str = "shapes", text: str = "") -> Path:
        rows.append(
            {"file_name": name, "key": Path(name).stem, "alt_text": text, "group": group, "likes": len(rows)}
        )
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    for number in range(NUM_GOOD):
        suffix = ("png", "jpg", "webp")[number % 3]
        group = "shapes" if number % 4 else "others"
        draw_good(number).save(add(f"good/{number:02d}.{suffix}", group, f"shapes number {number}"))
    draw_good(100).resize((40, 40)).save(add("small.png"))
    draw_good(101).resize((600, 150)).save(add("strip.png"))
    draw_good(102).point(lambda level: level // 30).save(add("dark.png"))
    draw_good(103).point(lambda level: 110 + level // 7).save(add("flat.png"))
    draw_good(104).filter(ImageFilter.GaussianBlur(9)).save(add("blurred.png"))
    shutil.copy(folder / "good/01.jpg", add("same-bytes.jpg"))
    draw_good(4).resize((280, 280), Image.Resampling.LANCZOS).save(add("look-alike.jpg"), quality=90)
    whole = (folder / "good/04.jpg").read_bytes()
    add("truncated.jpg").write_bytes(whole[: len(whole) // 2])
    add("empty.png").touch()
    add("no-picture.jpg").write_text("This is a sentence and no picture.")
    add("gone.png")  # in the metadata, but not on the disk
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "metadata.jsonl").write_text(text, encoding="utf-8")


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The haystack, drawn once; not to be changed."""
    folder = tmp_path_factory.mktemp("drawn") / "haystack"
    folder.mkdir()
    draw_haystack(folder)
    return folder


@pytest.fixture
def haystack(drawn: Path, tmp_path: Path) -> Path:
    """A copy of the haystack that a test may change."""
    return Path(shutil.copytree(drawn, tmp_path / "haystack"))
