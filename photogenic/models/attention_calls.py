"""Attention without what is the same at every step, or is done at every call for nothing. No bit changes.

Keys and values of the words depend on the text alone, and the text is one tensor from the first step to the
last: a layer that is asked about that very tensor again answers as before. And `Attention.forward` looks up
the signature of its processor at every call, to drop arguments that it does not know; where there are none,
the processor is asked directly.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from diffusers import ModelMixin
from diffusers.models.attention_processor import Attention

from photogenic.models.compiled import runs_compiled
from photogenic.models.forwards import Forward, forwards_replaced

Tensor = torch.Tensor


@contextlib.contextmanager
def attention_spared(denoiser: ModelMixin, texts: Sequence[Tensor]) -> Iterator[None]:
    """Within it, keys and values of each of `texts` are computed once, and processors are asked directly.

    Where words and positions share their layers, as in Stable Diffusion 3, no keys are kept. A network that
    torch has compiled stays as it is, for it would be compiled anew.
    """
    attentions: list[Any] = [one for one in denoiser.modules() if isinstance(one, Attention)]
    if runs_compiled(denoiser) or any(part._compiled_call_impl for part in denoiser.modules()):
        attentions = []
    crossing = [one for one in attentions if one.is_cross_attention]
    of_words = [layer for one in crossing for layer in (one.to_k, one.to_v) if layer is not None]
    usual = [one for one in attentions if type(one).forward is Attention.forward]
    with (
        forwards_replaced(of_words, lambda _, own: _remembering(own, texts)),
        forwards_replaced(usual, _asking_directly),
    ):
        yield


def _remembering(own: Forward, texts: Sequence[Tensor]) -> Forward:
    answers: dict[int, Tensor] = {}  # by place in `texts`

    def answer(states: Tensor, *args: Any, **kwargs: Any) -> Any:
        place = next((number for number, text in enumerate(texts) if text is states), None)
        if place is None:
            return own(states, *args, **kwargs)
        if place not in answers:
            answers[place] = own(states, *args, **kwargs)
        return answers[place]

    return answer


def _asking_directly(attention: Any, own: Forward) -> Forward:
    def answer(
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        **others: Any,
    ) -> Any:
        told = {"encoder_hidden_states": encoder_hidden_states, "attention_mask": attention_mask}
        if others:
            return own(hidden_states, **told, **others)
        return attention.processor(attention, hidden_states, **told)

    return answer
