"""The compiled denoiser: what is compiled and when, what stays as it is, and where a killed run ends."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from nursery import Nursery
from programs import Counting
from pydantic import ValidationError
from safetensors.torch import load_file

from photogenic.core.errors import PhotogenicError
from photogenic.core.run import Run
from photogenic.models import compiled as compiled_module
from photogenic.models.checkpoint import save_pipeline
from photogenic.models.compiled import compiled
from photogenic.models.families import denoiser_of, encode_texts, predict
from photogenic.models.unet import build_unet
from photogenic.train import tune as tune_module
from photogenic.train.config import (
    AutoencoderConfig,
    DiffusionConfig,
    GateConfig,
    LoopConfig,
    OptimizerConfig,
    TuneConfig,
)
from photogenic.train.memory import checkpoint_activations
from photogenic.train.tune import tune

sys.path.insert(0, str(Path(__file__).parent.parent / "models"))
import tiny

WHATS = ("blocks", "whole")


@pytest.fixture(autouse=True)
def forget_programs() -> None:
    torch._dynamo.reset()


def predicted(pipeline: Any, rows: int = 2) -> torch.Tensor:
    denoiser = denoiser_of(pipeline)
    noisy = torch.randn(rows, denoiser.config.in_channels, 8, 8, generator=torch.Generator().manual_seed(1))
    condition = encode_texts(pipeline, ["a cat", "a dog", "a bird"][:rows])
    return predict(denoiser, noisy, torch.arange(rows), condition, torch.full((rows, 6), 32.0))


def gradients(pipeline: Any) -> list[torch.Tensor]:
    predicted(pipeline).square().mean().backward()
    found = [parameter.grad for parameter in denoiser_of(pipeline).parameters() if parameter.grad is not None]
    denoiser_of(pipeline).zero_grad()
    return found


def kept_bytes(pipeline: Any) -> int:
    """What a forward pass keeps for the backward pass, weights not counted."""
    kept: dict[int, int] = {}
    alive: list[torch.Tensor] = []  # so that no address is given twice

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        if not isinstance(tensor, torch.nn.Parameter):
            alive.append(tensor)
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        predicted(pipeline)
    return sum(kept.values())


@pytest.mark.parametrize("what", WHATS)
@pytest.mark.parametrize("make", [tiny.emu, tiny.sd3], ids=["emu", "sd3"])
def test_what_learns_is_compiled_and_what_is_drawn_is_not(make: Any, what: str) -> None:
    pipeline, backend = make(), Counting()
    denoiser = denoiser_of(pipeline).train()
    names, expected = list(denoiser.state_dict()), gradients(pipeline)
    with torch.no_grad():
        drawn = predicted(pipeline, 3)
    with compiled(denoiser, what, backend=backend):
        found = gradients(pipeline)
        programs, calls = backend.programs, backend.calls
        assert 0 < programs <= calls
        if (make, what) == (tiny.emu, "blocks"):
            assert programs < calls  # blocks of one kind and shape share a program
        assert list(denoiser.state_dict()) == names
        with torch.no_grad():
            assert torch.equal(predicted(pipeline, 3), drawn)
        assert backend.calls == calls
        gradients(pipeline)
        assert (backend.programs, backend.calls) == (programs, 2 * calls)
    assert all("forward" not in vars(part) for part in denoiser.modules())
    gradients(pipeline)
    assert backend.calls == 2 * calls
    for a, b in zip(expected, found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("what", WHATS)
def test_activation_checkpoints_compute_the_compiled_blocks_again(what: str) -> None:
    expected = gradients(tiny.emu())
    pipeline, backend = tiny.emu(), Counting()
    with compiled(denoiser_of(pipeline).train(), what, backend=backend):
        kept = kept_bytes(pipeline)
    torch._dynamo.reset()
    checkpoint_activations(denoiser_of(pipeline))
    with compiled(denoiser_of(pipeline), what, backend=backend):
        before = backend.calls
        assert kept_bytes(pipeline) < 0.7 * kept
        forward = backend.calls - before
        found = gradients(pipeline)
    # The blocks' programs run once more in the backward pass; one whole program has that within it.
    assert backend.calls - before - forward > forward or what == "whole"
    for a, b in zip(expected, found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_more_shapes_than_programs_are_an_error_and_not_another_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compiled_module, "MOST_PROGRAMS", 1)
    pipeline = tiny.emu()
    with (
        compiled(denoiser_of(pipeline), "blocks", backend="eager"),
        pytest.raises(PhotogenicError, match="cannot be compiled"),
    ):
        predicted(pipeline)  # its blocks have several widths


def test_what_cannot_be_compiled_is_said_in_a_sentence() -> None:
    def broken(graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> Callable[..., Any]:
        raise RuntimeError("no compiler")

    pipeline = tiny.emu()
    with (
        compiled(denoiser_of(pipeline), "blocks", backend=broken),
        pytest.raises(PhotogenicError, match="no compiler") as stopped,
    ):
        predicted(pipeline)
    assert "leave out `loop.compile`" in stopped.value.fix
    with (
        compiled(denoiser_of(pipeline), "blocks", drawing=True, backend=broken),
        torch.no_grad(),
        pytest.raises(PhotogenicError, match="no compiler") as stopped,
    ):
        predicted(pipeline)
    assert "leave out `compile`" in stopped.value.fix
    with pytest.raises(PhotogenicError, match="has none of the blocks"), compiled(torch.nn.ReLU(), "blocks"):
        pass


def test_what_does_not_go_together_is_refused() -> None:
    loop = {"max_steps": 1, "compile": "blocks"}
    with pytest.raises(ValidationError, match="not tried with `sharded`"):
        LoopConfig(**loop, sharded=True)
    with pytest.raises(ValidationError, match="a program for each shape"):
        DiffusionConfig.model_validate({"aspects": {}, "loop": loop})
    with pytest.raises(ValidationError, match="`compile` is for the denoiser"):
        AutoencoderConfig.model_validate({"loop": loop})


def test_fingerprints_count_it_only_where_it_is_on() -> None:
    plain, on = LoopConfig(max_steps=1), LoopConfig(max_steps=1, compile="blocks")
    assert "compile" not in plain.identity()
    assert on.identity() == plain.identity() | {"compile": "blocks"}


def config(
    what: str | None, changes: dict[str, Any] | None = None, micro_batch_size: int = 4, **loop: Any
) -> TuneConfig:
    return TuneConfig(
        **(changes or {}),
        loop=LoopConfig(
            max_steps=6,
            batch_size=6,
            micro_batch_size=micro_batch_size,  # parts of four and of two: two shapes
            checkpoint_every=2,
            log_every=1,
            compile=what,
            optimizer=OptimizerConfig(learning_rate=1e-3, warmup_steps=2),
            **loop,
        ),
        num_validation=2,
        gate=GateConfig(num_images=1, num_inference_steps=1),
    )


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A pipeline whose U-Net has one level: few programs."""
    pipeline = tiny.emu()
    unet = build_unet(
        latent_channels=4,
        sample_size=8,
        block_out_channels=(32,),
        layers_per_block=1,
        transformer_layers_per_block=(1,),
        attention_head_width=16,
        cross_attention_dim=32,
        addition_time_embed_dim=8,
        pooled_dim=16,
    )
    pipeline.register_modules(unet=unet)
    save_pipeline(pipeline, tmp_path / "base")
    return tmp_path / "base"


