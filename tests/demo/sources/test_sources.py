from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from photogenic.core.errors import PhotogenicError
from photogenic.demo.sources import DEMO_SOURCES, PRETRAIN_SOURCES, open_sources
from photogenic.demo.sources.sticker import Sticker

FROM_NPM = ("noto", "fluent_gradient", "fluent_flat", "fluent_3d")


def read(name: str, node_modules: Path | None = None) -> list[Sticker]:
    found, missing = open_sources([name], node_modules=node_modules)
    assert missing == []
    return list(found[name])


def concepts(stickers: Iterable[Sticker]) -> set[str]:
    return {sticker.concept for sticker in stickers}


@pytest.mark.parametrize("name", DEMO_SOURCES)
def test_pypi_sources_have_words_and_no_flags_and_no_skin_tones(name: str) -> None:
    stickers = read(name)
    assert len(stickers) > 1500
    assert len({sticker.key for sticker in stickers}) == len(stickers)
    assert not any(re.search(r"1f3f[b-f]", sticker.concept) for sticker in stickers)
    assert not {"flags", "component"} & {sticker.group for sticker in stickers}
    apple = next(sticker for sticker in stickers if sticker.concept == "1f34e")
    assert (apple.name, apple.group, apple.source) == ("red apple", "food-drink", name)
    heart = next(sticker for sticker in stickers if sticker.concept == "2764")
    assert heart.name == "heart"  # Unicode calls it HEAVY BLACK HEART


def test_both_pypi_sources_draw_the_same_concepts_in_different_ways() -> None:
    openmoji, twemoji = read("openmoji"), read("twemoji")
    assert len(concepts(openmoji) & concepts(twemoji)) > 1500
    apples = [next(s for s in source if s.concept == "1f34e").render(64) for source in (openmoji, twemoji)]
    for apple in apples:
        assert apple.shape == (64, 64, 4)
        red, green, blue = apple[apple[..., 3] == 255][:, :3].mean(axis=0)
        assert red > 1.5 * green
        assert red > 1.5 * blue
    assert np.abs(apples[0].astype(int) - apples[1]).mean() > 5


@pytest.mark.parametrize(
    ("name", "licence"), [("noto", "Apache-2.0"), *((name, "MIT") for name in FROM_NPM[1:])]
)
def test_npm_sources_are_read_from_node_modules(name: str, licence: str, node_modules: Path) -> None:
    stickers = read(name, node_modules)
    # the waving hand is hidden or has skin tones only, the flag is a flag
    assert concepts(stickers) == {"1f34e", "2708"}
    apple = next(sticker for sticker in stickers if sticker.concept == "1f34e")
    assert (apple.key, apple.name, apple.group) == (f"{name}-1f34e", "red apple", "food-drink")
    assert (apple.tags, apple.licence) == (("apple", "fruit"), licence)
    pixels = apple.render(80)
    assert pixels.shape == (80, 80, 4)
    assert pixels[45, 40, 0] > 180
    assert pixels[45, 40, 1] < 60
    assert pixels[0, 0, 3] == 0


@pytest.mark.parametrize("name", FROM_NPM)
def test_a_missing_npm_package_is_one_sentence_that_says_what_to_install(name: str, tmp_path: Path) -> None:
    found, missing = open_sources([name, "twemoji"], node_modules=tmp_path)
    assert list(found) == ["twemoji"]
    assert len(missing) == 1
    assert missing[0].startswith(f"Source {name} is left out. The npm package @")
    assert str(tmp_path) in missing[0]
    assert "npm install @" in missing[0]


def test_without_node_modules_the_sentence_names_the_option() -> None:
    _, missing = open_sources(["noto"])
    assert "no node_modules folder was given" in missing[0]
    assert "--node-modules" in missing[0]


def test_names_without_their_words_are_missing_too(node_modules: Path, tmp_path: Path) -> None:
    (tmp_path / "@iconify-json").symlink_to(node_modules / "@iconify-json")
    found, missing = open_sources(["noto"], node_modules=tmp_path)
    assert found == {}
    assert "npm install emojibase-data" in missing[0]


def test_an_unknown_source_is_refused() -> None:
    with pytest.raises(PhotogenicError, match=r"no source 'clipart'[^\n]*\n.*openclipart"):
        open_sources(["clipart"])


def test_the_sets_of_sources_are_known() -> None:
    open_sources([*DEMO_SOURCES, *PRETRAIN_SOURCES])
    assert "openmoji" not in PRETRAIN_SOURCES  # share-alike: no weights we ship saw it
