"""What people are shown: upright, in sRGB, without metadata, of a size, made once and whole."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest
from PIL import Image, ImageCms
from sqlalchemy.exc import OperationalError

from photogenic.core.errors import DecodeError
from photogenic.web import darkroom
from photogenic.web.derivatives import SIZES, develop

from .office import Office, picture_bytes
from .profiles import adobe_like_profile


def saved(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    memory = io.BytesIO()
    image.save(memory, kind, **options)
    return memory.getvalue()


@pytest.mark.parametrize("size", SIZES)
def test_nothing_but_pixels_is_left(size: str) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Camera of Ada"
    exif.get_ifd(0x8825)[1] = "N"
    data = saved(Image.new("RGB", (300, 200), "olive"), exif=exif, comment=b"secret", xmp=b"<x:xmpmeta/>")
    assert b"Camera of Ada" in data
    made = develop(data, SIZES[size])
    assert b"Ada" not in made
    assert b"secret" not in made
    image = Image.open(io.BytesIO(made))
    assert len(image.getexif()) == 0
    assert not {"exif", "xmp", "comment", "icc_profile"} & set(image.info)


def test_a_picture_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    image = Image.new("RGB", (400, 200), "white")
    image.paste("red", (0, 0, 100, 200))  # left in the file: on top when upright
    upright = Image.open(io.BytesIO(develop(saved(image, exif=exif), SIZES["screen"])))
    assert upright.size == (200, 400)
    red, green, _ = upright.getpixel((100, 20))  # type: ignore[misc]
    assert red > 200 > 100 > green


@pytest.mark.parametrize(("size", "side"), [("thumb", 384), ("screen", 1920)])
def test_a_large_picture_is_reduced_and_a_small_one_kept(size: str, side: int) -> None:
    large = develop(saved(Image.new("RGB", (4000, 1000), "navy")), SIZES[size])
    assert Image.open(io.BytesIO(large)).size == (side, side // 4)
    small = develop(saved(Image.new("RGB", (40, 30), "navy")), SIZES[size])
    assert Image.open(io.BytesIO(small)).size == (40, 30)


def test_colours_of_another_profile_are_converted() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    red = Image.new("RGB", (64, 64), (200, 60, 60))
    same = develop(saved(red, "PNG", icc_profile=srgb.tobytes()), SIZES["full"])
    plain = develop(saved(red, "PNG"), SIZES["full"])
    assert same == plain
    wide = Image.open(io.BytesIO(develop(saved(red, "PNG", icc_profile=adobe_like_profile()), SIZES["full"])))
    seen = wide.getpixel((5, 5))
    assert isinstance(seen, tuple)
    assert seen[0] > 215  # the same numbers in a wider space are a stronger red
    odd = develop(saved(red, "PNG", icc_profile=b"no profile at all"), SIZES["full"])
    assert odd == plain


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1", "I;16"])
def test_every_mode_becomes_a_picture(mode: str) -> None:
    image = (
        Image.new("I;16", (30, 20), 40_000)
        if mode == "I;16"
        else Image.new("RGB", (30, 20), "teal").convert(mode)
    )
    data = saved(image, "TIFF" if mode in ("CMYK", "I;16") else "PNG")
    made = Image.open(io.BytesIO(develop(data, SIZES["full"])))
    assert (made.mode, made.size) == ("RGB", (30, 20))


def test_what_is_transparent_becomes_white() -> None:
    made = develop(saved(Image.new("RGBA", (20, 20), (255, 0, 0, 0)), "PNG"), SIZES["full"])
    assert Image.open(io.BytesIO(made)).getpixel((3, 3)) == (255, 255, 255)


@pytest.mark.parametrize("data", [b"", b"<svg/>", picture_bytes(1)[:200], b"\xff\xd8\xff" + bytes(50)])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        develop(data, SIZES["thumb"])


def test_a_derivative_is_made_ahead_and_once(office: Office) -> None:
    queue = office.queue(3)
    digests = list(office.pictures)
    office.room.darkroom.start()
    office.room.darkroom.order(digests, "thumb")
    office.room.darkroom.stop()
    made = [office.room.darkroom.path(digest, "thumb") for digest in digests]
    # The order to stop came last, and the last order is the first that is filled.
    office.room.darkroom.start()
    office.room.darkroom.stop()
    for digest in digests:
        assert office.room.darkroom.picture(digest, "thumb").exists()
    office.pictures.clear()  # nothing is read again
    ada = office.person("Ada", "generalist")
    assert ada.get(f"/api/queues/{queue}/images/{digests[0]}/thumb").status_code == 200
    assert [path.name for path in made[0].parent.glob(".*")] == []


def test_pictures_are_made_ahead_after_a_database_was_away(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.queue(2)
    room, digests = office.room.darkroom, list(office.pictures)
    real, made = room.picture, threading.Event()

    def away_at_first(digest: str, size: str) -> Path:
        if digest == digests[0]:
            raise OperationalError("SELECT", {}, Exception("the server closed the connection"))
        path = real(digest, size)
        made.set()
        return path

    monkeypatch.setattr(room, "picture", away_at_first)
    room.start()
    room.order(digests, "thumb")
    assert made.wait(10)
    room.stop()
    assert room.path(digests[1], "thumb").exists()


def test_a_picture_that_is_ordered_again_waits_once(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each claim orders what comes next: with a slow disk the same pictures, over and over."""
    monkeypatch.setattr(darkroom, "MOST_ORDERS", 3)
    room, asked, go_on = office.room.darkroom, threading.Event(), threading.Event()

    def slow(_digest: str, _size: str) -> None:
        asked.set()
        go_on.wait(10)

    monkeypatch.setattr(room, "picture", slow)
    room.start()
    room.order(["a" * 32], "thumb")
    assert asked.wait(10)
    for _ in range(50):
        room.order(["b" * 32, "c" * 32], "thumb")
    room.order(["d" * 32, "e" * 32], "thumb")
    waiting = [digest[0] for digest, _ in room._orders]
    go_on.set()
    room.stop()
    assert waiting == ["b", "e", "d"]  # the last is made first


def test_a_damaged_picture_is_a_sentence(office: Office) -> None:
    queue = office.queue(1)
    digest = next(iter(office.pictures))
    office.pictures[digest] = b"no picture"
    answer = office.person("Ada", "generalist").get(f"/api/queues/{queue}/images/{digest}/thumb")
    assert (answer.status_code, answer.json()["error"]) == (422, "This picture cannot be decoded.")
    assert not Path(office.room.darkroom.path(digest, "thumb")).exists()
