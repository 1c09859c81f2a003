"""The U-Net of recipes/emu.yaml in training: what each lever gives, and whether a whole step fits 80 GB.

    python benchmarks/full_size.py            on a GPU: 2.8 B weights, latents of 512 px
    python benchmarks/full_size.py --tiny     the same code with a tiny U-Net, on any machine, in seconds

Weights, latents and texts are random; all else is the project's own: objective, noise, loss, loop, optimizer
and averages. Levers are switched on one by one, each row keeping those before it. A row is printed as
soon as it is measured, and none is begun after `--budget-s`. Utilisation is operations that the model needs /
(time * peak): what activation checkpoints compute a second time counts as time and not as work.

At the end a whole step of quality-tuning, with the frozen encoders' memory and the averages of the recipe, in
an allocator that is held to 80 GB, beside what the preflight estimates.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from unet.steps import Levers, Row, measured, rows_of, steps_of
from unet.subject import Subject, count, subject_of

from photogenic.core.errors import PhotogenicError
from photogenic.train.activations import kept_bytes
from photogenic.train.config import LoopConfig
from photogenic.train.footprint import Trained, as_table, footprint, switches_that_fit
from photogenic.train.post_hoc import TRACKED, Snapshots

GOAL = 0.40  # share of the peak
CARD_BYTES = 80 * 10**9
COLUMNS = (
    "| levers | ms a step | pictures/s | of the peak | memory, GiB | first step, s |\n"
    "|---|---:|---:|---:|---:|---:|"
)
NUM_AVERAGES = len(TRACKED)  # as the recipe tunes: lengths are chosen after training
SWITCHES = ("loop.offload_ema=true", "loop.activation_checkpoints=true")
# Operations a second in bfloat16 without sparsity, from data sheets, by a part of the device's name.
PEAKS = {
    "H100 PCIe": 756e12,
    "H100 NVL": 835e12,
    "H100": 989e12,
    "H200": 989e12,
    "GH200": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "4090": 165e12,
}


def main() -> None:
    options = parse()
    device = torch.device("cpu" if options.tiny else "cuda")
    until, peak = time.monotonic() + options.budget_s, peak_of(device, options.peak_tflops)
    subject = subject_of(options.tiny, options.compiler, device)
    operations = count(subject)
    record: dict[str, Any] = {
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "torch": torch.__version__,
        "peak": peak,
        "operations": operations,
        "batch_size": options.batch_size,
    }
    rows: list[Row] = []

    def measure(levers: Levers) -> None:
        if time.monotonic() > until:
            print(f"Not measured, for time is over: `{levers.name}`", flush=True)
            return
        row = measured(subject, levers, options.batch_size, options.steps, operations["by_hand"], peak)
        print(line(row), flush=True)
        rows.append(row)
        record["rows"] = [asdict(row) for row in rows]
        keep(record, options.json)

    print(table_head(options, peak), flush=True)
    *quick, longest = rows_of(options.micro_batch_size, options.large_micro_batch_size)
    for levers in quick:
        measure(levers)
    if time.monotonic() <= until:
        record["whole_step"] = whole_step(subject, options)
        keep(record, options.json)
    print(f"\nOne program for all of it, which takes the longest to make:\n\n{COLUMNS}", flush=True)
    measure(longest)
    conclude(rows)


def keep(record: dict[str, Any], path: Path | None) -> None:
    """All figures so far."""
    if path is not None:
        path.write_text(json.dumps(record, indent=1), encoding="utf-8")


def table_head(options: argparse.Namespace, peak: float | None) -> str:
    known = "not known" if peak is None else f"{peak / 1e12:.0f} TFLOP/s"
    return (
        f"\nSteps of {options.batch_size} pictures, in parts of {options.micro_batch_size} unless said"
        f" otherwise; {options.steps} steps after a first one; the peak is {known}.\n\n{COLUMNS}"
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tiny", action="store_true", help="a tiny U-Net on the CPU")
    parser.add_argument("--steps", type=int, default=3, help="measured steps of each row")
    parser.add_argument("--batch-size", type=int, help="pictures a step; 32, tiny: 4")
    parser.add_argument("--micro-batch-size", type=int, help="pictures a forward pass; 8, tiny: 2")
    parser.add_argument("--large-micro-batch-size", type=int, help="of the last rows; 32, tiny: 4")
    parser.add_argument("--peak-tflops", type=float, help="of the device in bfloat16, where it is not known")
    parser.add_argument("--compiler", help="backend of torch.compile; inductor, tiny: eager")
    parser.add_argument("--budget-s", type=float, default=480.0, help="no row is begun after so many seconds")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    options = parser.parse_args()
    if not options.tiny and not torch.cuda.is_available():
        print("There is no GPU here: a tiny U-Net on the CPU shows that the code runs, and not how fast.")
        options.tiny = True
    usual = (4, 2, 4, "eager") if options.tiny else (32, 8, 32, "inductor")
    names = ("batch_size", "micro_batch_size", "large_micro_batch_size", "compiler")
    for name, value in zip(names, usual, strict=True):
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


def whole_step(subject: Subject, options: argparse.Namespace) -> dict[str, Any]:
    """Quality-tuning as the recipe has it, with the switches that the preflight would name for 80 GB."""
    unet, micro = subject.unet, options.micro_batch_size
    changes = {"micro_batch_size": micro} | ({"batch_size": options.batch_size} if options.tiny else {})
    loop = subject.loop.model_copy(update=changes)
    config = {**unet.config, "_class_name": type(unet).__name__}
    kept = kept_bytes(config, batch_size=1, num_tokens=subject.num_tokens, precision=loop.precision)
    numbers = sum(parameter.numel() for parameter in unet.parameters())
    trained = Trained(numbers, subject.frozen, 0, micro * kept)
    needs, keys = footprint(trained, loop, NUM_AVERAGES), tuple[str, ...]()
    if needs.total > CARD_BYTES:
        found = switches_that_fit(trained, loop, CARD_BYTES, num_averages=NUM_AVERAGES)
        keys, needs = ((), needs) if found is None else (found.keys, found.footprint)
    loop = loop.model_copy(update={key.split(".")[1].split("=")[0]: True for key in keys if key in SWITCHES})
    print(
        f"\nA whole step: batch {loop.batch_size} in parts of {micro}, {NUM_AVERAGES} averages, frozen"
        " encoders beside it, in 80 GB."
    )
    switched = ", ".join(key if key in SWITCHES else f"{key} (not applied here)" for key in keys) or "none"
    print(
        f"Switches of the preflight: {switched}; it estimates {gib(needs.total)} GiB: {as_table(needs)}",
        flush=True,
    )
    variants = {"eager": loop, "compile: blocks": loop.model_copy(update={"compile": "blocks"})}
    if loop.offload_ema:  # by default at every tenth step; with and without is measured here
        variants = {name: variant.model_copy(update={"ema_every": 1}) for name, variant in variants.items()}
        seldom = {"compile": "blocks", "ema_every": 10**6}
        variants["compile: blocks, a step without averages"] = loop.model_copy(update=seldom)
    answers = {}
    for name, variant in variants.items():
        answers[name] = in_80_gb(subject, variant, options.steps)
        print(f"{name}: {answers[name]}", flush=True)
    return {"switches": keys, "estimate": asdict(needs) | {"total": needs.total}, "measured": answers}


def in_80_gb(subject: Subject, loop: LoopConfig, steps: int) -> str:
    """Time and memory of some steps, or why there were none."""
    device = subject.unet.device
    frozen = torch.empty(subject.frozen, dtype=torch.bfloat16, device=device)
    averages = Snapshots(Path("averages"), {}, 10**9)  # two lengths are tracked; nothing is written
    try:
        with memory_of_the_card(device):
            first, seconds, used = steps_of(
                subject, loop, Levers("", channels_last=True, fused=True), steps, averages
            )
    except (torch.OutOfMemoryError, PhotogenicError) as error:
        return "does not fit" if isinstance(error, torch.OutOfMemoryError) else str(error).splitlines()[0]
    finally:
        del frozen
    return f"{1000 * seconds:.0f} ms a step (the first {first:.0f} s), peak {gib(used)} GiB"


@contextlib.contextmanager
def memory_of_the_card(device: torch.device) -> Iterator[None]:
    """Within it, a larger GPU hands out 80 GB and no more."""
    if device.type != "cuda":
        yield
        return
    total = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, CARD_BYTES / total))
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def peak_of(device: torch.device, tflops: float | None) -> float | None:
    """Operations a second that the device could do in bfloat16, or None where that is not known."""
    if tflops is not None:
        return tflops * 1e12
    name = torch.cuda.get_device_name() if device.type == "cuda" else ""
    return next((peak for part, peak in PEAKS.items() if part in name), None)


def line(row: Row) -> str:
    if row.failed:
        return f"| {row.name} | {row.failed} | | | | |"
    used = gib(row.peak_bytes) if row.peak_bytes else ""
    share = "" if row.utilisation is None else f"{row.utilisation:.1%}"
    figures = f"{row.milliseconds:.0f} | {row.pictures_per_s:.1f} | {share} | {used} | {row.first_step_s:.0f}"
    return f"| {row.name} | {figures} |"


def conclude(rows: list[Row]) -> None:
    """The fastest row, against the goal."""
    done = [row for row in rows if not row.failed]
    if not done:
        return
    best = max(done, key=lambda row: row.pictures_per_s)
    print(
        f"\nFastest: `{best.name}`, {best.pictures_per_s / done[0].pictures_per_s:.1f} times the first row."
    )
    if best.utilisation is not None:
        verdict = "met" if best.utilisation >= GOAL else "missed"
        print(f"{best.utilisation:.1%} of the peak; the goal of {GOAL:.0%} is {verdict}.", flush=True)


def gib(count: int) -> str:
    return f"{count / 2**30:.1f}"


if __name__ == "__main__":
    main()
