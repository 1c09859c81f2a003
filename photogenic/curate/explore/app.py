"""The page's server: an application of one user on one machine."""

from __future__ import annotations

import secrets
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from pydantic import Field
from starlette.middleware.base import RequestResponseEndpoint

import photogenic.web
from photogenic.core.config import StrictModel
from photogenic.core.errors import PhotogenicError
from photogenic.curate.config import CurateConfig
from photogenic.curate.explore.edit import RecipeFile, diff, rule_fields
from photogenic.curate.explore.funnel import Explorer, can_move, keys_of
from photogenic.curate.explore.pictures import Pictures
from photogenic.curate.explore.pool import ExploredPool
from photogenic.curate.report import SAYS, column_says

HERE = Path(__file__).parent / "static"
LOOK = Path(photogenic.web.__file__).parent / "static"

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " img-src data: 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")


class Thresholds(StrictModel):
    """Rule -> threshold, of the rules that were moved."""

    changes: dict[str, float] = Field(default_factory=dict, max_length=200)


class Looking(Thresholds):
    """What the page wants to see."""

    rule: str | None = None
    histogram: bool = False


class Wanted(StrictModel):
    """Rows whose pictures are to be shown."""

    rows: list[int] = Field(max_length=64)


class Writing(Thresholds):
    """Changes to be written, and the text that the person has seen."""

    seen: str


class Desk:
    """What the endpoints share. One request decides at a time: the explorer keeps what it has decided."""

    def __init__(
        self, pool: ExploredPool, config: CurateConfig, recipe: RecipeFile | None, pictures: Pictures
    ) -> None:
        self.pool, self.recipe, self.pictures = pool, recipe, pictures
        self.explorer = Explorer(pool)
        self.lock = threading.Lock()
        steps = dict(config.steps.items())
        self.settings = {
            key: (step.name, setting)
            for step in pool.steps
            if step.rules
            for key, setting in zip(keys_of(step), rule_fields(step.name, steps[step.name]), strict=True)
        }

    def check(self, changes: dict[str, float]) -> None:
        """Refuse thresholds of rules that are not there."""
        known = [key for key in self.settings if can_move(self.explorer.rule(key))]
        unknown = [key for key in changes if key not in known]
        if unknown:
            raise HTTPException(422, f"There is no rule {unknown[0]!r}.")

    def described(self) -> dict[str, Any]:
        """The pool and its funnel, as the page draws them first."""
        return {
            "run": self.pool.run.folder.name,
            "samples": len(self.pool),
            "recipe": str(self.recipe.path) if self.recipe else None,
            "undo": bool(self.recipe and self.recipe.can_undo),
            "counts": self.counted({}),
            "steps": [
                {
                    "name": step.name,
                    "says": SAYS.get(step.name, ""),
                    "skipped": step.skipped,
                    "note": step.note,
                    "rules": [self._rule(key) for key in keys_of(step) if can_move(self.explorer.rule(key))],
                }
                for step in self.pool.steps
            ],
        }

    def _rule(self, key: str) -> dict[str, Any]:
        rule = self.explorer.rule(key)
        return {
            "key": key,
            "column": rule.column,
            "side": rule.side,
            "reason": rule.reason,
            "quantile": rule.quantile,
            "setting": self.settings[key][1],
            "says": column_says(rule.column),
            "never_scored": int((~self.pool.columns[rule.column].scored).sum()),
        }

    def counted(self, changes: dict[str, float]) -> list[dict[str, Any]]:
        """Counts of each step."""
        return [
            {
                "name": count.name,
                "entered": count.entered,
                "dropped": count.dropped,
                "unscored": count.unscored,
                "left": count.left,
                "thresholds": count.thresholds,
            }
            for count in self.explorer.counts(changes)
        ]

    def looked(self, looking: Looking) -> dict[str, Any]:
        """Counts, and for one rule its histogram and the rows next to the threshold."""
        answer: dict[str, Any] = {"counts": self.counted(looking.changes)}
        if looking.rule is not None:
            self.check({looking.rule: 0.0})
            answer["near"] = self.explorer.neighbours(looking.rule, looking.changes)
            if looking.histogram:
                answer["histogram"] = self.explorer.histogram(looking.rule, looking.changes)
        return answer

    def to_write(self, changes: dict[str, float]) -> list[tuple[str, str, float | int]]:
        """(step, setting, value): a quantile stays a quantile, a whole number a whole number."""
        found: list[tuple[str, str, float | int]] = []
        for key, threshold in changes.items():
            step, setting = self.settings[key]
            value: float | int = threshold
            if self.explorer.rule(key).quantile is not None:
                value = round(self.explorer.share_below(key, threshold, changes), 4)
            elif setting.endswith(("_px", "_words")):
                value = round(threshold)
            found.append((step, setting, value))
        return found


def create_app(desk: Desk, token: str) -> FastAPI:
    """The application. All of it lies below `/TOKEN/`: who does not know the link finds nothing."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.middleware("http")
    async def guard(request: Request, call_next: RequestResponseEndpoint) -> Response:
        host = urlsplit(f"//{request.headers.get('host', '')}").hostname
        first = request.url.path.split("/")[1].encode()
        # The host is asked for so that no page of another name that resolves to this machine can read here.
        if host not in LOCAL_HOSTS or not secrets.compare_digest(first, token.encode()):
            return Response("Not found.", 404)
        response = await call_next(request)
        response.headers.update(HEADERS)
        return response

    @app.exception_handler(PhotogenicError)
    async def sentence(request: Request, error: PhotogenicError) -> JSONResponse:
        return JSONResponse({"detail": f"{error.what} {error.fix}".strip()}, 409)

    root = f"/{token}"

    @app.get(f"{root}/")
    def page() -> FileResponse:
        return FileResponse(HERE / "index.html")

    @app.get(f"{root}/api/pool")
    def pool() -> dict[str, Any]:
        with desk.lock:
            return desk.described()

    @app.post(f"{root}/api/look")
    def look(looking: Looking) -> dict[str, Any]:
        desk.check(looking.changes)
        with desk.lock:
            return desk.looked(looking)

    @app.post(f"{root}/api/pictures")
    def pictures(wanted: Wanted) -> dict[int, dict[str, Any]]:
        return desk.pictures.of([row for row in wanted.rows if 0 <= row < len(desk.pool)])

    @app.post(f"{root}/api/diff")
    def difference(thresholds: Thresholds) -> dict[str, Any]:
        file = _writable(desk)
        desk.check(thresholds.changes)
        with desk.lock:
            after = file.changed(desk.to_write(thresholds.changes))
            return {"diff": diff(file.read(), after, file.path.name), "text": after}

    @app.post(f"{root}/api/write")
    def write(writing: Writing) -> dict[str, Any]:
        file = _writable(desk)
        desk.check(writing.changes)
        with desk.lock:
            file.write(desk.to_write(writing.changes), writing.seen)
        return {"undo": file.can_undo}

    @app.post(f"{root}/api/undo")
    def undo() -> dict[str, Any]:
        file = _writable(desk)
        with desk.lock:
            file.undo()
        return {"undo": file.can_undo}

    app.mount(f"{root}/look", StaticFiles(directory=LOOK))
    app.mount(f"{root}/static", StaticFiles(directory=HERE))
    return app


def _writable(desk: Desk) -> RecipeFile:
    if desk.recipe is None:
        raise HTTPException(
            409, "No recipe file was given: start with --recipe FILE to write thresholds back."
        )
    return desk.recipe
