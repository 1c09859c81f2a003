"""Watching attention: closed forms, an independent implementation, and a model that does not notice."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from diffusers.models.attention_processor import Attention

from models import tiny
from photogenic.core.errors import PhotogenicError
from photogenic.models.attention import attention_signals, watched, word_strengths
from photogenic.models.families import denoiser_of, encode_texts, predict

B, POSITIONS, WORDS, WIDTH = 2, 8, 5, 12


def layer(**settings: Any) -> Attention:
    torch.manual_seed(0)
    return Attention(
        **{"query_dim": WIDTH, "cross_attention_dim": WIDTH, "heads": 3, "dim_head": 4} | settings
    )


def states(seed: int, length: int) -> torch.Tensor:
    return torch.randn((B, length, WIDTH), generator=torch.Generator().manual_seed(seed))


def noise_like(latents: torch.Tensor) -> torch.Tensor:
    return torch.randn(latents.shape, generator=torch.Generator().manual_seed(9))


def test_even_attention_gives_each_word_its_share() -> None:
    even = layer()
    torch.nn.init.zeros_(even.to_q.weight)
    strengths = word_strengths(even, states(1, POSITIONS), states(2, WORDS))
    assert torch.allclose(strengths, torch.full((B, WORDS), 1 / WORDS))


def test_padding_gets_nothing_and_the_rest_shares_it() -> None:
    even = layer()
    torch.nn.init.zeros_(even.to_q.weight)
    bias = torch.zeros(B, 1, WORDS)
    bias[1, 0, 3:] = -10_000.0
    strengths = word_strengths(even, states(1, POSITIONS), states(2, WORDS), bias)
    assert torch.allclose(strengths[1], torch.tensor([1 / 3, 1 / 3, 1 / 3, 0.0, 0.0]))
    assert torch.allclose(strengths[0], torch.full((WORDS,), 1 / WORDS))


def test_a_word_with_all_attention_of_a_quarter_of_the_positions_gets_a_half() -> None:
    one = layer(heads=1, dim_head=WIDTH, bias=False)
    for projection in (one.to_q, one.to_k):
        torch.nn.init.eye_(projection.weight)
    words = 100.0 * torch.eye(WIDTH)[:WORDS].expand(B, -1, -1)
    looks_at = torch.tensor([0, 0, 1, 1, 1, 1, 2, 3])  # a quarter of the positions at word 0, half at word 1
    strengths = word_strengths(one, 100.0 * torch.eye(WIDTH)[looks_at].expand(B, -1, -1), words)
    expected = [math.sqrt(0.25), math.sqrt(0.5), math.sqrt(0.125), math.sqrt(0.125), 0.0]
    assert torch.allclose(strengths, torch.tensor(expected).expand(B, -1), atol=1e-6)


def test_as_diffusers_own_scores_have_it() -> None:
    one, pictures, words = layer(), states(1, POSITIONS), states(2, WORDS)
    queries = one.head_to_batch_dim(one.to_q(pictures))
    scores = one.get_attention_scores(queries, one.head_to_batch_dim(one.to_k(words)))
    expected = scores.square().mean(1).sqrt().unflatten(0, (B, one.heads)).mean(1)
    assert torch.allclose(word_strengths(one, pictures, words), expected, atol=1e-6)


def test_in_joint_attention_positions_take_their_part() -> None:
    joint = layer(cross_attention_dim=None, added_kv_proj_dim=WIDTH, context_pre_only=False)
    for projection in (joint.to_q, joint.to_k, joint.add_k_proj):
        torch.nn.init.zeros_(projection.weight)
        if projection.bias is not None:
            torch.nn.init.zeros_(projection.bias)
    strengths = word_strengths(joint, states(1, POSITIONS), states(2, WORDS))
    assert torch.allclose(strengths, torch.full((B, WORDS), 1 / (POSITIONS + WORDS)))


FAMILIES = {
    "emu": (tiny.emu, 4),  # down, middle, twice up
    "stable diffusion": (tiny.sd, 4),
    "xl": (tiny.sdxl, None),
    "3": (tiny.sd3, None),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_can_be_watched_and_does_not_notice(name: str) -> None:
    make, num_layers = FAMILIES[name]
    pipeline = make()
    denoiser, prompt = denoiser_of(pipeline), encode_texts(pipeline, ["bright, sharp, dull"])
    latents = torch.randn((3, denoiser.config.in_channels, 8, 8), generator=torch.Generator().manual_seed(3))
    sizes = [(100, 80)] * 3
    condition = prompt.rows(torch.zeros(3, dtype=torch.long))
    timesteps, time_ids = torch.full((3,), 250), torch.zeros(3, 6)
    with torch.no_grad():
        alone = predict(denoiser, latents, timesteps, condition, time_ids)
        with watched(denoiser) as seen:
            beside = predict(denoiser, latents, timesteps, condition, time_ids)
        before = len(seen)
        predict(denoiser, latents, timesteps, condition, time_ids)
    assert torch.equal(alone, beside)
    assert len(seen) == before  # nobody watches any more

    signals = attention_signals(pipeline, latents, prompt, noise_like(latents), sizes, 0.25)
    assert signals.shape[0] == 3 and signals.shape[2] == prompt.states.shape[1]
    assert num_layers is None or signals.shape[1] == num_layers
    assert torch.isfinite(signals).all() and (signals >= 0).all() and (signals <= 1).all()
    assert not torch.allclose(signals[0], signals[1], rtol=1e-3)  # it depends on the picture
    single = attention_signals(pipeline, latents[1:2], prompt, noise_like(latents)[1:2], sizes[:1], 0.25)
    assert torch.allclose(single[0], signals[1], atol=1e-5)  # and on no other


def test_words_that_are_padding_have_no_strength() -> None:
    pipeline = tiny.emu()
    prompt = encode_texts(pipeline, ["ab", "a longer text"]).rows(torch.tensor([0]))
    latents = torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(3))
    signals = attention_signals(pipeline, latents, prompt, noise_like(latents), [(32, 32)], 0.25)
    assert prompt.mask is not None and not prompt.mask.all()
    assert (signals[0, :, ~prompt.mask[0]] == 0).all()
    assert (signals[0, :, prompt.mask[0]] > 0).all()


def test_without_noise_the_noise_does_not_matter() -> None:
    pipeline = tiny.sd3()
    prompt = encode_texts(pipeline, ["bright"])
    latents = torch.randn((1, denoiser_of(pipeline).config.in_channels, 8, 8))
    first = attention_signals(pipeline, latents, prompt, torch.zeros_like(latents), [(16, 16)], 0.0)
    second = attention_signals(pipeline, latents, prompt, torch.ones_like(latents), [(16, 16)], 0.0)
    assert torch.equal(first, second)


def test_a_network_without_words_is_refused() -> None:
    with pytest.raises(PhotogenicError, match="no layer of cross-attention"), watched(tiny.emu().vae):
        pass
