"""Hostile files: real ones, damaged in the ways that disks, networks and people damage them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO

import numpy as np
from PIL import Image

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF")

Generator = np.random.Generator
Mutation = Callable[[bytes, bytes, Generator], bytes]


def mutated_files(picture: Image.Image, num: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """(what was done, bytes) of `num` damaged copies of one picture in all formats, the same for one seed."""
    rng = np.random.default_rng(seed)
    whole = [encoded(picture, file_format) for file_format in FORMATS]
    names = list(MUTATIONS)
    for number in range(num):
        which, name = number % len(whole), names[number // len(whole) % len(names)]
        other = whole[int(rng.integers(len(whole)))]
        yield f"{FORMATS[which]} {name}", MUTATIONS[name](whole[which], other, rng)


def encoded(picture: Image.Image, file_format: str) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, file_format)
    return buffer.getvalue()


def flipped(data: bytes, other: bytes, rng: Generator) -> bytes:
    """Some bytes anywhere."""
    return _overwritten(data, rng, len(data), int(rng.integers(1, 40)))


def flipped_header(data: bytes, other: bytes, rng: Generator) -> bytes:
    """Some bytes where sizes, offsets and counts stand."""
    return _overwritten(data, rng, min(len(data), 200), int(rng.integers(1, 8)))


def truncated(data: bytes, other: bytes, rng: Generator) -> bytes:
    return data[: int(rng.integers(0, len(data)))]


def spliced(data: bytes, other: bytes, rng: Generator) -> bytes:
    """A piece of another file in the middle."""
    begin, end = sorted(int(place) for place in rng.integers(0, len(other), 2))
    place = int(rng.integers(0, len(data)))
    return data[:place] + other[begin:end] + data[place:]


def cut_out(data: bytes, other: bytes, rng: Generator) -> bytes:
    begin, end = sorted(int(place) for place in rng.integers(0, len(data), 2))
    return data[:begin] + data[end:]


def wrong_start(data: bytes, other: bytes, rng: Generator) -> bytes:
    """The first bytes of one format before the rest of another."""
    return other[:16] + data[16:]


def zeroed(data: bytes, other: bytes, rng: Generator) -> bytes:
    """Zeros from somewhere to the end: a disk that was full, or a download that was set aside."""
    place = int(rng.integers(0, len(data)))
    return data[:place] + bytes(len(data) - place)


def only_zeros(data: bytes, other: bytes, rng: Generator) -> bytes:
    return bytes(int(rng.integers(0, 3)) * len(data))


def bomb(data: bytes, other: bytes, rng: Generator) -> bytes:
    """A small file that announces a huge picture."""
    side = int(rng.integers(15_000, 60_000))  # beyond the limit; below it, size alone is no reason
    if data[:2] == b"\xff\xd8":
        place = data.find(b"\xff\xc0")
        return _replaced(data, place + 5, struct.pack(">HH", side, side))
    if data[:2] == b"BM":
        return _replaced(data, 18, struct.pack("<ii", side, side))
    if data[:4] == b"GIF8":
        return _replaced(data, 6, struct.pack("<HH", side, side))
    if data[8:16] == b"WEBPVP8 ":
        return _replaced(data, 26, struct.pack("<HH", 16_383, 16_383))  # the most that it can say
    if data[:4] == b"II*\0":
        (directory,) = struct.unpack_from("<I", data, 4)
        width, height = (directory + 2 + 12 * entry for entry in (0, 1))  # tags are in ascending order
        size = struct.pack("<HII", 4, 1, side)  # one number of 32 bits
        return _replaced(_replaced(data, width + 2, size), height + 2, size)
    if data[4:12] == b"ftypavif":
        return _replaced(data, data.find(b"ispe") + 8, struct.pack(">II", side, side))
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(3 * side + 1) * 40)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


MUTATIONS: dict[str, Mutation] = {
    "flipped": flipped,
    "flipped header": flipped_header,
    "truncated": truncated,
    "spliced": spliced,
    "cut out": cut_out,
    "wrong start": wrong_start,
    "zeroed": zeroed,
    "only zeros": only_zeros,
    "bomb": bomb,
}


def _replaced(data: bytes, place: int, piece: bytes) -> bytes:
    return data[:place] + piece + data[place + len(piece) :]


def _overwritten(data: bytes, rng: Generator, below: int, num: int) -> bytes:
    changed = np.frombuffer(data, np.uint8).copy()
    changed[rng.integers(0, below, num)] = rng.integers(0, 256, num)
    return changed.tobytes()


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
