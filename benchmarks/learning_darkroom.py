"""Learn `photogenic/weights/darkroom.onnx`: what was done to a photograph, and in which aspects it fails.

    python benchmarks/learning_darkroom.py FOLDER... --start WEIGHTS --examples FOLDER --out FILE.onnx
    python benchmarks/learning_darkroom.py ... --half 0                             of half the photographs

WEIGHTS are MobileNetV2's for ImageNet as torchvision publishes them (mobilenet_v2-b0353104.pth, BSD). Half
of each batch are photographs turned, tinted, faded and so on by known amounts, drawn anew each time; the
other half crops that were spoiled as `learning_finish.py` does, for the nine aspects. Two networks of half
the photographs each let a forest learn from answers about photographs that its network has not seen.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO
from multiprocessing import Pool
from pathlib import Path

import cv2
import learning_finish as finishing
import numpy as np
import onnx
import torch
from learning_finish import ASPECTS, INTACT, half_of, left_out
from needles import MIN_SOURCE_PX, opened, paths_in
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from photogenic.measures.darkroom import AMOUNTS, DARKROOM_COLUMNS, NUM_ASPECTS, SIDE_PX, TOUCHES, squeezed

WHOLE_PX = 512  # of the photographs that are turned
PER_HALF_BATCH, INTACT_PER_BATCH = 16, 4
FROZEN_BLOCKS = 5  # edges and colours are seen there as well as can be
RATE, HEAD_RATE, WARM_STEPS = 1e-4, 1e-3, 40
AVERAGED = 0.01  # the share of the newest weights in those that are kept
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pixels
GREY = np.array([0.299, 0.587, 0.114], np.float32)
Pictures = NDArray[np.uint8]
Floats = NDArray[np.float32]
Rng = np.random.Generator


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--start", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--half", type=int, choices=(0, 1))
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--intact", type=int, default=4, help="crops of each photograph")
    parser.add_argument("--spoiled", type=int, default=24, help="crops of each photograph")
    parser.add_argument("--without", nargs="+", default=[], metavar="NAME", help="files left out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--examples", type=Path, required=True, help="a folder for the crops: kept there")
    options = parser.parse_args()
    paths = paths_in(options.folders)
    out = left_out(paths, options.without)
    halves = enumerate(half_of(paths))
    numbers = [number for number, half in halves if number not in out and options.half in (None, half)]
    with Pool() as pool:
        kept = pool.map(partial(_examples_of, paths, options), numbers, chunksize=1)
    examples = Examples([path for path in kept if path is not None])
    print(f"{len(examples.photographs)} photographs, {len(examples.crops)} crops", flush=True)
    torch.manual_seed(options.seed)
    network = Network(options.start)
    learn(network, examples, options.steps, options.seed)
    export(network, options.out)


def _examples_of(paths: list[Path], options: argparse.Namespace, number: int) -> Path | None:
    """The photograph, smaller, and its crops as they are looked at: as they were kept, or made now."""
    kept: Path = options.examples / f"{number:04d}.npz"
    if kept.is_file():
        return kept
    image = next(opened([paths[number]]))
    if min(image.size) < MIN_SOURCE_PX:
        return None
    rows = list(finishing.files_of(image, options, number))
    crops = [squeezed(np.asarray(Image.open(BytesIO(data)).convert("RGB"))) for _, data in rows]
    image.thumbnail((WHOLE_PX, WHOLE_PX), Image.Resampling.LANCZOS)
    kept.parent.mkdir(parents=True, exist_ok=True)
    part = kept.with_suffix(".part.npz")
    np.savez(part, photograph=np.asarray(image), crops=np.stack(crops), kinds=[kind for kind, _ in rows])
    part.replace(kept)
    return kept


# ---- what it learns from


class Examples:
    """Photographs, and crops [N, SIDE_PX, SIDE_PX, 3] with the aspect in which each fails [N]; -1 in none."""

    def __init__(self, paths: Sequence[Path]) -> None:
        aspects = {kind: number for number, kinds in enumerate(ASPECTS.values()) for kind in kinds}
        aspects[INTACT] = -1
        arrays = [np.load(path) for path in paths]
        self.photographs: list[Pictures] = [each["photograph"] for each in arrays]
        self.crops: Pictures = np.concatenate([each["crops"] for each in arrays])
        self.aspects = np.array([aspects[kind] for each in arrays for kind in each["kinds"].tolist()])

    def batch(self, seed: int) -> tuple[Pictures, Floats, Pictures, NDArray[np.int64]]:
        """Pictures and what was done to them [B, 7], crops and their aspects [B]."""
        rng = np.random.default_rng(seed)
        chosen = rng.integers(len(self.photographs), size=PER_HALF_BATCH)
        done = [done_to(self.photographs[number], rng) for number in chosen]
        sizes = (INTACT_PER_BATCH, PER_HALF_BATCH - INTACT_PER_BATCH)
        kinds = (self.aspects < 0, self.aspects >= 0)
        rows = np.concatenate(
            [
                rng.choice(np.flatnonzero(kind), size, replace=False)
                for kind, size in zip(kinds, sizes, strict=True)
            ]
        )
        crops = self.crops[rows][:, :, :: int(rng.choice([-1, 1]))]
        pictures, amounts = zip(*done, strict=True)
        return np.stack(pictures), np.stack(amounts), crops, self.aspects[rows]


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


# ---- the network


class Block(nn.Module):
    """An inverted residual (Sandler et al., 2018, section 3.3): wider, channel by channel, narrow again."""

    def __init__(self, inside: int, outside: int, stride: int, wider: int) -> None:
        super().__init__()
        width = inside * wider
        self.is_residual = stride == 1 and inside == outside
        first = [_convolution(inside, width, 1)] if wider != 1 else []
        last = [nn.Conv2d(width, outside, 1, bias=False), nn.BatchNorm2d(outside)]
        self.conv = nn.Sequential(*first, _convolution(width, width, 3, stride, width), *last)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inside, h, w] => [B, outside, h / stride, w / stride]"""
        return x + self.conv(x) if self.is_residual else self.conv(x)


