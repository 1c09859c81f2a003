"""The application: one table of permissions, every route behind it, errors as sentences."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from mimetypes import guess_type
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from photogenic.core.errors import PhotogenicError
from photogenic.web import accounts, manual, work
from photogenic.web.darkroom import Darkroom
from photogenic.web.database import Database
from photogenic.web.guard import Door, RateLimit, guard
from photogenic.web.migrate import WEB, migrate
from photogenic.web.refusals import Refusal, not_found
from photogenic.web.registration import ANYBODY, Permissions, Registration
from photogenic.web.room import Room
from photogenic.web.screens import HOME
from photogenic.web.settings import Settings

STATIC = Path(__file__).parent / "static"
PAGES: Permissions = {("GET", "/"): ANYBODY, ("GET", "/static/{path:path}"): ANYBODY}
FRESH = {"Cache-Control": "no-cache"}  # kept, but asked about each time
BINARY = "application/octet-stream"
log = logging.getLogger("photogenic.web")


def create_app(settings: Settings, *registrations: Registration) -> FastAPI:
    """The server: tables brought up to date, routes and pages of the room and of every registration.

    Raises:
        RunError: the database is newer than this photogenic, or its address is wrong.
        ValueError: a route has no entry in the table of permissions.
    """
    room = open_room(settings, *registrations)
    app = FastAPI(
        title=settings.title,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(guard)],
        lifespan=_lifespan,
    )
    app.state.room = room
    app.state.sign_ins = RateLimit(settings.sign_ins_per_minute)
    for router in (accounts.router, work.router, manual.router):
        _add_routes(app, router)
    _add_page(app, "/", HOME.html("static"))
    _add_files(app, "/static/{path:path}", STATIC)
    for registration in registrations:
        if registration.router is not None:
            _add_routes(app, registration.router)
        if registration.pages is not None:
            pages = {screen.name: screen.html(registration.name) for screen in registration.screens}
            _add_files(app, f"/{registration.name}/{{path:path}}", registration.pages, pages)
    _check_permissions(app, room.permissions)
    app.add_exception_handler(PhotogenicError, _sentence)
    app.add_exception_handler(HTTPException, _status)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _bug)
    app.add_middleware(Door, settings=settings)
    return app


def open_room(settings: Settings, *registrations: Registration) -> Room:
    """The room without its routes, its tables brought up to date: for commands that serve nothing."""
    database = Database(settings.database_url)
    histories = {"web": WEB}
    histories |= {one.name: one.migrations for one in registrations if one.migrations is not None}
    migrate(database, histories)
    permissions = {**PAGES, **accounts.PERMISSIONS, **work.PERMISSIONS, **manual.PERMISSIONS}
    for registration in registrations:
        permissions |= registration.permissions
        if registration.pages is not None:
            permissions["GET", f"/{registration.name}/{{path:path}}"] = ANYBODY
    readers = {one.name: one.read_picture for one in registrations if one.read_picture is not None}
    return Room(
        settings=settings,
        database=database,
        kinds={kind.name: kind for one in registrations for kind in one.kinds},
        permissions=permissions,
        darkroom=Darkroom(settings.folder / "pictures", database, readers),
        desks=tuple(f"/{one.name}/{one.desk}" for one in registrations if one.desk is not None),
    )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    room: Room = app.state.room
    if room.settings.develops_ahead:
        room.darkroom.start()
    try:
        yield
    finally:
        room.darkroom.stop()
        room.database.close()


def routes_of(app: FastAPI) -> Iterable[tuple[str, str]]:
    """(method, path template) of every route, as the table of permissions names them."""
    for route in app.routes:
        if isinstance(route, APIRoute):
            yield from ((method, route.path) for method in sorted(route.methods or ()))


def _check_permissions(app: FastAPI, permissions: Permissions) -> None:
    missing = [route for route in routes_of(app) if route not in permissions]
    strange = [route for route in app.routes if not isinstance(route, APIRoute)]
    if missing or strange:
        raise ValueError(f"routes without permissions: {missing or strange}")


def _add_routes(app: FastAPI, router: APIRouter) -> None:
    """Each route by itself, so that the table of permissions sees every one of them."""
    for route in router.routes:
        if not isinstance(route, APIRoute):
            raise ValueError(f"{route} is no route that can be guarded")
        app.add_api_route(
            route.path,
            route.endpoint,
            methods=sorted(route.methods or ()),
            status_code=route.status_code,
            include_in_schema=route.include_in_schema,
        )


def _add_page(app: FastAPI, path: str, html: str) -> None:
    page = Kept.of(html.encode(), "text/html")

    async def serve(request: Request) -> Response:
        return page.answer(request)

    app.add_api_route(path, serve, methods=["GET"], include_in_schema=False)


def _add_files(app: FastAPI, path: str, folder: Path, pages: Mapping[str, str] | None = None) -> None:
    """Serve pages by name, and the files of a folder of the package; out of memory, for they are small.

    Only files that are there now, so no path can leave the folder.
    """
    files = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}
    served = {name: Kept.of(file.read_bytes(), guess_type(name)[0] or BINARY) for name, file in files.items()}
    served |= {name: Kept.of(html.encode(), "text/html") for name, html in (pages or {}).items()}

    async def serve(path: str, request: Request) -> Response:
        if path not in served:
            raise not_found("page")
        return served[path].answer(request)

    app.add_api_route(path, serve, methods=["GET"], include_in_schema=False)


@dataclass(frozen=True)
class Kept:
    """A file that browsers keep and ask about each time; they get it again only when it has changed."""

    content: bytes
    media_type: str
    tag: str

    @classmethod
    def of(cls, content: bytes, media_type: str) -> Kept:
        return cls(content, media_type, f'"{sha256(content).hexdigest()[:32]}"')

    def answer(self, request: Request) -> Response:
        headers = {**FRESH, "ETag": self.tag}
        if request.headers.get("if-none-match") == self.tag:
            return Response(status_code=304, headers=headers)
        return Response(self.content, media_type=self.media_type, headers=headers)


# --- errors --------------------------------------------------------------------------------------------


def _answer(status: int, what: str, fix: str = "") -> JSONResponse:
    return JSONResponse({"error": what, "fix": fix}, status)


def _sentence(_request: Request, error: Any) -> JSONResponse:
    status = error.status if isinstance(error, Refusal) else 409
    return _answer(status, error.what, error.fix)


def _status(_request: Request, error: Any) -> JSONResponse:
    return _answer(error.status_code, str(error.detail))


def _invalid(_request: Request, error: Any) -> JSONResponse:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return _answer(422, f"{place}: {first['msg']}.", "/api/docs describes what is expected.")


def _bug(request: Request, error: Any) -> JSONResponse:
    log.error("%s %s", request.method, request.url.path, exc_info=error)
    return _answer(500, "The server met an error of its own.", "Nothing was half written. Try again.")
