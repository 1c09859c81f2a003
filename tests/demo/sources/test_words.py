from __future__ import annotations

from pathlib import Path

import pytest

from photogenic.demo.sources.sticker import MissingSourceError
from photogenic.demo.sources.words import npm_package, words_from_emojibase, words_from_python


def test_emojibase(node_modules: Path) -> None:
    words = words_from_emojibase(node_modules)
    assert set(words) == {"1f34e", "2708", "1f44b"}
    assert words["1f34e"].tags == ("apple", "fruit")


def test_typographic_names_are_replaced_and_colours_kept() -> None:
    words = words_from_python()
    assert words["2600"].name == "sunny"  # BLACK SUN WITH RAYS
    assert words["1f5a4"].name == "black heart"
    assert words["1f34f"].name == "green apple"


def test_both_packages_use_the_same_groups(node_modules: Path) -> None:
    of_python = {said.group for said in words_from_python().values()}
    of_emojibase = {said.group for said in words_from_emojibase(node_modules).values()}
    assert of_emojibase <= of_python


def test_a_folder_without_package_json_is_no_package(tmp_path: Path) -> None:
    (tmp_path / "emojibase-data").mkdir()
    with pytest.raises(MissingSourceError, match="emojibase-data is not found"):
        npm_package(tmp_path, "emojibase-data")