class Network(nn.Module):
    """MobileNetV2, its weights named as torchvision names them, with a head for DARKROOM_COLUMNS."""

    def __init__(self, start: Path) -> None:
        super().__init__()
        layers, inside = [_convolution(3, 32, 3, 2)], 32
        for wider, outside, repeats, stride in (
            (1, 16, 1, 1),
            (6, 24, 2, 2),
            (6, 32, 3, 2),
            (6, 64, 4, 2),
            (6, 96, 3, 1),
            (6, 160, 3, 2),
            (6, 320, 1, 1),
        ):
            for number in range(repeats):
                layers.append(Block(inside, outside, stride if number == 0 else 1, wider))
                inside = outside
        self.features = nn.Sequential(*layers, _convolution(320, 1280, 1))
        weights = torch.load(start, weights_only=True)
        prefix = "features."
        self.features.load_state_dict(
            {name.removeprefix(prefix): each for name, each in weights.items() if name.startswith(prefix)}
        )
        self.head = nn.Linear(1280, len(DARKROOM_COLUMNS))
        nn.init.normal_(self.head.weight, 0, 0.01)
        nn.init.zeros_(self.head.bias)
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("spread", torch.tensor(SPREAD).view(1, 3, 1, 1), persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        """[B, H, W, 3], 0-255 => [B, number of DARKROOM_COLUMNS]"""
        x = pictures.permute(0, 3, 1, 2).float() / 255
        x = ((x - self.mean) / self.spread).contiguous(memory_format=torch.channels_last)
        x = self.features(x).float().mean((2, 3))
        return self.head(functional.dropout(x, 0.2, self.head.training))


def _convolution(inside: int, outside: int, size: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inside, outside, size, stride, (size - 1) // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outside), nn.ReLU6())


def learn(network: Network, examples: Examples, num_steps: int, seed: int) -> None:
    """AdamW, warmed up and then along a cosine; an average of the weights is what stays."""
    network.to(memory_format=torch.channels_last).eval()  # ImageNet's means and variances stay
    network.head.train()
    network.features[:FROZEN_BLOCKS].requires_grad_(False)
    groups = [
        {"params": [each for each in network.features.parameters() if each.requires_grad], "lr": RATE},
        {"params": network.head.parameters(), "lr": HEAD_RATE},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.02)
    rates = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min(1, (step + 1) / WARM_STEPS) * (0.505 + 0.495 * math.cos(math.pi * step / num_steps)),
    )
    averages = [each.detach().clone() for each in network.parameters()]
    losses: list[float] = []
    with ThreadPoolExecutor(1) as ahead:
        coming = ahead.submit(examples.batch, seed * num_steps)
        for step in range(1, num_steps + 1):
            batch, coming = coming.result(), ahead.submit(examples.batch, seed * num_steps + step)
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
    with torch.autocast("cpu", torch.bfloat16):
        answers = network(torch.cat([pictures, crops])).float()
    done, seen = answers.split([len(pictures), len(crops)])
    touched = torch.stack(
        [amounts[:, 0] != 0, (amounts[:, 1:3] != 0).any(1), amounts[:, 3] != 0, (amounts[:, 4:] != 0).any(1)],
        1,
    )
    num, logits = len(AMOUNTS), seen[:, -NUM_ASPECTS:]
    whole, spoiled = logits[aspects < 0], logits[aspects >= 0]
    own = spoiled.gather(1, aspects[aspects >= 0, None])
    said = functional.binary_cross_entropy_with_logits
    return (
        functional.smooth_l1_loss(done[:, :num], amounts, beta=0.5)
        + said(done[:, num : num + len(TOUCHES)], touched.float())
        + said(whole, torch.ones_like(whole))
        + said(own, torch.zeros_like(own))
    )


def export(network: Network, out: Path) -> None:
    """As ONNX, its weights in half precision: they are made whole when it is opened."""
    example = torch.zeros(2, SIDE_PX, SIDE_PX, 3, dtype=torch.uint8)
    out.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        network,
        (example,),
        str(out),
        input_names=["pictures"],
        output_names=["answers"],
        dynamic_axes={"pictures": {0: "n"}, "answers": {0: "n"}},
        dynamo=False,
    )
    model = onnx.load(str(out))
    graph, casts, halves = model.graph, [], []
    for weight in list(graph.initializer):
        values = numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < 64:
            continue
        graph.initializer.remove(weight)
        halves.append(numpy_helper.from_array(values.astype(np.float16), f"{weight.name}.half"))
        casts.append(helper.make_node("Cast", [halves[-1].name], [weight.name], to=TensorProto.FLOAT))
    graph.initializer.extend(halves)
    nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend([*casts, *nodes])
    onnx.checker.check_model(model)
    onnx.save(model, str(out))


if __name__ == "__main__":
    main()
