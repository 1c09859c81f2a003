"""One self-contained HTML page: a stage's template, wrapped in the look.

A template is a fragment of HTML in Jinja2, kept next to the module that writes the report (`*.html.j2`). It
may use `contact_sheet`, `line_chart`, `bar_chart` and `histogram`, and the filters `count` (1,234) and
`percent` (12.3 %). All else that it prints is escaped: a file named `<script>` stays a name.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from photogenic.web.charts import bar_chart, histogram, line_chart

__all__ = [
    "bar_chart",
    "contact_sheet",
    "count",
    "histogram",
    "line_chart",
    "percent",
    "render",
    "thumbnail_uri",
]

HERE = Path(__file__).parent


def render(template_path: Path, title: str, **context: Any) -> str:
    """The page: `template_path` filled with `context`, in the look. A name that it lacks is an error."""
    template_path = Path(template_path)
    body = _environment(template_path.parent).get_template(template_path.name).render(**context)
    look = (HERE / "look.css").read_text(encoding="utf-8")
    page = _environment(HERE).get_template("page.html.j2")
    return page.render(title=title, look=Markup(look), body=Markup(body))


@cache
def _environment(folder: Path) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        bar_chart=bar_chart, contact_sheet=contact_sheet, histogram=histogram, line_chart=line_chart
    )
    environment.filters.update(count=count, percent=percent)
    return environment


def count(number: int) -> str:
    """1234 as "1,234"."""
    return f"{number:,}"


def percent(ratio: float | None, digits: int = 1) -> str:
    """0.1234 as "12.3 %"; None (nothing was measured) as a dash."""
    return "\N{EN DASH}" if ratio is None else f"{100 * ratio:.{digits}f} %"


def thumbnail_uri(picture: np.ndarray[Any, Any] | Image.Image, size_px: int = 96) -> str:
    """`picture` as a `data:` URI, shrunk (never enlarged) to fit a square of `size_px`.

    An array is [H, W, 3] or [H, W] of uint8. What is transparent becomes white.
    """
    image = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    image = image.convert("RGB")
    image.thumbnail((size_px, size_px), Image.Resampling.LANCZOS)
    memory = io.BytesIO()
    image.save(memory, "WEBP", quality=82, method=4)
    return "data:image/webp;base64," + base64.b64encode(memory.getvalue()).decode("ascii")


def contact_sheet(pictures: Sequence[tuple[str, str]], size_px: int = 96) -> Markup:
    """A grid of (`data:` URI, caption) pairs, each picture at most `size_px` wide.

    Raises:
        ValueError: a picture would have to be fetched.
    """
    if any(not uri.startswith("data:image/") for uri, _ in pictures):
        raise ValueError("a report holds its pictures: only data:image/ URIs can be shown")
    cell = Markup('<figure><img src="{uri}" alt="{caption}"><figcaption>{caption}</figcaption></figure>')
    cells = Markup("\n").join(cell.format(uri=uri, caption=caption) for uri, caption in pictures)
    return Markup('<div class="sheet" style="--cell: {}px">\n{}\n</div>').format(int(size_px), cells)
