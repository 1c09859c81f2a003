from __future__ import annotations

import json
from pathlib import Path

import pytest

from photogenic.demo.sources import open_sources
from photogenic.demo.sources.sticker import Sticker

BODY = '<circle cx="16" cy="16" r="12" fill="#d22"/>'


def icon_set(node_modules: Path, name: str, icons: dict[str, str]) -> None:
    """`icons`: name -> category."""
    folder = node_modules / "@iconify-json" / name
    folder.mkdir(parents=True)
    (folder / "package.json").write_text("{}")
    bodies = {icon: {"body": BODY} for icon in icons}
    (folder / "icons.json").write_text(json.dumps({"icons": bodies, "width": 32, "height": 32}))
    categories: dict[str, list[str]] = {}
    for icon, category in icons.items():
        categories.setdefault(category, []).append(icon)
    (folder / "metadata.json").write_text(json.dumps({"categories": categories}))


def read(source: str, folder: Path, node_modules: Path) -> dict[str, Sticker]:
    (folder / "emojibase-data").symlink_to(node_modules / "emojibase-data")
    found, missing = open_sources([source], node_modules=folder)
    assert missing == []
    return {sticker.key: sticker for sticker in found[source]}


def test_an_emojis_name_gives_its_concept_and_any_other_speaks_for_itself(
    tmp_path: Path, node_modules: Path
) -> None:
    icons = {
        "red-apple": "Food Drink",
        "airplane-2": "Travel Places",
        "school-backpack": "Objects",
        "red-apple-medium-skin-tone": "Food Drink",
        "france": "Flags",
        "2": "Symbols",
        "letter-a": "Symbols",
    }
    icon_set(tmp_path, "streamline-emojis", icons)
    read_ones = read("streamline", tmp_path, node_modules)
    assert set(read_ones) == {"streamline-red-apple", "streamline-airplane-2", "streamline-school-backpack"}
    apple = read_ones["streamline-red-apple"]
    assert (apple.concept, apple.name, apple.group) == ("1f34e", "red apple", "food-drink")
    assert apple.tags == ("apple", "fruit")
    assert read_ones["streamline-airplane-2"].concept == "2708"
    backpack = read_ones["streamline-school-backpack"]
    assert (backpack.concept, backpack.name) == ("streamline:school-backpack", "school backpack")
    assert (backpack.group, backpack.licence) == ("objects", "CC-BY-4.0")
    assert backpack.render(40).shape == (40, 40, 4)


def test_names_that_run_words_together_count_only_as_an_emojis(tmp_path: Path, node_modules: Path) -> None:
    icon_set(tmp_path, "fxemoji", {"redapple": "Food", "americasglobe": "Travel"})
    assert [sticker.name for sticker in read("fxemoji", tmp_path, node_modules).values()] == ["red apple"]


@pytest.mark.parametrize(
    ("source", "package"), [("noto_v1", "noto-v1"), ("emojitwo", "emojione"), ("emojione", "emojione-v1")]
)
def test_an_older_set_calls_the_animal_a_face(
    source: str, package: str, tmp_path: Path, node_modules: Path
) -> None:
    icon_set(tmp_path, package, {"airplane-face": "Nature"})
    (sticker,) = read(source, tmp_path, node_modules).values()
    assert (sticker.concept, sticker.source) == ("2708", source)


def test_a_missing_set_is_a_sentence(tmp_path: Path) -> None:
    _, missing = open_sources(["flat_color_icons"], node_modules=tmp_path)
    assert "npm install @iconify-json/flat-color-icons" in missing[0]
