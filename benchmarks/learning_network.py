"""The network of `learning_darkroom.py`: an EfficientNet-Lite, and how it becomes and leaves an ONNX file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, compose, helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from photogenic.measures.darkroom import ANSWERS, NETWORKS, POSTURES, SIDE_PX

STAGE_STRIDES = (1, 2, 2, 2, 1, 2, 1)  # a stage begins where the number of channels changes
NORM_EPS = 1e-3
FROZEN_BLOCKS = 5  # edges and colours are seen there as well as can be
FRONT_AT_ONCE = 4  # pictures: what is between the first layers then stays in the caches
LEAST_FACTOR = 1e-4  # of a normalisation: channels that ImageNet's network has switched off
TURNED_PX = 160  # of pictures that are turned by quarters
BY_QUARTERS = tuple(POSTURES.index(each) for each in ("upright", "on_side", "upside_down", "on_side"))
MIDDLE, SPREAD = 127.0, 128.0  # of its pixels
INPUT, OUTPUT = "pictures", "answers"
NAMES = "answers"  # in a file's metadata: what it answers, in order, with commas between
Weights = Mapping[str, Tensor]


class SameConvolution(nn.Conv2d):
    """Padded as TensorFlow pads: of an odd number of pixels one more at the end."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, h, w] => [B, D, ceil(h / stride), ceil(w / stride)]"""
        pads: list[int] = []
        for side, size, stride in zip(x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True):
            pad = max((-(-side // stride) - 1) * stride + size - side, 0)
            pads += [pad // 2, pad - pad // 2]
        return super().forward(functional.pad(x, pads) if any(pads) else x)


class Block(nn.Module):
    """An inverted residual (Sandler et al., 2018, section 3.3): wider, channel by channel, narrow again."""

    def __init__(self, weights: Weights, name: str, stride: int) -> None:
        super().__init__()
        wider = weights.get(f"{name}._expand_conv.weight")
        single, narrow = (weights[f"{name}.{part}_conv.weight"] for part in ("_depthwise", "_project"))
        layers = [_convolution(wider)] if wider is not None else []
        layers += [_convolution(single, stride, len(single)), _convolution(narrow, is_last=True)]
        self.layers = nn.Sequential(*layers)
        self.is_residual = stride == 1 and layers[0][0].in_channels == len(narrow)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, h, w] => [B, D, ceil(h / stride), ceil(w / stride)]"""
        return x + self.layers(x) if self.is_residual else self.layers(x)


class Network(nn.Module):
    """An EfficientNet-Lite (Tan & Le, 2019, without squeeze-and-excitation, ReLU6), with a head for ANSWERS.

    What it is built like, its weights say, named as in the PyPI package efficientnet_lite_pytorch.
    """

    def __init__(self, start: Path) -> None:
        super().__init__()
        weights = torch.load(start, weights_only=True)
        layers: list[nn.Module] = [_convolution(weights["_conv_stem.weight"], 2)]
        outside, stage = 0, -1
        while (narrow := weights.get(f"_blocks.{len(layers) - 1}._project_conv.weight")) is not None:
            begins = len(narrow) != outside
            stage, outside = stage + begins, len(narrow)
            layers.append(Block(weights, f"_blocks.{len(layers) - 1}", STAGE_STRIDES[stage] if begins else 1))
        self.features = nn.Sequential(*layers, _convolution(weights["_conv_head.weight"]))
        theirs = [each for name, each in weights.items() if not name.startswith("_fc.")]
        self.features.load_state_dict(dict(zip(self.features.state_dict(), theirs, strict=True)))
        self.front: Callable[[Tensor], Tensor] | None = None
        self.num_front = 0
        self.names = self.unlearnt = ANSWERS
        self.head = nn.Linear(len(weights["_conv_head.weight"]), len(ANSWERS))
        nn.init.normal_(self.head.weight, 0, 0.01)
        nn.init.zeros_(self.head.bias)

    def forward(self, pictures: Tensor) -> Tensor:
        """[B, H, W, 3], 0-255 => [B, number of ANSWERS]"""
        return self.head(functional.dropout(self.seen(pictures), 0.2, self.head.training))

    def seen(self, pictures: Tensor) -> Tensor:
        """[B, H, W, 3], 0-255 => what the head is given [B, F]"""
        x = (pictures.permute(0, 3, 1, 2).float() - MIDDLE) / SPREAD
        x = self.front(x) if self.front else x
        layers = self.features[self.num_front :]
        return layers(x.contiguous(memory_format=torch.channels_last)).mean((2, 3))

    def freeze(self, num_layers: int, *, run_apart: bool = False) -> None:
        """The first so many stay as they are from now on; apart, ONNX Runtime runs them, which is faster.
        Such a network cannot be exported: freeze it once more without that.
        """
        self.features[:num_layers].requires_grad_(False)
        self.num_front = num_layers if run_apart else 0
        self.front = _session_of(self.features[:num_layers]) if run_apart else None


class AllWays(nn.Module):
    """What a network says of pictures, of their mirror images, and of all of them turned.

    The mean of a picture and its mirror image is more certain than one, and of how far something is turned
    much more: in what a network is mistaken by itself goes the same way in the mirror. And whether it stands
    upright is told by comparison: turned by quarters, one of four has to; fewer pixels are enough to see it.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.register_buffer(
            "signs", torch.tensor([-1.0 if name == "turn" else 1.0 for name in network.names])
        )
        self.first = network.names.index(POSTURES[0]) if POSTURES[0] in network.names else None

    def forward(self, pictures: Tensor) -> Tensor:
        """[B, H, W, 3], 0-255 => [B, number of ANSWERS + 1]"""
        straight, mirrored = self.network(torch.cat([pictures, pictures.flip(2)])).chunk(2)
        answers = (straight + mirrored * self.signs) / 2
        if self.first is not None:
            end = self.first + len(POSTURES)
            postures = self._postures(pictures, answers[:, self.first : end])
            answers = torch.cat([answers[:, : self.first], postures, answers[:, end:]], 1)
        return torch.cat([answers, answers[:, :1].abs()], 1)

    def _postures(self, pictures: Tensor, own: Tensor) -> Tensor:
        """Logarithms of the probabilities of POSTURES [B, 3], by all four quarters together."""
        small = functional.interpolate(
            pictures.permute(0, 3, 1, 2).float(), (TURNED_PX, TURNED_PX), mode="bilinear"
        ).permute(0, 2, 3, 1)
        on_side = small.transpose(1, 2)
        turned = torch.cat([on_side.flip(1), small.flip(1, 2), on_side.flip(2)])
        assert self.first is not None
        answers = self.network(turned)[:, self.first : self.first + len(POSTURES)]
        seen = [each.log_softmax(1) for each in (own, *answers.chunk(3))]
        # If it was turned by so many quarters, it is seen in these postures, one after the other.
        turns = [
            sum(each[:, BY_QUARTERS[(turn + quarter) % 4]] for quarter, each in enumerate(seen))
            for turn in range(4)
        ]
        upright, left, down, right = torch.stack(turns, 1).log_softmax(1).unbind(1)
        return torch.stack([upright, torch.stack([left, right]).logsumexp(0), down], 1)


def _convolution(weight: Tensor, stride: int = 1, groups: int = 1, is_last: bool = False) -> nn.Sequential:
    outside, inside, size = weight.shape[:3]
    convolution = SameConvolution(inside * groups, outside, size, stride, groups=groups, bias=False)
    layers = [convolution, nn.BatchNorm2d(outside, eps=NORM_EPS)]
    return nn.Sequential(*layers) if is_last else nn.Sequential(*layers, nn.ReLU6())


def _session_of(layers: nn.Module) -> Callable[[Tensor], Tensor]:
    """[B, C, h, w] => what they make of it"""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    with TemporaryDirectory() as folder:
        path = f"{folder}/layers.onnx"
        torch.onnx.export(
            layers.eval(),
            (torch.zeros(2, 3, SIDE_PX, SIDE_PX),),
            path,
            input_names=[INPUT],
            dynamic_axes={INPUT: {0: "n"}},
            dynamo=False,
        )
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(x: Tensor) -> Tensor:
        parts = [session.run(None, {INPUT: part.numpy()})[0] for part in x.split(FRONT_AT_ONCE)]
        return torch.from_numpy(np.concatenate(parts))

    return run


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
    model = onnx.load(str(path))
    weights, names = _weights_of(model.graph), _answers_of(model)
    layers = [each for each in network.features.modules() if isinstance(each, nn.Conv2d | nn.BatchNorm2d)]
    num_expected = len(layers) + 2  # a weight and a bias of each convolution and of the head
    if len(weights) != num_expected or len(weights[-1]) != len(names):
        raise SystemExit(
            f"{path} is not one network such as this: another kind, several that were joined, or one of more"
            " than nine aspects that does not say in its metadata what it answers."
        )
    is_fixed = {id(each) for each in network.features[:FROZEN_BLOCKS].modules()}
    with torch.no_grad():
        for number, (convolution, norm) in enumerate(zip(layers[::2], layers[1::2], strict=True)):
            if id(norm) in is_fixed:
                continue
            assert isinstance(norm, nn.BatchNorm2d)
            assert norm.running_mean is not None and norm.running_var is not None
            assert isinstance(convolution, nn.Conv2d)
            weight, bias = weights[2 * number], weights[2 * number + 1]
            spread = torch.sqrt(norm.running_var + norm.eps)
            factors = norm.weight / spread
            factors = torch.where(factors.abs() < LEAST_FACTOR, LEAST_FACTOR, factors)
            norm.weight.copy_(factors * spread)
            norm.bias.copy_(bias + norm.running_mean * factors)
            convolution.weight.copy_(weight / factors.view(-1, 1, 1, 1))
        for name, weight, bias in zip(names, *weights[-2:], strict=True):
            network.head.weight[ANSWERS.index(name)] = weight
            network.head.bias[ANSWERS.index(name)] = bias
    network.unlearnt = tuple(name for name in ANSWERS if name not in names)
    return network


def _answers_of(model: onnx.ModelProto) -> tuple[str, ...]:
    """What it says that it answers, which may be less than ANSWERS; earlier ones, who say nothing, know the
    first of them, up to the ninth aspect.
    """
    told = {each.key: each.value for each in model.metadata_props}
    return tuple(told[NAMES].split(",")) if NAMES in told else ANSWERS[: ANSWERS.index("aspect_9")]


def _weights_of(graph: onnx.GraphProto) -> list[Tensor]:
    """Of each convolution, and then of the head, the weight and the bias, in their order; once, though the
    graph goes through them for each size of pictures.
    """
    named = {each.name: numpy_helper.to_array(each).astype(np.float32) for each in graph.initializer}
    own = {name: name for name in named}
    found: dict[str, Tensor] = {}
    for node in graph.node:
        if node.op_type in ("Cast", "Identity") and node.input[0] in own:
            own[node.output[0]] = own[node.input[0]]
        elif node.op_type in ("Conv", "Gemm"):
            names = [own[name] for name in node.input[1:3]]
            found |= {name: torch.from_numpy(named[name].copy()) for name in names if name not in found}
    return list(found.values())


def export(network: Network, out: Path) -> None:
    """As ONNX, seen in all ways, weights in half precision: they are made whole when it is opened."""
    if network.front:
        raise ValueError("A network is exported as a whole: freeze its layers without running them apart.")
    all_ways = AllWays(network).eval()
    example = torch.zeros(2, SIDE_PX, SIDE_PX, 3, dtype=torch.uint8)
    out.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        all_ways,
        (example,),
        str(out),
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_axes={INPUT: {0: "n"}, OUTPUT: {0: "n"}},
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
    helper.set_model_props(model, {NAMES: ",".join(network.names)})
    _save(model, out)


def join(paths: Sequence[Path], out: Path) -> None:
    """Networks that see the same pictures as one file, their answers one after the other."""
    models = [
        compose.add_prefix(onnx.load(str(path)), f"{name}/", rename_inputs=False)
        for name, path in zip(NETWORKS, paths, strict=True)
    ]
    graphs = [model.graph for model in models]
    for name, graph in zip(NETWORKS, graphs, strict=True):
        for node in graph.node:
            node.input[:] = [INPUT if each == f"{name}/{INPUT}" else each for each in node.input]
    answers = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["n", None])
    joined = helper.make_graph(
        [
            *(node for graph in graphs for node in graph.node),
            helper.make_node("Concat", [graph.output[0].name for graph in graphs], [OUTPUT], axis=1),
        ],
        OUTPUT,
        graphs[0].input,
        [answers],
        [each for graph in graphs for each in graph.initializer],
    )
    _save(helper.make_model(joined, opset_imports=models[0].opset_import), out)


def _save(model: onnx.ModelProto, out: Path) -> None:
    onnx.checker.check_model(model)
    onnx.save(model, str(out))
