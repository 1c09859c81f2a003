"""benchmarks/learning_network.py: a small random network goes out to ONNX, back, and beside another."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor

from photogenic.measures.darkroom import ANSWERS, POSTURES, SIDE_PX

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from learning_network import AllWays, Network, SameConvolution, export, gone_on, join, mean_of

STAGES = ((1, 6), (2, 8), (2, 12), (1, 16), (1, 20), (1, 24), (1, 28))  # blocks, channels
NORM = ("weight", "bias", "running_mean", "running_var")


def random_start(path: Path, seed: int) -> Path:
    """A file of weights such as the package's, with few channels and other normalisations each time."""
    torch.manual_seed(seed)
    weights: dict[str, Tensor] = {}

    def add(name: str, norm: str, outside: int, inside: int, size: int = 1) -> None:
        weights[f"{name}.weight"] = torch.randn(outside, inside, size, size) * (inside * size**2) ** -0.5
        for part in NORM:
            weights[f"{norm}.{part}"] = torch.rand(outside) + 0.5
        weights[f"{norm}.num_batches_tracked"] = torch.tensor(0)

    add("_conv_stem", "_bn0", 8, 3, 3)
    inside, number = 8, 0
    for stage, (blocks, outside) in enumerate(STAGES):
        for _ in range(blocks):
            block, wide = f"_blocks.{number}", inside * (6 if stage else 1)
            if stage:
                add(f"{block}._expand_conv", f"{block}._bn0", wide, inside)
            add(f"{block}._depthwise_conv", f"{block}._bn1", wide, 1, 5 if stage % 2 else 3)
            add(f"{block}._project_conv", f"{block}._bn2", outside, wide)
            inside, number = outside, number + 1
    add("_conv_head", "_bn1", 24, inside)
    weights["_fc.weight"] = torch.randn(10, 24)
    torch.save(weights, path)
    return path


def network_of(start: Path, seed: int) -> Network:
    """With a head that says something, and with other weights than it began with."""
    torch.manual_seed(seed)
    network = Network(start).eval()
    for each in network.parameters():
        if each.requires_grad:
            each.data += 0.05 * torch.randn_like(each)
    return network


@pytest.fixture
def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, SIDE_PX, SIDE_PX, 3), dtype=np.uint8)


def asked(path: Path, pictures: np.ndarray) -> np.ndarray:
    (answers,) = onnxruntime.InferenceSession(str(path)).run(None, {"pictures": pictures})
    return np.asarray(answers)


@pytest.mark.filterwarnings("ignore")  # the exporter's, about sizes that are fixed when it looks
def test_a_network_leaves_as_onnx_comes_back_and_stands_beside_another(
    tmp_path: Path, pictures: np.ndarray
) -> None:
    start = random_start(tmp_path / "start.pth", 0)
    network = network_of(start, 1)
    with torch.no_grad():
        said = AllWays(network)(torch.from_numpy(pictures)).numpy()
    export(network, tmp_path / "one.onnx")
    one = asked(tmp_path / "one.onnx", pictures)
    assert one.shape == (3, len(ANSWERS) + 1)
    np.testing.assert_allclose(one, said, atol=0.02 * np.abs(said).max())  # half precision

    fresh = Network(start)
    fresh.features[:5].load_state_dict(network.features[:5].state_dict())  # these never change
    back = gone_on(fresh, tmp_path / "one.onnx").eval()
    with torch.no_grad():
        np.testing.assert_allclose(AllWays(back)(torch.from_numpy(pictures)).numpy(), one, atol=1e-3)

    export(network_of(random_start(tmp_path / "other.pth", 2), 3), tmp_path / "two.onnx")
    join([tmp_path / "one.onnx", tmp_path / "two.onnx"], tmp_path / "both.onnx")
    with pytest.raises(SystemExit, match="several that were joined"):
        gone_on(Network(start), tmp_path / "both.onnx")
    both = asked(tmp_path / "both.onnx", pictures)
    np.testing.assert_allclose(both, np.hstack([one, asked(tmp_path / "two.onnx", pictures)]), atol=1e-4)


