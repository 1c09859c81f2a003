"""Icon sets in Iconify's JSON format: `icons.json` holds the SVG bodies, `chars.json` the code points."""

from __future__ import annotations

import json
from pathlib import Path

from photogenic.demo.sources.sticker import concept_of


def read_svgs(package: Path) -> dict[str, str]:
    """SVG text by icon name. Aliases (the same picture renamed or mirrored) and hidden icons are left out."""
    icon_set = json.loads((package / "icons.json").read_text(encoding="utf-8"))
    width, height = icon_set.get("width", 16), icon_set.get("height", 16)  # 16 is the format's own default
    return {
        name: _svg(icon["body"], icon.get("width", width), icon.get("height", height))
        for name, icon in icon_set["icons"].items()
        if not icon.get("hidden")
    }


def read_names(package: Path) -> dict[str, str]:
    """Icon name by concept."""
    chars = json.loads((package / "chars.json").read_text(encoding="utf-8"))
    return {concept_of(hexcode): name for hexcode, name in sorted(chars.items())}


def _svg(body: str, width: float, height: float) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{width}" height="{height}" viewBox="0 0 {width} {height}">{body}</svg>'
    )
