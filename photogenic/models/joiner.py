"""The joiner: several text encoders become one sequence for cross-attention (Emu: CLIP with T5)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import nn

Tensor = torch.Tensor

POSITION_STD = 0.02  # the usual initial spread of learned positions (BERT, CLIP's neighbours)


class TextJoiner(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Per encoder a linear map to the cross-attention width, learned positions, LayerNorm; then one sequence.

    The paper conditions on CLIP ViT-L and T5-XXL together and does not say how they are joined; this is ours.

    Args:
        input_dims: width D_i of each encoder's hidden states, in the order in which they are passed.
        max_lengths: learned positions for each encoder; a sequence may be shorter, never longer.
        cross_attention_dim: width C of the joined sequence.
    """

    @register_to_config
    def __init__(
        self,
        input_dims: tuple[int, ...] = (768, 4096),
        max_lengths: tuple[int, ...] = (77, 512),
        cross_attention_dim: int = 2048,
    ) -> None:
        super().__init__()
        if len(input_dims) != len(max_lengths):
            raise ValueError(f"{len(input_dims)} input_dims but {len(max_lengths)} max_lengths")
        self.projections = nn.ModuleList(nn.Linear(width, cross_attention_dim) for width in input_dims)
        self.positions = nn.ParameterList(
            POSITION_STD * torch.randn(length, cross_attention_dim) for length in max_lengths
        )
        self.norms = nn.ModuleList(nn.LayerNorm(cross_attention_dim) for _ in input_dims)

    def forward(
        self, hidden_states: Sequence[Tensor], attention_masks: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Join what the encoders say about the same B prompts.

        Args:
            hidden_states: per encoder [B, L_i, D_i], L_i <= max_lengths[i].
            attention_masks: per encoder [B, L_i]; non-zero where a token counts.

        Returns:
            encoder_hidden_states [B, sum L_i, C] and encoder_attention_mask, bool [B, sum L_i].

        Raises:
            ValueError: the number of encoders, or a length, is not what the configuration says.
        """
        self._check(hidden_states, attention_masks)
        parts = [
            norm(projection(states) + positions[: states.shape[1]])
            for states, projection, positions, norm in zip(
                hidden_states, self.projections, self.positions, self.norms, strict=True
            )
        ]
        return torch.cat(parts, dim=1), torch.cat([mask.bool() for mask in attention_masks], dim=1)

    def _check(self, hidden_states: Sequence[Tensor], attention_masks: Sequence[Tensor]) -> None:
        if not len(hidden_states) == len(attention_masks) == len(self.projections):
            raise ValueError(
                f"the joiner joins {len(self.projections)} encoders, got {len(hidden_states)} hidden states "
                f"and {len(attention_masks)} masks"
            )
        for index, (states, mask) in enumerate(zip(hidden_states, attention_masks, strict=True)):
            if states.shape[:2] != mask.shape:
                raise ValueError(
                    f"encoder {index}: hidden states {tuple(states.shape)}, mask {tuple(mask.shape)}"
                )
            if states.shape[1] > len(self.positions[index]):
                raise ValueError(
                    f"encoder {index}: {states.shape[1]} tokens, "
                    f"but the joiner has {len(self.positions[index])} positions"
                )
