"""Drawing against diffusers' own pipelines, and what each lever saves and costs. Ratios within one run.

    python benchmarks/drawing.py                     the packaged emu-tiny and a random Stable Diffusion
    python benchmarks/drawing.py --num-prompts 32    steadier quality figures

Every row draws the same prompts from the same seeds with the same sampler and number of steps. Seconds are of
CPU time and the best of `--rounds`, taken turn by turn, so that a busy machine slows all rows alike; before
them each row draws once untimed, for a first call also chooses kernels and fetches memory. Quality:
CLIP score and appeal of the pictures, and PSNR to the pictures of the first row.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch

from photogenic.core.weights import weights_folder
from photogenic.generate.drawing import load_for_drawing
from photogenic.measures.appeal import appeal_score
from photogenic.measures.clip_score import ClipScorer
from photogenic.measures.decode import Picture
from photogenic.measures.pixel import measure
from photogenic.models import denoising
from photogenic.models.checkpoint import load_pipeline
from photogenic.models.noise_schedules import noise_schedule_for
from photogenic.models.sampling import draw

ROOT = Path(__file__).parents[1]
SAMPLER = "dpm++"  # of all that is timed
Draw = Callable[[], list[np.ndarray]]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--num-prompts", type=int, default=8)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    prompts = (ROOT / "recipes" / "prompts" / "emu-tiny.txt").read_text(encoding="utf-8").split("\n")
    prompts = [line for line in prompts if line.strip()][: options.num_prompts]
    plain = load_pipeline(weights_folder("emu-tiny"))
    for some, name in ((prompts, f"{len(prompts)} pictures"), (prompts[:1], "1 picture")):
        compare(f"emu-tiny, {name}", plain, load("emu-tiny", one_by_one=len(some) == 1), some, options)
        compare(f"a random Stable Diffusion, {name}", random_sd(), random_sd(), some, options)
    levers(prompts, options)


def load(name: str, *, one_by_one: bool = False) -> Any:
    return load_for_drawing(weights_folder(name), "cpu", one_by_one=one_by_one)[0]


def random_sd() -> Any:
    sys.path.insert(0, str(ROOT / "tests"))
    from models import tiny

    return tiny.sd()


def compare(name: str, plain: Any, ours: Any, prompts: list[str], options: Any) -> None:
    """`draw` and the pipeline's own call."""
    seeds = list(range(len(prompts)))
    settings = {"num_inference_steps": options.steps, "guidance_scale": 4.0}
    jobs: dict[str, Draw] = {
        "diffusers": lambda: own_call(plain, prompts, seeds, **settings),
        "draw": lambda: list(
            draw(ours, prompts, seeds, batch_size=min(8, len(prompts)), sampler=SAMPLER, **settings)
        ),
    }
    seconds, images = race(jobs, options.rounds)
    gap = np.abs(np.stack(images["draw"]).astype(int) - np.stack(images["diffusers"])).max()
    print(
        f"{name}: diffusers {seconds['diffusers']:.2f} s, draw {seconds['draw']:.2f} s,"
        f" {seconds['diffusers'] / seconds['draw']:.2f} times as fast; largest difference {gap} of 255",
        flush=True,
    )


def own_call(pipeline: Any, prompts: list[str], seeds: list[int], **settings: Any) -> list[np.ndarray]:
    """The pipeline as its users call it, with the same sampler and noise, eight at a time."""
    own, pipeline.scheduler = pipeline.scheduler, noise_schedule_for(SAMPLER, pipeline.scheduler)
    pipeline.set_progress_bar_config(disable=True)
    images: list[np.ndarray] = []
    with torch.inference_mode():
        for first in range(0, len(prompts), 8):
            generators = [torch.Generator().manual_seed(seed) for seed in seeds[first : first + 8]]
            drawn = pipeline(
                prompts[first : first + 8], generator=generators, output_type="np", **settings
            ).images
            images += [np.rint(image * 255).astype(np.uint8) for image in drawn]
    pipeline.scheduler = own
    return images


