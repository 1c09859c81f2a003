"""What the U-Net is told about a sample: joined text states, pooled text, size conditioning.

Row N of every table belongs to the empty caption, so caption dropout is an index and not a special case.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from transformers import CLIPTextModelWithProjection, PreTrainedTokenizerFast, T5EncoderModel

from photogenic.models.clip import tokenize
from photogenic.models.families import Condition
from photogenic.models.joiner import TextJoiner

Tensor = torch.Tensor


class TextConditioning(Protocol):
    """Rows of the text table, int64 [B] (N is the empty caption) => Condition."""

    def __call__(self, rows: Tensor) -> Condition: ...


class ClipTexts(NamedTuple):
    """CLIP's frozen view of N texts and the empty one."""

    states: Tensor  # [N + 1, L, D]
    mask: Tensor  # [N + 1, L]
    pooled: Tensor  # [N + 1, P]


@torch.no_grad()
def clip_texts(
    text_encoder: CLIPTextModelWithProjection, tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]
) -> ClipTexts:
    """Run the frozen text tower once over `texts` and the empty caption."""
    ids, mask = tokenize(tokenizer, [*texts, ""])
    states, pooled = [], []
    for first in range(0, len(ids), 256):
        batch = slice(first, first + 256)
        device = text_encoder.device
        output = text_encoder(input_ids=ids[batch].to(device), attention_mask=mask[batch].to(device))
        states.append(output.last_hidden_state.cpu())
        pooled.append(output.text_embeds.cpu())
    return ClipTexts(torch.cat(states), mask, torch.cat(pooled))


class LiveText:
    """CLIP from a table; T5 and joiner run, and learn, at every step."""

    def __init__(
        self,
        clip: ClipTexts,
        t5: T5EncoderModel,
        joiner: TextJoiner,
        tokenizer: PreTrainedTokenizerFast,
        texts: Sequence[str],
    ) -> None:
        self.clip = clip
        self.t5 = t5
        self.joiner = joiner
        self.input_ids, self.attention_mask = tokenize(tokenizer, [*texts, ""])

    def __call__(self, rows: Tensor) -> Condition:
        device = self.t5.device
        ids, mask, clip_mask = (
            table[rows].to(device) for table in (self.input_ids, self.attention_mask, self.clip.mask)
        )
        t5_states = self.t5(input_ids=ids, attention_mask=mask).last_hidden_state
        states, joined_mask = self.joiner([self.clip.states[rows].to(device), t5_states], [clip_mask, mask])
        return Condition(states, joined_mask, self.clip.pooled[rows].to(device))


class CachedText:
    """Everything from a table: in quality-tuning all encoders are frozen."""

    def __init__(self, table: Condition, device: torch.device) -> None:
        self.table = table  # of N + 1 rows, whatever they are stored in
        self.device = device

    def __call__(self, rows: Tensor) -> Condition:
        return self.table.rows(rows).to(self.device).as_type(torch.float32)


def size_conditioning(sizes: np.ndarray, size_px: int) -> Tensor:
    """time_ids [N, 6]: original height and width, crop corner (none), target height and width, pixels.

    An original larger than the target says no more than the target does, so it counts as the target's size:
    only upscaled pictures are marked, and drawing asks for one that was not.
    """
    count = len(sizes)
    corner, target = np.zeros((count, 2)), np.full((count, 2), size_px)
    return torch.from_numpy(np.concatenate([np.minimum(sizes, size_px), corner, target], axis=1)).float()
