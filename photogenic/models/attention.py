"""What a denoiser's attention makes of a fixed prompt: signals of a picture, read off one forward pass.

A pre-trained model is shown a picture with some noise, and a prompt that is the same for all pictures. How
strongly the picture's positions attend to each word, layer by layer, says something of the picture; Alchemist
(arXiv 2505.19297) ranks pictures so. The model is only watched: its own numbers stay as they are to the bit.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from diffusers import DiffusionPipeline, FlowMatchEulerDiscreteScheduler, ModelMixin
from diffusers.models.attention_processor import Attention

from photogenic.core.errors import PhotogenicError
from photogenic.models.families import Condition, denoiser_of, predict, training_scheduler
from photogenic.models.pipeline import size_time_ids

Tensor = torch.Tensor


@contextlib.contextmanager
def watched(denoiser: ModelMixin) -> Iterator[list[Tensor]]:
    """Within it a forward pass appends, layer by layer, how strongly each word was attended to: [B, T].

    Raises:
        PhotogenicError: no layer of the denoiser attends to words in a way that is known.
    """
    layers = [
        module
        for module in denoiser.modules()
        if isinstance(module, Attention) and (module.is_cross_attention or _is_joint(module))
    ]
    if not layers:
        raise PhotogenicError(
            f"A {type(denoiser).__name__} has no layer of cross-attention that can be watched.",
            "Take the base model of another family.",
        )
    seen: list[Tensor] = []

    def note(layer: Attention, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        hidden_states = args[0] if args else kwargs["hidden_states"]
        seen.append(
            word_strengths(
                layer, hidden_states, kwargs["encoder_hidden_states"], kwargs.get("attention_mask")
            )
        )

    hooks = [layer.register_forward_pre_hook(note, with_kwargs=True) for layer in layers]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


@torch.no_grad()
def word_strengths(
    layer: Attention, hidden_states: Tensor, words: Tensor, attention_bias: Tensor | None = None
) -> Tensor:
    """Root mean square, over positions, of the attention that goes to a word; the mean of all heads.

    Attention spread evenly over T words gives 1/T everywhere; a word that has all attention of a share s of
    the positions, and none of the others', gets sqrt(s).

    Args:
        hidden_states: [B, N, C], the picture's positions, as the layer gets them.
        words: [B, T, D], the prompt, as the layer gets it. In layers of joint attention positions attend to
            each other too, and what goes there is missing to the words.
        attention_bias: [B, 1, T] added to the logits, very negative where a word is padding.

    Returns:
        float32 [B, T].
    """
    queries = _heads(layer, layer.to_q(hidden_states), layer.norm_q)
    if _is_joint(layer):
        to_positions = _heads(layer, layer.to_k(hidden_states), layer.norm_k)
        to_words = _heads(layer, layer.add_k_proj(words), layer.norm_added_k)
        keys = torch.cat([to_positions, to_words], dim=2)
    else:
        keys = _heads(layer, layer.to_k(words), layer.norm_k)
    total = torch.zeros(words.shape[:2], device=words.device)
    for head in range(queries.shape[1]):  # one at a time: of all together a large picture's would fill a GPU
        logits = queries[:, head].float() @ keys[:, head].float().transpose(1, 2) * layer.scale
        if attention_bias is not None:
            logits = logits + attention_bias.float()
        attention = logits.softmax(dim=-1)[..., -words.shape[1] :]
        total += attention.square().mean(dim=1).sqrt()
    return total / queries.shape[1]


@torch.no_grad()
def attention_signals(
    pipeline: DiffusionPipeline,
    latents: Tensor,
    prompt: Condition,
    noise: Tensor,
    sizes_px: Sequence[tuple[int, int]],
    noise_level: float,
) -> Tensor:
    """The strengths of all words in all layers, for B pictures at one level of noise.

    Args:
        latents: [B, C, h, w], as `encode_pixels` gives them.
        prompt: one row, the same for all.
        noise: unit noise like `latents`; a picture's own, so that its signals do not depend on the others.
        sizes_px: height and width of the originals.
        noise_level: 0, none, to 1, noise alone: a share of the timesteps or, with flow matching, sigma.

    Returns:
        float32 [B, layers, T], on the CPU; 0 where a word is padding.
    """
    denoiser = denoiser_of(pipeline)
    noisy, timesteps = _noisy(pipeline, latents, noise, noise_level)
    target = tuple(int(side * pipeline.vae_scale_factor) for side in latents.shape[-2:])
    time_ids = torch.stack([size_time_ids(size, (0, 0), (target[0], target[1])) for size in sizes_px])
    condition = prompt.rows(torch.zeros(len(latents), dtype=torch.long)).to(denoiser.device)
    with watched(denoiser) as seen:
        predict(
            denoiser,
            noisy.to(denoiser.device, denoiser.dtype),
            timesteps.to(denoiser.device),
            condition.as_type(denoiser.dtype),
            time_ids.to(denoiser.device, denoiser.dtype),
        )
    return torch.stack(seen, dim=1).cpu()


def _noisy(
    pipeline: DiffusionPipeline, latents: Tensor, noise: Tensor, noise_level: float
) -> tuple[Tensor, Tensor]:
    """Noisy latents, and the timestep of each."""
    schedule = training_scheduler(pipeline)
    num_timesteps = schedule.config.num_train_timesteps
    if isinstance(schedule, FlowMatchEulerDiscreteScheduler):
        timesteps = torch.full((len(latents),), noise_level * num_timesteps)
        return (1.0 - noise_level) * latents + noise_level * noise, timesteps
    timesteps = torch.full((len(latents),), round(noise_level * (num_timesteps - 1)), dtype=torch.long)
    return schedule.add_noise(latents, noise, timesteps), timesteps


def _is_joint(layer: Attention) -> bool:
    """Whether words and positions attend to each other in one softmax, as in Stable Diffusion 3."""
    return getattr(layer, "add_k_proj", None) is not None


def _heads(layer: Attention, projected: Tensor, norm: Any) -> Tensor:
    """[B, N, heads x width] => [B, heads, N, width], normalised where the layer does so."""
    split = projected.unflatten(-1, (layer.heads, -1)).transpose(1, 2)
    return split if norm is None else norm(split)