def levers(prompts: list[str], options: Any) -> None:
    """emu-tiny with each lever alone, and those that cost nothing visible together."""
    pipeline, seeds = load("emu-tiny"), list(range(len(prompts)))

    def drawn(**settings: Any) -> Draw:
        whole = {"sampler": SAMPLER, "num_inference_steps": options.steps} | settings
        return lambda: list(draw(pipeline, prompts, seeds, **whole))

    jobs = {
        "no lever": drawn(),
        "text encoded for each picture": lambda: encoded_each_time(pipeline, prompts, seeds, options.steps),
        "attention as diffusers calls it": lambda: attention_unspared(drawn()),
        "guidance in two passes": lambda: in_two_passes(pipeline, drawn()),
        "one picture at a time": drawn(batch_size=1),
        "guidance at 0 to 0.8 of the steps": drawn(guidance_interval=(0.0, 0.8)),
        "guidance at 0.1 to 0.8": drawn(guidance_interval=(0.1, 0.8)),
        "guidance at 0.2 to 0.6": drawn(guidance_interval=(0.2, 0.6)),
        "deep blocks every 2nd step": drawn(cache_interval=2),
        "deep blocks every 3rd step": drawn(cache_interval=3),
        "every 2nd step, guidance at 0 to 0.8": drawn(cache_interval=2, guidance_interval=(0.0, 0.8)),
        "15 steps instead": drawn(num_inference_steps=15),
        "10 steps instead": drawn(num_inference_steps=10),
    }
    seconds, images = race(jobs, options.rounds)
    clip, reference = ClipScorer(weights_folder("emu-tiny")), np.stack(images["no lever"])
    print(
        "\n| emu-tiny | seconds | times as fast | CLIP score | appeal | PSNR, dB |\n|---|---|---|---|---|---|"
    )
    for name, rgb in images.items():
        embeds = clip.embed_images(rgb) * clip.embed_texts(prompts)
        score = 100 * float(np.mean(np.sum(embeds, axis=1)))
        appeal = float(np.mean([appeal_of(image) for image in rgb]))
        faster = seconds["no lever"] / seconds[name]
        psnr = psnr_of(np.stack(rgb), reference)
        print(
            f"| {name} | {seconds[name]:.2f} | {faster:.2f} | {score:.1f} | {appeal:.2f} | {psnr} |",
            flush=True,
        )


def encoded_each_time(pipeline: Any, prompts: list[str], seeds: list[int], steps: int) -> list[np.ndarray]:
    """As `draw`, after encoding prompt and empty prompt once for each picture, as a call a picture would."""
    with torch.inference_mode():
        for prompt in prompts:
            pipeline.encode_prompt([prompt, ""])
    return list(draw(pipeline, prompts, seeds, sampler=SAMPLER, num_inference_steps=steps))


def attention_unspared(job: Draw) -> list[np.ndarray]:
    """Keys and values of the words computed at every step, processors asked by way of their signatures."""
    with mock.patch.object(denoising, "attention_spared", lambda *_: contextlib.nullcontext()):
        return job()


def in_two_passes(pipeline: Any, job: Draw) -> list[np.ndarray]:
    """The U-Net once for each half of a guided batch."""
    whole = pipeline.unet.forward

    def halves(sample: torch.Tensor, timestep: torch.Tensor, **arguments: Any) -> Any:
        middle, outputs = len(sample) // 2, []
        for rows in (slice(0, middle), slice(middle, None)):
            told = {
                name: {key: part[rows] for key, part in value.items()}
                if isinstance(value, dict)
                else value[rows]
                for name, value in arguments.items()
                if value is not None
            }
            outputs.append(whole(sample[rows], timestep[rows], **told))
        outputs[0].sample = torch.cat([output.sample for output in outputs])
        return outputs[0]

    pipeline.unet.forward = halves
    try:
        return job()
    finally:
        del pipeline.unet.forward


def race(jobs: dict[str, Draw], rounds: int) -> tuple[dict[str, float], dict[str, list[np.ndarray]]]:
    """Best CPU seconds and the pictures of each job; all jobs once a round, each round begun by another."""
    images = {name: job() for name, job in jobs.items()}
    seconds, names = dict.fromkeys(jobs, np.inf), list(jobs)
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            begun = time.process_time()
            jobs[name]()
            seconds[name] = min(seconds[name], time.process_time() - begun)
    return seconds, images


def appeal_of(rgb: np.ndarray) -> float:
    numbers = measure(Picture(rgb, rgb.shape[1], rgb.shape[0], "drawn"))
    return appeal_score(numbers)


def psnr_of(images: np.ndarray, reference: np.ndarray) -> str:
    error = float(np.mean((images.astype(np.float64) - reference) ** 2))
    return "equal" if error == 0 else f"{10 * np.log10(255**2 / error):.1f}"


if __name__ == "__main__":
    main()
