"""The description of the API: openapi.json, and a page made from it without any script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from photogenic.web.registration import EVERYONE, Permissions

router = APIRouter()
PERMISSIONS: Permissions = {("GET", "/api/docs"): EVERYONE, ("GET", "/api/openapi.json"): EVERYONE}
TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@router.get("/api/openapi.json", include_in_schema=False)
def openapi(request: Request) -> dict[str, Any]:
    schema: dict[str, Any] = request.app.openapi()
    return schema


@router.get("/api/docs", include_in_schema=False)
def docs(request: Request) -> HTMLResponse:
    """Every route: who may use it, what it takes, what it does."""
    schema = request.app.openapi()
    permissions = request.app.state.room.permissions
    routes = [
        {
            "method": method.upper(),
            "path": path,
            "words": told.get("description", told.get("summary", "")),
            "roles": sorted(permissions[method.upper(), path]),
            "fields": _fields(told, schema),
        }
        for path, methods in sorted(schema["paths"].items())
        for method, told in methods.items()
    ]
    page = TEMPLATES.get_template("manual.html.j2")
    return HTMLResponse(page.render(title=request.app.title, routes=routes))


def _fields(told: dict[str, Any], schema: dict[str, Any]) -> list[dict[str, str]]:
    """Parameters and the body's fields, one line each."""
    fields = [
        {"name": one["name"], "place": one["in"], "kind": _kind(one["schema"])}
        for one in told.get("parameters", [])
    ]
    body = told.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    model = schema.get("components", {}).get("schemas", {}).get(body.get("$ref", "").rsplit("/", 1)[-1], {})
    fields += [
        {"name": name, "place": "body", "kind": _kind(one)}
        for name, one in model.get("properties", {}).items()
    ]
    return fields


def _kind(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    return str(schema.get("type", "anything"))
