"""The models of a studio, loaded once, and one job drawn by all of them side by side."""

from __future__ import annotations

import base64
import io
import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photogenic.core.weights import folder_fingerprint
from photogenic.generate.drawing import WITHHELD, WITHHELD_GREY, load_for_drawing
from photogenic.generate.on_demand import find_model, name_of
from photogenic.generate.pictures import png_bytes
from photogenic.generate.settings import FamilyWay, family_way
from photogenic.generate.studio.jobs import Job

PREVIEW_PAUSE_S = 0.25  # between two previews of a picture; decoding and checking them costs time
PREVIEW_PX = 256
Rgb = NDArray[np.uint8]


@dataclass(frozen=True)
class Loaded:
    """A model, ready."""

    name: str
    pipeline: Any
    fingerprint: str
    size_px: int
    size_step_px: int
    way: FamilyWay


class Easel:
    """Draws jobs with all models at once, each in a thread of its own, so that they form together."""

    def __init__(self, models: Sequence[str], device: str, max_unsafe_prob: float | None) -> None:
        from photogenic.models import sampling

        self.models: list[Loaded] = []
        for model in models:
            weights = find_model(model)
            pipeline, self._draw = load_for_drawing(weights, device, one_by_one=True)
            self.models.append(
                Loaded(
                    self._free_name(name_of(weights)),
                    pipeline,
                    folder_fingerprint(weights),
                    sampling.default_size_px(pipeline),
                    sampling.size_step_px(pipeline),
                    family_way(weights),
                )
            )
        self.max_unsafe_prob = max_unsafe_prob
        self._unsafe: Any = None
        if max_unsafe_prob is not None:
            from photogenic.measures.unsafe import Unsafe

            self._unsafe = Unsafe()

    def draw(self, job: Job) -> None:
        """All pictures of a job; what they are told goes to whoever listens to it.

        Raises:
            Cancelled: somebody cancelled it.
        """
        job.tell("drawing", models=[model.name for model in self.models])
        with ThreadPoolExecutor(len(self.models)) as together:
            parts = [together.submit(self._draw_with, model, job) for model in self.models]
        for part in parts:
            part.result()

    def _free_name(self, name: str) -> str:
        taken = {model.name for model in self.models}
        number = 2
        free = name
        while free in taken:
            free, number = f"{name}-{number}", number + 1
        return free

    def _draw_with(self, model: Loaded, job: Job) -> None:
        for number in range(job.request["count"]):
            job.check()
            settings = self._settings(model, job.request)
            seed = job.request["seed"] + number
            watch = _Watch(self, model, job, number)
            [rgb] = self._draw(
                model.pipeline, [job.request["prompt"]], [seed], batch_size=1, on_step=watch, **settings
            )
            self._keep(model, job, number, seed, rgb, settings)

    def _settings(self, model: Loaded, request: dict[str, Any]) -> dict[str, Any]:
        return {
            "negative_prompt": request["negative_prompt"],
            "guidance_scale": request["guidance_scale"] or model.way.guidance_scale,
            "guidance_rescale": request["guidance_rescale"],
            "num_inference_steps": request["num_inference_steps"] or model.way.num_inference_steps,
            "sampler": request["sampler"] or model.way.sampler,
            "size_px": request["size_px"],
        }

    def _keep(
        self, model: Loaded, job: Job, number: int, seed: int, rgb: Rgb, settings: dict[str, Any]
    ) -> None:
        told = {"prompt": job.request["prompt"], "seed": seed, **settings, "batch_size": 1}
        told |= {"model": model.name, "weights": model.fingerprint}
        found: dict[str, Any] = {}
        if self._unsafe is not None:
            found["unsafe_prob"] = round(self._unsafe(rgb), 4)
            if found["unsafe_prob"] > self.max_unsafe_prob:
                rgb, found[WITHHELD] = np.full_like(rgb, WITHHELD_GREY), True
                job.withheld.add((model.name, number))
        job.pictures[model.name, number] = png_bytes(rgb, told, found)
        job.tell("picture", model=model.name, number=number, seed=seed, withheld=WITHHELD in found)

    def preview(self, rgb: Rgb) -> str | None:
        """As a data URI; None where it looks unsafe, for a veil over the end would come too late."""
        if self._unsafe is not None and self._unsafe(rgb) > self.max_unsafe_prob:
            return None
        image = Image.fromarray(rgb)
        image.thumbnail((PREVIEW_PX, PREVIEW_PX))
        stream = io.BytesIO()
        image.save(stream, "WEBP", quality=80, method=2)
        return "data:image/webp;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


class _Watch:
    """Called after each step: tells how far the picture is, shows it now and then, leaves when asked to."""

    def __init__(self, easel: Easel, model: Loaded, job: Job, number: int) -> None:
        self.easel, self.model, self.job, self.number = easel, model, job, number
        self.last = 0.0

    def __call__(self, progress: Any) -> None:
        self.job.check()
        words: dict[str, Any] = {"step": progress.number, "total": progress.total}
        if time.monotonic() - self.last >= PREVIEW_PAUSE_S and progress.number < progress.total:
            words["preview"] = self.easel.preview(progress.preview()[0])
            self.last = time.monotonic()
        self.job.tell("step", model=self.model.name, number=self.number, **words)


def size_step_px(easel: Easel) -> int:
    """Every model can draw at multiples of it."""
    return math.lcm(*(model.size_step_px for model in easel.models))