@pytest.mark.filterwarnings("ignore")  # the exporter's, about sizes that are fixed when it looks
def test_layers_that_run_apart_say_the_same(tmp_path: Path, pictures: np.ndarray) -> None:
    network = network_of(random_start(tmp_path / "start.pth", 0), 1)
    with torch.no_grad():
        together = network(torch.from_numpy(pictures))
        network.freeze(7, run_apart=True)
        apart = network(torch.from_numpy(np.concatenate([pictures] * 2)))  # more than run at once
    torch.testing.assert_close(apart, torch.cat([together] * 2), rtol=1e-3, atol=1e-3)
    assert not any(each.requires_grad for each in network.features[:7].parameters())
    with pytest.raises(ValueError, match="exported as a whole"):
        export(network, tmp_path / "out.onnx")
    network.freeze(7)
    with torch.no_grad():
        torch.testing.assert_close(network(torch.from_numpy(pictures)), together)


def test_which_way_is_up_is_told_by_all_four_quarters() -> None:
    """A network that knows only bright tops: where the top is dim, the picture turned by a half says more."""

    class BrightTop(torch.nn.Module):
        names = ANSWERS

        def forward(self, pictures: Tensor) -> Tensor:
            half = pictures.shape[1] // 2
            parts = [pictures[:, :half], pictures[:, half:], pictures[:, :, :half], pictures[:, :, half:]]
            top, foot, left, right = (part.float().mean((1, 2, 3)) for part in parts)
            answers = torch.zeros(len(pictures), len(ANSWERS))
            first = ANSWERS.index(POSTURES[0])
            answers[:, first] = (top - foot) / 50
            answers[:, first + 1] = torch.maximum(left, right) / 50 - (top + foot) / 100
            return answers  # it has no idea of what is upside down

    ramp = np.linspace(255, 0, SIDE_PX)[:, None, None] * np.ones((1, SIDE_PX, 3))
    pictures = torch.tensor(np.stack([np.rot90(ramp, quarter) for quarter in range(4)]).astype(np.uint8))
    first = ANSWERS.index(POSTURES[0])
    said = AllWays(BrightTop())(pictures)[:, first : first + len(POSTURES)]
    assert [POSTURES[each] for each in said.argmax(1)] == ["upright", "on_side", "upside_down", "on_side"]
    torch.testing.assert_close(said.exp().sum(1), torch.ones(4))


def test_the_mean_of_networks_is_that_of_their_weights(tmp_path: Path) -> None:
    start = random_start(tmp_path / "start.pth", 0)
    first, second = network_of(start, 1), network_of(start, 2)
    expected = [(a + b).detach() / 2 for a, b in zip(first.parameters(), second.parameters(), strict=True)]
    mean = mean_of([first, second])
    for each, wanted in zip(mean.parameters(), expected, strict=True):
        torch.testing.assert_close(each.detach(), wanted)


def test_convolutions_are_padded_as_tensorflow_pads() -> None:
    """Three taps at every second of eight pixels: the first begins at pixel 0, the last ends one beyond."""
    convolution = SameConvolution(1, 1, 3, 2, bias=False)
    convolution.weight.data.fill_(0)
    convolution.weight.data[0, 0, 0, 0] = 1  # what the upper left tap sees
    row = torch.arange(64.0).reshape(1, 1, 8, 8)
    torch.testing.assert_close(convolution(row), row[:, :, ::2, ::2])


@pytest.mark.filterwarnings("ignore")
def test_an_earlier_one_may_give_fewer_answers(tmp_path: Path, pictures: np.ndarray) -> None:
    """The first nine aspects' network: what it says is said as before, what is new is as it began."""
    start, known = random_start(tmp_path / "start.pth", 0), ANSWERS.index("aspect_9")
    earlier = network_of(start, 1)
    earlier.features[:5].load_state_dict(Network(start).features[:5].state_dict())  # these never change
    with torch.no_grad():
        said = AllWays(earlier)(torch.from_numpy(pictures)).numpy()
    earlier.head.weight.data, earlier.head.bias.data = (
        part.data[:known] for part in (earlier.head.weight, earlier.head.bias)
    )
    earlier.names = ANSWERS[:known]
    export(earlier, tmp_path / "earlier.onnx")
    fresh = Network(start)
    began = fresh.head.weight[known:].detach().clone()
    back = gone_on(fresh, tmp_path / "earlier.onnx").eval()
    torch.testing.assert_close(back.head.weight[known:].detach(), began)
    with torch.no_grad():
        now = AllWays(back)(torch.from_numpy(pictures)).numpy()
    np.testing.assert_allclose(now[:, :known], said[:, :known], atol=0.02 * np.abs(said).max())
