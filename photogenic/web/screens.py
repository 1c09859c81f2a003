"""The pages of the web room: one shell, and each screen's own script and style sheet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Screen:
    """A page whose elements its script makes; `{name}.js` and `{name}.css` lie where it is served."""

    name: str
    title: str = ""
    body: str = "reading"  # the classes of <body>
    main: str = "page"  # the classes of <main>
    footer: str = ""  # what the bar at the bottom is for; empty: there is none
    styles: tuple[str, ...] = ()  # addresses of more style sheets, before its own

    def html(self, room: str) -> str:
        """The page, served at /{room}/{name}."""
        environment = Environment(
            loader=FileSystemLoader(HERE),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        return environment.get_template("shell.html.j2").render(screen=self, own=f"/{room}/{self.name}")


HOME = Screen("home", body="")
