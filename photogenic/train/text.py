"""What the U-Net is told about a sample: joined text states, pooled text, size conditioning.

Row N of every table belongs to the empty caption, so caption dropout is an index and not a special case.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch

from photogenic.models.clip import tokenize
from photogenic.models.families import Condition
from photogenic.models.joiner import TextJoiner
from photogenic.models.text_encoders import TextEncoder
from photogenic.train.transfer import onto

Tensor = torch.Tensor

ENCODED_AT_ONCE = 256  # texts


class TextConditioning(Protocol):
    """Rows of the text table, int64 [B] (N is the empty caption) => Condition."""

    def __call__(self, rows: Tensor) -> Condition: ...


class Encoded(NamedTuple):
    """One encoder's view of B texts."""

    states: Tensor  # [B, L, D]
    mask: Tensor  # [B, L]
    pooled: Tensor | None  # [B, P]; only CLIP has it


class Words(Protocol):
    """One encoder's view of rows of the text table."""

    def __call__(self, rows: Tensor) -> Encoded: ...


def encode(encoder: TextEncoder, texts: Sequence[str]) -> Encoded:
    """Run an encoder, where it lies."""
    ids, mask = (part.to(encoder.model.device) for part in tokenize(encoder.tokenizer, texts))
    output = encoder.model(input_ids=ids, attention_mask=mask)
    return Encoded(output.last_hidden_state, mask, getattr(output, "text_embeds", None))


class InlineWords:
    """An encoder that runs when a step wants it, and may learn."""

    def __init__(self, encoder: TextEncoder, texts: Sequence[str]) -> None:
        self.encoder = encoder
        self.texts = texts

    def __call__(self, rows: Tensor) -> Encoded:
        count = len(self.texts)
        return encode(self.encoder, [self.texts[row] if row < count else "" for row in rows.tolist()])


class StoredWords:
    """A frozen encoder's view of all texts and the empty one, made once and kept in memory."""

    @torch.no_grad()
    def __init__(self, encoder: TextEncoder, texts: Sequence[str]) -> None:
        every, states, masks, pooled = [*texts, ""], [], [], []
        for first in range(0, len(every), ENCODED_AT_ONCE):
            part = encode(encoder, every[first : first + ENCODED_AT_ONCE])
            states.append(part.states.cpu())
            masks.append(part.mask.cpu())
            if part.pooled is not None:
                pooled.append(part.pooled.cpu())
        self.table = Encoded(torch.cat(states), torch.cat(masks), torch.cat(pooled) if pooled else None)

    def __call__(self, rows: Tensor) -> Encoded:
        states, mask, pooled = self.table
        return Encoded(states[rows], mask[rows], None if pooled is None else pooled[rows])


def frozen_words(encoder: TextEncoder, texts: Sequence[str], *, inline: bool) -> Words:
    """Of an encoder that does not learn: all made now, or when a step wants them."""
    return InlineWords(encoder, texts) if inline else StoredWords(encoder, texts)


class JoinedText:
    """CLIP's and T5's words through the joiner, which learns."""

    def __init__(self, clip: Words, t5: Words, joiner: TextJoiner) -> None:
        self.clip = clip
        self.t5 = t5
        self.joiner = joiner

    def __call__(self, rows: Tensor) -> Condition:
        device, dtype = self.joiner.device, self.joiner.dtype
        clip, t5 = self.clip(rows), self.t5(rows)
        states, mask = self.joiner(
            [onto(device, words.states).to(dtype) for words in (clip, t5)],
            [onto(device, words.mask) for words in (clip, t5)],
        )
        pooled = None if clip.pooled is None else onto(device, clip.pooled).to(dtype)
        return Condition(states, mask, pooled)


class CachedText:
    """Everything from a table: in quality-tuning all encoders are frozen."""

    def __init__(self, table: Condition, device: torch.device) -> None:
        self.table = table  # of N + 1 rows, whatever they are stored in
        self.device = device

    def __call__(self, rows: Tensor) -> Condition:
        condition = self.table.rows(rows).each(lambda part: onto(self.device, part))
        return condition.as_type(torch.float32)


def size_conditioning(sizes: np.ndarray, size_px: int) -> Tensor:
    """time_ids [N, 6]: original height and width, crop corner (none), target height and width, pixels.

    An original larger than the target says no more than the target does, so it counts as the target's size:
    only upscaled pictures are marked, and drawing asks for one that was not.
    """
    count = len(sizes)
    corner, target = np.zeros((count, 2)), np.full((count, 2), size_px)
    return torch.from_numpy(np.concatenate([np.minimum(sizes, size_px), corner, target], axis=1)).float()
