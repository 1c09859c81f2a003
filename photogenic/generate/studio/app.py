"""The studio's server: a page, and the JSON endpoints behind it. It keeps nothing on disk."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from photogenic.core.errors import PhotogenicError
from photogenic.generate.studio.easel import Easel, size_step_px
from photogenic.generate.studio.jobs import Job, Limits, Line
from photogenic.models.samplers import SAMPLERS, is_sampler
from photogenic.web import app as web_app
from photogenic.web.guard import Door, RateLimit, address_of
from photogenic.web.refusals import Refusal, not_found
from photogenic.web.settings import Settings

PAGES = Path(__file__).parent / "pages"
MAX_SEED = 2**32 - 1
DIRECTORIES = {"static": web_app.STATIC, "studio": PAGES}


class JobBody(BaseModel):
    """What a visitor asks for; what is left out is as the model's family is usually drawn."""

    model_config = ConfigDict(extra="forbid")

    prompt: Annotated[str, Field(min_length=1)]
    negative_prompt: str = ""
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] | None = None
    count: Annotated[int, Field(ge=1)] = 1
    num_inference_steps: Annotated[int, Field(ge=1)] | None = None
    guidance_scale: Annotated[float, Field(ge=1, le=50)] | None = None
    guidance_rescale: Annotated[float, Field(ge=0, le=1)] = 0.0
    sampler: str | None = None
    size_px: Annotated[int, Field(ge=8)] | None = None


def create_studio(easel: Easel, settings: Settings, limits: Limits | None = None) -> FastAPI:
    """The application; `settings.origins` says from where it may be asked."""
    limits = limits or Limits()
    line = Line(easel.draw, limits)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        line.start()
        try:
            yield
        finally:
            line.stop()

    app = FastAPI(
        title="photogenic studio", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan
    )
    _add_jobs(app, easel, line, limits, RateLimit(limits.jobs_per_minute, "Too many jobs in a minute."))
    _add_files(app)
    app.add_exception_handler(PhotogenicError, _sentence)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_middleware(Door, settings=settings)
    return app


def _add_files(app: FastAPI) -> None:
    files = {
        f"{name}/{file.relative_to(folder).as_posix()}": file
        for name, folder in DIRECTORIES.items()
        for file in folder.rglob("*")
        if file.is_file()
    }

    @app.get("/")
    def page() -> FileResponse:
        return FileResponse(PAGES / "studio.html", headers={"Cache-Control": "no-cache"})

    @app.get("/{folder}/{path:path}")
    def file(folder: str, path: str) -> FileResponse:
        found = files.get(f"{folder}/{path}")
        if found is None:
            raise not_found("page")
        return FileResponse(found, headers={"Cache-Control": "no-cache"})


def _add_jobs(app: FastAPI, easel: Easel, line: Line, limits: Limits, rate: RateLimit) -> None:
    @app.get("/api/models")
    def models() -> dict[str, Any]:
        return {
            "models": [
                {
                    "name": model.name,
                    "size_px": model.size_px,
                    "num_inference_steps": model.way.num_inference_steps,
                    "guidance_scale": model.way.guidance_scale,
                    "sampler": model.way.sampler,
                }
                for model in easel.models
            ],
            "samplers": list(SAMPLERS),
            "limits": {
                name: getattr(limits, name)
                for name in ("max_prompt_chars", "max_count", "max_steps", "max_size_px")
            }
            | {"size_step_px": size_step_px(easel)},
            "checks_unsafe": easel.max_unsafe_prob is not None,
        }

    @app.post("/api/jobs", status_code=201)
    def post_job(body: JobBody, request: Request) -> dict[str, Any]:
        visitor = address_of(request)
        rate.count(visitor)
        _check(body, easel, limits)
        seed = secrets.randbelow(MAX_SEED - limits.max_count) if body.seed is None else body.seed
        return _told(line.add({**body.model_dump(), "seed": seed}, visitor))

    @app.get("/api/jobs")
    def history() -> dict[str, Any]:
        return {"jobs": [_told(job) for job in line.jobs()]}

    @app.get("/api/jobs/{job_id}")
    def job(job_id: str) -> dict[str, Any]:
        return _told(line.job(job_id))

    @app.delete("/api/jobs/{job_id}", status_code=204)
    def cancel(job_id: str) -> Response:
        line.cancel(job_id)
        return Response(status_code=204)

    @app.get("/api/jobs/{job_id}/events")
    def events(job_id: str) -> StreamingResponse:
        return StreamingResponse(_stream(line.job(job_id)), media_type="text/event-stream")

    @app.get("/api/jobs/{job_id}/pictures/{model}/{number}.png")
    def picture(job_id: str, model: str, number: int) -> Response:
        png = line.job(job_id).pictures.get((model, number))
        if png is None:
            raise not_found("picture")
        return Response(png, media_type="image/png", headers={"Cache-Control": "private, max-age=3600"})


def _check(body: JobBody, easel: Easel, limits: Limits) -> None:
    """Raises Refusal where a number is beyond this server's limits."""
    step = size_step_px(easel)
    too_much = {
        f"A prompt has at most {limits.max_prompt_chars} characters.": max(
            len(body.prompt), len(body.negative_prompt)
        )
        > limits.max_prompt_chars,
        "The prompt is empty.": not body.prompt.strip(),
        f"At most {limits.max_count} pictures are drawn at once.": body.count > limits.max_count,
        f"At most {limits.max_steps} steps are taken.": (body.num_inference_steps or 1) > limits.max_steps,
        f"A picture has at most {limits.max_size_px} px a side.": (body.size_px or 8) > limits.max_size_px,
        f"{body.size_px} px is no side that these models can draw: it has to be a multiple of {step}.": (
            (body.size_px or step) % step != 0
        ),
        f"There is no sampler {body.sampler!r}.": body.sampler is not None and not is_sampler(body.sampler),
    }
    for sentence, holds in too_much.items():
        if holds:
            raise Refusal(422, sentence)


def _told(job: Job) -> dict[str, Any]:
    return {
        "id": job.job_id,
        "state": job.state,
        "request": job.request,
        "error": job.error,
        "created_at": job.created_at,
        "pictures": [
            {
                "model": model,
                "number": number,
                "seed": job.request["seed"] + number,
                "withheld": (model, number) in job.withheld,
                "url": f"/api/jobs/{job.job_id}/pictures/{model}/{number}.png",
            }
            for model, number in sorted(job.pictures)
        ],
    }


def _stream(job: Job) -> Iterator[str]:
    """Server-sent events."""
    for told in job.listen():
        if told is None:
            yield ": still here\n\n"
        else:
            words = {name: value for name, value in told.items() if name not in ("event", "at")}
            yield f"event: {told['event']}\ndata: {json.dumps(words)}\n\n"


def _sentence(_request: Request, error: Any) -> JSONResponse:
    status = error.status if isinstance(error, Refusal) else 409
    return JSONResponse({"error": error.what, "fix": error.fix}, status)


def _invalid(_request: Request, error: Any) -> JSONResponse:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"] if part != "body")
    return JSONResponse(
        {"error": f"{place}: {first['msg']}.", "fix": "docs/studio.md tells what is expected."}, 422
    )
