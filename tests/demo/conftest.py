"""A node_modules folder in the packages' real file formats, with drawings of our own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

APPLE = (
    '<circle cx="16" cy="18" r="11" fill="#d22"/><path d="M16 8q2-5 7-5q-1 5-7 5" fill="#2a2"/>'
    '<defs><linearGradient id="a"><stop offset="0" stop-color="#d22"/></linearGradient></defs>'
)
CAR = '<rect x="3" y="12" width="26" height="10" fill="#25c"/><circle cx="9" cy="23" r="4"/>'

EMOJI = [
    # hexcode, label, tags, group (as emojibase numbers them), skins
    ("1F34E", "red apple", ["apple", "fruit"], 4, []),
    ("2708-FE0F", "airplane", ["aeroplane"], 5, []),
    ("1F44B", "waving hand", ["hand", "wave"], 1, ["1F44B-1F3FB", "1F44B-1F3FF"]),
    ("1F1EB-1F1F7", "flag: France", [], 9, []),
]


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("npm") / "node_modules"
    _emojibase(folder / "emojibase-data")
    icons: dict[str, dict[str, object]] = {
        "red-apple": {"body": APPLE},
        "airplane": {"body": CAR},
        "waving-hand": {"body": CAR, "hidden": True},
        "waving-hand-light": {"body": CAR},
        "flag-france": {"body": CAR},
    }
    chars = {
        "1f34e": "red-apple",
        "2708": "airplane",
        "1f44b": "waving-hand",
        "1f44b-1f3fb": "waving-hand-light",
        "1f1eb-1f1f7": "flag-france",
    }
    _iconify(folder / "@iconify-json" / "noto", icons, chars, 128)
    _iconify(folder / "@iconify-json" / "fluent-emoji", icons, {}, 32)
    _iconify(folder / "@iconify-json" / "fluent-emoji-flat", icons, chars, 32)
    _rendered(folder / "@lobehub" / "fluent-emoji-3d")
    return folder


def _emojibase(folder: Path) -> None:
    groups = {"1": "people-body", "2": "component", "4": "food-drink", "5": "travel-places", "9": "flags"}
    _json(folder / "package.json", {"name": "emojibase-data", "version": "17.0.0"})
    _json(folder / "meta" / "groups.json", {"groups": groups, "hierarchy": {}, "subgroups": {}})
    rows = [
        {
            "hexcode": code,
            "label": label,
            "tags": tags,
            "group": group,
            "skins": [{"hexcode": s} for s in skins],
        }
        for code, label, tags, group, skins in EMOJI
    ]
    rows.append({"hexcode": "1F1E6", "label": "regional indicator A"})
    _json(folder / "en" / "data.json", rows)


def _iconify(folder: Path, icons: dict[str, dict[str, object]], chars: dict[str, str], size: int) -> None:
    _json(folder / "package.json", {"name": folder.name, "version": "1.2.9"})
    scale = f'<g transform="scale({size / 32:g})">'  # the bodies are drawn on 32 x 32
    icons = {name: icon | {"body": f"{scale}{icon['body']}</g>"} for name, icon in icons.items()}
    aliases = {"apple": {"parent": "red-apple"}, "apple-mirrored": {"parent": "red-apple", "hFlip": True}}
    icon_set = {"prefix": folder.name, "icons": icons, "aliases": aliases, "width": size, "height": size}
    _json(folder / "icons.json", icon_set)
    _json(folder / "chars.json", chars)


def _rendered(folder: Path) -> None:
    _json(folder / "package.json", {"name": "@lobehub/fluent-emoji-3d", "version": "1.1.0"})
    (folder / "assets").mkdir()
    for name, colour in [
        ("1f34e", "red"),
        ("2708-fe0f", "blue"),
        ("1f44b-1f3fb", "tan"),
        ("1f1eb-1f1f7", "navy"),
    ]:
        image = Image.new("RGBA", (256, 256))
        image.paste(Image.new("RGBA", (128, 128), colour), (64, 64))
        image.save(folder / "assets" / f"{name}.webp", lossless=True)


def _json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
