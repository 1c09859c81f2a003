"""Averages of any length, made after training (Karras et al. 2024, EDM2, section 3.2 and appendix C).

While training, averages of two lengths are tracked and stored densely. The average of another length, at any
step, is the mixture of the stored ones whose profile comes closest to the wanted one, by least squares.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from torch import nn

from photogenic.core.errors import RunError
from photogenic.train.distributed import current_world
from photogenic.train.ema import PowerEma, gamma_for
from photogenic.train.files import save_tensors
from photogenic.train.profiles import TRACKED
from photogenic.train.sharding import put, whole

__all__ = ["TRACKED", "Mixture", "Profile", "Snapshots", "inner_product", "mix"]

FILE_NAME = re.compile(r"(\d{7})-(0\.\d+)\.safetensors")
SCALES = "scales"  # of each tensor of a file, by the order of their names


@dataclass(frozen=True)
class Profile:
    """The weights that an average gives to the steps behind it: (gamma + 1) t^gamma / end^(gamma + 1)."""

    sigma_rel: float
    end: int  # the step at which the average was taken

    @property
    def gamma(self) -> float:
        return gamma_for(self.sigma_rel)


def inner_product(a: Profile, b: Profile) -> float:
    """The integral of the product of two profiles over all time (EDM2, appendix C).

    With t_a <= t_b it is (g_a + 1) (g_b + 1) / (g_a + g_b + 1) * (t_a / t_b)^g_b / t_b.
    """
    if a.end > b.end:
        a, b = b, a
    height = (a.gamma + 1.0) * (b.gamma + 1.0) / (a.gamma + b.gamma + 1.0)
    return float(height * (a.end / b.end) ** b.gamma / b.end)


@dataclass(frozen=True)
class Mixture:
    """Coefficients of stored averages, and how far their profile is from the wanted one."""

    coefficients: tuple[float, ...]
    relative_error: float  # L2 norm of the difference of profiles over that of the wanted profile


def mix(stored: Sequence[Profile], wanted: Profile) -> Mixture:
    """The mixture of `stored` profiles nearest to `wanted` (EDM2, algorithm 3)."""
    norms = np.sqrt([inner_product(p, p) for p in stored])
    products = np.array([[inner_product(p, q) for q in stored] for p in stored]) / np.outer(norms, norms)
    onto = np.array([inner_product(p, wanted) for p in stored]) / norms
    solution = np.linalg.lstsq(products, onto, rcond=1e-12)[0]
    squared = 1.0 - float(onto @ solution) / inner_product(wanted, wanted)
    return Mixture(tuple((solution / norms).tolist()), float(np.sqrt(max(0.0, squared))))


class Snapshots:
    """Stored averages of a run: per step and length one file, beside the weights it started from.

    A file holds differences to the start in half precision, each tensor divided by its largest value. Tuning
    moves a weight by a thousandth of itself, which half precision of the weight would round away; and what
    the coefficients lack to one falls to the start, where an average that long belongs.
    """

    def __init__(self, folder: Path, parameters: Mapping[str, nn.Parameter], every: int) -> None:
        self.folder = folder
        self.parameters = dict(parameters)
        self.every = every
        self._start = folder / "start.safetensors"

    def begin(self) -> None:
        """Store the weights that training starts from; call before the first step.

        Where weights are split over processes, all of them call it, as they do `save`; one writes.
        """
        weights = {name: whole(p.detach()).cpu() for name, p in self.parameters.items()}
        if current_world().is_main and not self._start.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            _save(weights, self._start)

    def save(self, global_step: int, averages: Sequence[PowerEma]) -> None:
        """Store the averages as they are after `global_step`; after a kill the same bytes again."""
        with safe_open(self._start, framework="pt") as start:
            for ema in averages:
                halves, scales = {}, []
                named = dict(zip(self.parameters, ema.averages, strict=True))
                for name in sorted(named):
                    difference = whole(named[name]).cpu() - start.get_tensor(name)
                    scale = difference.abs().max().clamp_min(torch.finfo(torch.float32).tiny)
                    halves[name] = (difference / scale).half()
                    scales.append(scale)
                path = self.folder / f"{global_step:07d}-{ema.sigma_rel}.safetensors"
                if current_world().is_main:
                    _save({**halves, SCALES: torch.stack(scales)}, path)

    def mixture(self, sigma_rel: float, global_step: int) -> tuple[list[Path], Mixture]:
        """The files up to `global_step`, and how much of each makes the average of that length.

        Raises:
            RunError: nothing was stored up to there.
        """
        found = [(path, match) for path in self._files() if (match := FILE_NAME.fullmatch(path.name))]
        stored = [(path, Profile(float(match[2]), int(match[1]))) for path, match in found]
        stored = [(path, profile) for path, profile in stored if profile.end <= global_step]
        if not stored:
            raise RunError(f"{self.folder} holds no averages up to step {global_step}.", "Train further.")
        mixture = mix([profile for _, profile in stored], Profile(sigma_rel, global_step))
        return [path for path, _ in stored], mixture

    @torch.no_grad()
    def load(self, sigma_rel: float, global_step: int) -> float:
        """Put the average of that length into the parameters; answers the mixture's relative error."""
        paths, mixture = ([], Mixture((), 0.0)) if global_step == 0 else self.mixture(sigma_rel, global_step)
        with ExitStack() as files:
            start = files.enter_context(safe_open(self._start, framework="pt"))
            opened = [files.enter_context(safe_open(path, framework="pt")) for path in paths]
            scales = [file.get_tensor(SCALES) for file in opened]
            for index, name in enumerate(sorted(self.parameters)):
                total = start.get_tensor(name).float()
                for file, scale, coefficient in zip(opened, scales, mixture.coefficients, strict=True):
                    total.add_(file.get_tensor(name).float(), alpha=coefficient * float(scale[index]))
                put(self.parameters[name], total)
        return mixture.relative_error

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*.safetensors"))


def _save(tensors: dict[str, torch.Tensor], path: Path) -> None:
    save_tensors({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
