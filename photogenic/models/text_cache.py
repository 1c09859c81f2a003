"""What cross-attention makes of the text: the same at every step, so computed once and not at each.

Keys and values of the words depend on the text alone, and the text is one tensor from the first step to the
last. A layer that is asked about that very tensor again answers as before, so that no bit changes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from diffusers import ModelMixin
from diffusers.models.attention_processor import Attention

Tensor = torch.Tensor


@contextlib.contextmanager
def text_projected_once(denoiser: ModelMixin, texts: Sequence[Tensor]) -> Iterator[None]:
    """Within it, keys and values of each of `texts` are computed once; afterwards the denoiser is as it was.

    Where words and positions share their layers, as in Stable Diffusion 3, there is nothing to keep.
    """
    layers = _layers(denoiser)
    before = [vars(layer).get("forward") for layer in layers]
    for layer in layers:
        layer.forward = _remembering(layer.forward, texts)
    try:
        yield
    finally:
        for layer, own in zip(layers, before, strict=True):
            del layer.forward  # the class's own shows again
            if own is not None:
                layer.forward = own


def _layers(denoiser: ModelMixin) -> list[torch.nn.Module]:
    attentions = [one for one in denoiser.modules() if isinstance(one, Attention) and one.is_cross_attention]
    return [layer for one in attentions for layer in (one.to_k, one.to_v) if layer is not None]


def _remembering(forward: Callable[..., Tensor], texts: Sequence[Tensor]) -> Callable[..., Tensor]:
    answers: dict[int, Tensor] = {}  # by place in `texts`

    def answer(states: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        place = next((number for number, text in enumerate(texts) if text is states), None)
        if place is None:
            return forward(states, *args, **kwargs)
        if place not in answers:
            answers[place] = forward(states, *args, **kwargs)
        return answers[place]

    return answer
