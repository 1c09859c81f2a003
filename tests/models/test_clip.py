"""A CLIP of our own tokenizer hears a text to its end."""

from __future__ import annotations

import torch

from photogenic.models.clip import build_clip, embed_texts, tokenize, train_tokenizer

WORDS = ("zebra", "red", "apple", "in", "blue", "volcano", "and", "a")


def test_the_last_word_is_heard_whatever_comes_before() -> None:
    """transformers' CLIP with token 2 for its end would pool at the highest id: at the rarest word."""
    tokenizer = train_tokenizer([" ".join(WORDS)] * 3, vocab_size=400, max_length=16)
    torch.manual_seed(0)
    clip = build_clip(
        tokenizer,
        size_px=16,
        patch_size=8,
        hidden_size=16,
        num_attention_heads=2,
        num_text_layers=1,
        num_vision_layers=1,
        projection_dim=8,
    ).eval()
    texts = [f"{first} {last}" for first in WORDS for last in ("red", "blue")]
    with torch.no_grad():
        embeds = embed_texts(clip, *tokenize(tokenizer, texts))
    for red, blue in embeds.split(2)[0:]:
        assert not torch.allclose(red, blue, atol=1e-4)
