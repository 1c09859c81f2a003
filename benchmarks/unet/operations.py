"""Multiplications and additions of a U-Net, by hand: a formula for each layer, from the configuration alone.

A product and the sum that it goes into are two operations. Counted are convolutions, linear layers and the
two products of attention; norms, activations and sums are below one in a hundred, as in all such counts.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

BACKWARD = 2  # gradients of the inputs and of the weights: each as many operations as the forward pass


def training_operations(config: Any, side: int, num_tokens: int) -> int:
    """Of one sample's forward and backward pass; what is computed a second time is not counted twice."""
    return (1 + BACKWARD) * sum(unet_operations(config, side, num_tokens).values())


def unet_operations(config: Any, side: int, num_tokens: int) -> Counter[str]:
    """Of one sample's forward pass, by kind.

    Args:
        config: of diffusers' `UNet2DConditionModel`, with text states and an added embedding.
        side: of the latents, which are square.
        num_tokens: of the text.
    """
    widths, depths = config.block_out_channels, config.transformer_layers_per_block
    levels, text, embedded = len(widths), (num_tokens, config.cross_attention_dim), 4 * widths[0]
    total = _embeddings(config, embedded)
    total += _convolution(config.in_channels, widths[0], side)
    skips, width = [widths[0]], widths[0]

    def step(channels: int, level: int, has_attention: bool) -> None:
        nonlocal total, width
        total += _resnet(channels, widths[level], side >> level, embedded)
        if has_attention:
            total += _transformer(widths[level], depths[level], side >> level, text)
        width = widths[level]

    for level, kind in enumerate(config.down_block_types):
        for _ in range(config.layers_per_block):
            step(width, level, "CrossAttn" in kind)
            skips.append(width)
        if level < levels - 1:
            total += _convolution(width, width, side >> (level + 1))
            skips.append(width)
    step(width, levels - 1, True)
    step(width, levels - 1, False)
    for level, kind in zip(reversed(range(levels)), config.up_block_types, strict=True):
        for _ in range(config.layers_per_block + 1):
            step(width + skips.pop(), level, "CrossAttn" in kind)
        if level > 0:
            total += _convolution(width, width, side >> (level - 1))
    return total + _convolution(width, config.out_channels, side)


def _embeddings(config: Any, embedded: int) -> Counter[str]:
    """Of the timestep, and of size and pooled text."""
    added = config.projection_class_embeddings_input_dim
    return sum(
        (_linear(width, embedded, 1) for width in (config.block_out_channels[0], embedded, added, embedded)),
        Counter(),
    )


def _resnet(channels: int, width: int, side: int, embedded: int) -> Counter[str]:
    """Two convolutions, the timestep's linear layer, and a convolution of one pixel where widths differ."""
    total = _convolution(channels, width, side) + _convolution(width, width, side)
    total += _linear(embedded, width, 1)
    return total + (_convolution(channels, width, side, kernel=1) if channels != width else Counter())


def _transformer(width: int, depth: int, side: int, text: tuple[int, int]) -> Counter[str]:
    """Linear layers before and after; a block has attention to itself, to the text, and a gated layer."""
    positions, (num_tokens, text_width) = side * side, text
    total = _linear(width, width, 2 * positions)
    for _ in range(depth):
        total += _linear(width, width, 4 * positions) + _attention(width, positions, positions)
        total += _linear(width, width, 2 * positions) + _linear(text_width, width, 2 * num_tokens)
        total += _attention(width, positions, num_tokens)
        total += _linear(width, 8 * width, positions) + _linear(4 * width, width, positions)
    return total


def _convolution(channels: int, width: int, side: int, kernel: int = 3) -> Counter[str]:
    """At `side` squared places of the output."""
    return Counter(convolutions=2 * channels * width * kernel * kernel * side * side)


def _linear(channels: int, width: int, rows: int) -> Counter[str]:
    return Counter(linears=2 * channels * width * rows)


def _attention(width: int, queries: int, keys: int) -> Counter[str]:
    """Scores, and the sums that they weigh; over all heads."""
    return Counter(attention=2 * 2 * width * queries * keys)