def beside(run: Run, folder: Path) -> Run:
    """Another run on the same needles."""
    folder.mkdir()
    for stage in ("pool", "review"):
        (folder / stage).symlink_to(run.folder / stage)
    return Run(folder)


LORA: dict[str, Any] = {"lora": {"rank": 2}}
POST_HOC: dict[str, Any] = {"ema": {"post_hoc": {"lengths": [0.1], "every": 2}}}


@pytest.mark.parametrize(
    ("changes", "loop"),
    [(POST_HOC, {"activation_checkpoints": True}), (LORA, {"precision": "bfloat16"})],
    ids=["averages and activation checkpoints", "LoRA in bfloat16"],
)
def test_a_compiled_tuning_ends_where_the_plain_one_does(
    changes: dict[str, Any],
    loop: dict[str, Any],
    shapes_run: Run,
    base: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tune_module, "compiled", partial(compiled, backend="aot_eager"))
    weights = []
    for what in (None, "blocks"):
        run = beside(shapes_run, tmp_path / str(what))
        tune(config(what, changes, **loop), run, base=base, seed=0)
        last = sorted((run.folder / "tune" / "checkpoints").glob("step-*.safetensors"))[-1]
        weights.append(load_file(last))
    plain, other = weights
    assert plain.keys() == other.keys()
    for name, tensor in plain.items():
        if name.startswith("weights/"):
            torch.testing.assert_close(tensor, other[name], rtol=1e-2, atol=2e-3)


def tuned_compiled(run: str, base: str, what: str) -> None:
    one_shape = config(what, micro_batch_size=3, activation_checkpoints=True)
    tune(one_shape, Run(Path(run)), base=Path(base), seed=0)


@pytest.mark.compiler
@pytest.mark.parametrize("what", WHATS)
def test_a_kill_and_the_same_command_give_the_same_weights(
    what: str, shapes_run: Run, base: Path, tmp_path: Path, nursery: Nursery
) -> None:
    """With torch's own compiler; the undisturbed run finds no program that the other has made."""
    other = beside(shapes_run, tmp_path / "undisturbed")

    def start(run: Run, cache: str) -> Any:
        caches = {"TORCHINDUCTOR_CACHE_DIR": str(tmp_path / cache)}
        return nursery.start("test_compiled:tuned_compiled", run.folder, base, what, env=caches)

    process, checkpoints = start(shapes_run, "first"), shapes_run.folder / "tune" / "checkpoints"
    while process.poll() is None and not (checkpoints / "step-0000002.safetensors").exists():
        time.sleep(0.002)
    assert process.kill() == -signal.SIGKILL  # it was alive until then
    for run, cache in ((shapes_run, "first"), (other, "second")):
        last = start(run, cache)
        assert last.wait() == 0, last.said()
    ends = [run.folder / "tune" / "checkpoints" / "step-0000006.safetensors" for run in (shapes_run, other)]
    state, same = (load_file(path) for path in ends)
    assert state.keys() == same.keys()
    assert not any("_orig_mod" in name for name in state)
    assert all(torch.equal(state[name], same[name]) for name in state)
    model = load_file(other.folder / "tune" / "model" / "unet" / "diffusion_pytorch_model.safetensors")
    assert not any("_orig_mod" in name for name in model)
