"""Equal pixels have equal measures to the last bit, wherever in memory they and what is made of them lie."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from photogenic.measures.appeal import appeal_score
from photogenic.measures.decode import Picture, Rgb, decode
from photogenic.measures.phash import phash
from photogenic.measures.pixel import COLUMNS, measure
from photogenic.measures.watermark import watermark_score

Encode = Callable[..., bytes]

PLACES = 16
NUM_MOSAICS = 60
OFFSETS = (0, 1, 4, 8, 16, 20, 32, 48, 63)  # bytes behind a multiple of 64


@pytest.fixture(scope="module")
def files(photographs: Mapping[str, Rgb], sticker: Rgb, encode: Encode) -> dict[str, bytes]:
    """Photographs, drawings and mosaics, decoded at a scale and in full, by either decoder.

    The mosaics are of coloured and of grey pixels, as drawings are: OpenCV's `magnitude` takes a better root
    of eight values that one zero is among, and which eight go together depends on the address of its answer.
    Among so few pixels one last bit is seen in a sum, where in photographs it drowns.
    """
    named = {"drawing.png": encode(sticker), "drawing.jpg": encode(sticker, "JPEG", quality=70)}
    for name, rgb in photographs.items():
        image = Image.fromarray(rgb)
        named[f"{name}.jpg"] = encode(image, "JPEG", quality=88)
        named[f"{name}.webp"] = encode(image.resize((301, 211)), "WEBP")
    large = Image.fromarray(photographs["coffee"]).resize((2401, 1603))
    named["large.jpg"] = encode(large, "JPEG")
    rng = np.random.default_rng(0)
    for number in range(NUM_MOSAICS):
        side_px = 16 + number % 12
        mosaic = rng.integers(0, 256, (side_px, 2 * side_px, 3)).astype(np.uint8)
        grey = rng.random(mosaic.shape[:2]) < 0.1
        mosaic[grey] = mosaic[grey][:, :1]
        named[f"mosaic-{number}.png"] = encode(mosaic)
    return named


def all_measures(picture: Picture, data: bytes) -> dict[str, float]:
    measures = measure(picture, data)
    more = {"appeal_score": appeal_score(measures), "watermark_score": watermark_score(picture.rgb)}
    return {**measures, **more, "phash": phash(picture.rgb)}


def elsewhere(seed: int) -> Iterator[None]:
    """Without end: each time the heap is another one, so that the next arrays lie at other addresses."""
    rng, held = random.Random(seed), []
    while True:
        held += [np.empty(rng.randrange(1, 60_000), np.uint8) for _ in range(rng.randrange(1, 5))]
        rng.shuffle(held)
        del held[30:]
        yield


def at_offset(rgb: Rgb, offset: int) -> Rgb:
    """The same pixels `offset` bytes behind a multiple of 64."""
    room = np.empty(rgb.nbytes + 128, np.uint8)
    start = -room.ctypes.data % 64 + offset
    copy = room[start : start + rgb.nbytes].reshape(rgb.shape)
    copy[...] = rgb
    assert copy.ctypes.data % 64 == offset
    return copy


def test_neither_order_nor_place_changes_a_bit(files: dict[str, bytes]) -> None:
    moved, order = elsewhere(0), list(files)
    found: dict[str, set[tuple[tuple[str, float], ...]]] = {name: set() for name in files}
    for place in range(PLACES):
        random.Random(place).shuffle(order)
        for name in order:
            next(moved)
            measures = all_measures(decode(files[name], exact=False), files[name])
            found[name].add(tuple(measures.items()))
    varying = {
        (name, column)
        for name, seen in found.items()
        for column in dict(next(iter(seen)))
        if len({dict(one)[column] for one in seen}) > 1
    }
    assert varying == set()
    assert {column for seen in found.values() for column, _ in next(iter(seen))} > set(COLUMNS)


def test_the_address_of_the_pixels_changes_no_bit(files: dict[str, bytes]) -> None:
    for name, data in files.items():
        picture, moved = decode(data, exact=False), elsewhere(1)
        expected = all_measures(picture, data)
        for offset in OFFSETS:
            next(moved)
            assert all_measures(replace(picture, rgb=at_offset(picture.rgb, offset)), data) == expected, name
