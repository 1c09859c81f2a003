"""Averages made after training against averages that were tracked, and against closed forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from photogenic.core.errors import RunError
from photogenic.train.ema import PowerEma
from photogenic.train.post_hoc import TRACKED, Profile, Snapshots, inner_product, mix

STEPS = 1000


def sampled(profile: Profile, last: int = STEPS, finer: int = 50) -> np.ndarray:
    """The profile on a fine grid of times, by its definition."""
    times = (np.arange(last * finer) + 0.5) / finer
    inside = times <= profile.end
    return inside * (profile.gamma + 1) * times**profile.gamma / profile.end ** (profile.gamma + 1)


@pytest.mark.parametrize("a", [Profile(0.05, 700), Profile(0.1, 1000)])
@pytest.mark.parametrize("b", [Profile(0.05, 700), Profile(0.2, 300)])
def test_inner_product_is_the_integral(a: Profile, b: Profile) -> None:
    integral = float((sampled(a) * sampled(b)).sum() / 50)
    assert inner_product(a, b) == pytest.approx(integral, rel=1e-3)
    assert inner_product(a, b) == inner_product(b, a)


def test_a_stored_profile_is_its_own_mixture() -> None:
    stored = [Profile(length, end) for end in range(100, 1001, 100) for length in TRACKED]
    mixture = mix(stored, Profile(0.1, 600))
    expected = [1.0 if profile == Profile(0.1, 600) else 0.0 for profile in stored]
    np.testing.assert_allclose(mixture.coefficients, expected, atol=1e-6)
    assert mixture.relative_error < 1e-4


def test_relative_error_is_that_of_the_profiles() -> None:
    stored = [Profile(length, end) for end in range(250, 1001, 250) for length in TRACKED]
    wanted = Profile(0.2, 1000)
    mixture = mix(stored, wanted)
    mixed = sum(c * sampled(p) for c, p in zip(mixture.coefficients, stored, strict=True))
    error = np.linalg.norm(mixed - sampled(wanted)) / np.linalg.norm(sampled(wanted))
    assert mixture.relative_error == pytest.approx(float(error), rel=1e-2)
    assert 0.02 < error < 0.5


def walk(folder: Path, lengths: tuple[float, ...]) -> tuple[Snapshots, list[PowerEma], nn.Parameter]:
    """A parameter that drifts and shakes for a thousand steps, averaged on the way."""
    generator = torch.Generator().manual_seed(0)
    parameter = nn.Parameter(torch.randn(200, generator=generator))
    snapshots = Snapshots(folder, {"weight": parameter}, every=50)
    snapshots.begin()
    tracked = [PowerEma([parameter], length) for length in (*TRACKED, *lengths)]
    for step in range(1, STEPS + 1):
        parameter.data.add_(0.002 * torch.randn(200, generator=generator) + 0.0005)
        for ema in tracked:
            ema.update([parameter], step)
        if step % snapshots.every == 0:
            snapshots.save(step, tracked[: len(TRACKED)])
    return snapshots, tracked[len(TRACKED) :], parameter


def test_any_length_comes_close_to_the_average_that_was_tracked(tmp_path: Path) -> None:
    lengths = (0.04, 0.07, 0.13, 0.2)
    snapshots, tracked, parameter = walk(tmp_path, lengths)
    last = parameter.detach().clone()
    for length, ema in zip(lengths, tracked, strict=True):
        assert snapshots.load(length, STEPS) < 0.02
        from_tracked = float((parameter.detach() - ema.averages[0]).norm())
        assert from_tracked < 0.02 * float((last - ema.averages[0]).norm())


def test_an_earlier_step_uses_nothing_that_came_after(tmp_path: Path) -> None:
    snapshots, _, parameter = walk(tmp_path, ())
    snapshots.load(0.07, 500)
    before = parameter.detach().clone()
    for path in tmp_path.glob("*.safetensors"):
        if path.name[:7].isdecimal() and int(path.name[:7]) > 500:
            path.unlink()
    snapshots.load(0.07, 500)
    assert torch.equal(parameter.detach(), before)
    with pytest.raises(RunError, match="no averages up to step 20"):
        snapshots.load(0.07, 20)


def test_a_snapshot_takes_two_bytes_a_weight(tmp_path: Path) -> None:
    parameter = nn.Parameter(torch.randn(100_000))
    snapshots = Snapshots(tmp_path, {"weight": parameter}, every=1)
    snapshots.begin()
    ema = PowerEma([parameter], 0.1)
    parameter.data.add_(1e-5)
    ema.update([parameter], 1)
    snapshots.save(1, [ema])
    (path,) = tmp_path.glob("0000001-*.safetensors")
    assert path.stat().st_size < 2.02 * 100_000
    # A move of a hundred-thousandth survives, which half precision of the weight itself would lose.
    start = parameter.detach() - 1e-5
    snapshots.load(0.1, 1)
    torch.testing.assert_close(parameter.detach() - start, torch.full((100_000,), 1e-5), rtol=0.02, atol=2e-7)
