"""Learn `photogenic/weights/darkroom.onnx`: what was done to a photograph, and in which aspects it fails.

    python benchmarks/learning_darkroom.py FOLDER... --start WEIGHTS --half 0 --out FIRST.onnx
    python benchmarks/learning_darkroom.py FOLDER... --start WEIGHTS --half 1 --out SECOND.onnx
    python benchmarks/learning_darkroom.py ... --go-on EARLIER.onnx       from what an earlier one has learnt
    python benchmarks/learning_darkroom.py --start WEIGHTS --mean-of FIRST.onnx SECOND.onnx --out FILE.onnx

WEIGHTS are MobileNetV2's for ImageNet as torchvision publishes them (mobilenet_v2-b0353104.pth, BSD). Half
of each batch are photographs turned, tinted, faded and so on by known amounts, drawn anew each time; the
other half crops that were spoiled (`examples.py`), for the nine aspects. Two networks of half the sources
each let a forest learn from answers about photographs that its network has not seen. Networks that began as
one are joined by the mean of their weights (Wortsman et al., 2022); one named twice counts twice.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import onnx
import torch
from examples import ASPECTS, INTACT, Examples, add_options, half_of, paths_of, taken
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from photogenic.measures.darkroom import AMOUNTS, ANSWERS, NUM_ASPECTS, SIDE_PX, TOUCHES

PER_HALF_BATCH, INTACT_PER_BATCH = 16, 4
FROZEN_BLOCKS = 5  # edges and colours are seen there as well as can be
RATE, HEAD_RATE, WARM_STEPS = 1e-4, 1e-3, 40
LEAST_FACTOR = 1e-4  # of a normalisation: channels that ImageNet's network has switched off
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
    add_options(parser)
    parser.add_argument("--start", type=Path, required=True)
    parser.add_argument("--go-on", type=Path, metavar="EARLIER.onnx")
    parser.add_argument("--half", type=int, choices=(0, 1))
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--mean-of", type=Path, nargs="+", metavar="FILE.onnx")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    if options.mean_of:
        export(mean_of([gone_on(Network(options.start), path) for path in options.mean_of]), options.out)
        return
    torch.manual_seed(options.seed)
    network = Network(options.start)
    if options.go_on:
        gone_on(network, options.go_on)
    paths = [path for path in paths_of(options) if options.half in (None, half_of(path.stem))]
    lesson = Lesson(taken(options, paths))
    print(f"{len(lesson.photographs)} photographs, {len(lesson.crops)} crops", flush=True)
    learn(network, lesson, options.steps, options.seed)
    export(network, options.out)


# ---- what it learns from


class Lesson:
    """Photographs, and crops [N, SIDE_PX, SIDE_PX, 3] with the aspect in which each fails [N]; -1 in none."""

    def __init__(self, examples: Sequence[Examples]) -> None:
        aspects = {kind: number for number, kinds in enumerate(ASPECTS.values()) for kind in kinds}
        aspects[INTACT] = -1
        self.photographs: list[Pictures] = [each.photograph for each in examples]
        self.crops: Pictures = np.concatenate([each.crops for each in examples])
        self.aspects = np.array([aspects[kind] for each in examples for kind in each.kinds.tolist()])

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
    """MobileNetV2, its weights named as torchvision names them, with a head for ANSWERS."""

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
        self.head = nn.Linear(1280, len(ANSWERS))
        nn.init.normal_(self.head.weight, 0, 0.01)
        nn.init.zeros_(self.head.bias)
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("spread", torch.tensor(SPREAD).view(1, 3, 1, 1), persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        """[B, H, W, 3], 0-255 => [B, number of ANSWERS]"""
        x = pictures.permute(0, 3, 1, 2).float() / 255
        x = ((x - self.mean) / self.spread).contiguous(memory_format=torch.channels_last)
        x = self.features(x).float().mean((2, 3))
        return self.head(functional.dropout(x, 0.2, self.head.training))


class Mirrored(nn.Module):
    """What a network says of pictures and of their mirror images, taken together.

    The mean of both is more certain than one, and of how far something is turned much more: in what a network
    is mistaken by itself goes the same way in the mirror.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("signs", torch.tensor([-1.0 if name == "turn" else 1.0 for name in ANSWERS]))

    def forward(self, pictures: Tensor) -> Tensor:
        """[B, H, W, 3], 0-255 => [B, number of DARKROOM_COLUMNS]"""
        straight, mirrored = self.network(torch.cat([pictures, pictures.flip(2)])).chunk(2)
        answers = (straight + mirrored * self.signs) / 2
        return torch.cat([answers, answers[:, :1].abs()], 1)


def mean_of(networks: Sequence[Network]) -> Network:
    """The first, with the mean of all weights."""
    for same in zip(*(network.parameters() for network in networks), strict=True):
        same[0].data.copy_(torch.stack([each.data for each in same]).mean(0))
    return networks[0]


def gone_on(network: Network, path: Path) -> Network:
    """With the weights of an exported one, except in the blocks that never change.

    There each normalisation is part of the convolution before it; here it is taken out again, by what
    ImageNet's does, so that learning goes on in the scales in which it began.
    """
    weights = _exported_weights(path)
    layers = [each for each in network.features.modules() if isinstance(each, nn.Conv2d | nn.BatchNorm2d)]
    is_fixed = {id(each) for each in network.features[:FROZEN_BLOCKS].modules()}
    with torch.no_grad():
        for number, (convolution, norm) in enumerate(zip(layers[::2], layers[1::2], strict=True)):
            if id(norm) in is_fixed:
                continue
            weight, bias = weights[2 * number], weights[2 * number + 1]
            spread = torch.sqrt(norm.running_var + norm.eps)
            factors = norm.weight / spread
            factors = torch.where(factors.abs() < LEAST_FACTOR, LEAST_FACTOR, factors)
            norm.weight.copy_(factors * spread)
            norm.bias.copy_(bias + norm.running_mean * factors)
            convolution.weight.copy_(weight / factors.view(-1, 1, 1, 1))
        network.head.weight.copy_(weights[-2])
        network.head.bias.copy_(weights[-1])
    return network


def _exported_weights(path: Path) -> list[Tensor]:
    """Of each convolution, and then of the head, the weight and the bias, in their order."""
    graph = onnx.load(str(path)).graph
    named = {each.name: numpy_helper.to_array(each).astype(np.float32) for each in graph.initializer}
    named |= {
        node.output[0]: named[node.input[0]]
        for node in graph.node
        if node.op_type == "Cast" and node.input[0] in named
    }
    layers = [node for node in graph.node if node.op_type in ("Conv", "Gemm")]
    return [torch.from_numpy(named[name].copy()) for node in layers for name in node.input[1:3]]


def _convolution(inside: int, outside: int, size: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inside, outside, size, stride, (size - 1) // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outside), nn.ReLU6())


def learn(network: Network, lesson: Lesson, num_steps: int, seed: int) -> None:
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
    """As ONNX, with its mirror image, weights in half precision: they are made whole when it is opened."""
    both_ways = Mirrored(network).eval()
    example = torch.zeros(2, SIDE_PX, SIDE_PX, 3, dtype=torch.uint8)
    out.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        both_ways,
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
