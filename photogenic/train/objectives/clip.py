"""The contrastive loss of CLIP (Radford et al. 2021)."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from transformers import CLIPModel, PreTrainedTokenizerFast

from photogenic.core.run import seed_for
from photogenic.models.clip import embed_images, embed_texts, tokenize
from photogenic.train.data import Pictures, to_tensor

Tensor = torch.Tensor

MAX_LOGIT_SCALE = float(
    np.log(100.0)
)  # CLIP, section 2.5: "clipped to prevent scaling the logits by more than 100"
PAD_PX = 4  # random shifts of up to this many pixels


class ClipObjective:
    """Symmetric cross-entropy over the batch; pictures are mirrored and shifted at random.

    Pairs with equal texts are no negatives of one another: the target spreads evenly over them.
    """

    def __init__(
        self,
        clip: CLIPModel,
        tokenizer: PreTrainedTokenizerFast,
        train: Pictures,
        validation: Pictures,
        seed: int,
    ) -> None:
        self.module = clip
        self.train = train
        self.validation = validation
        self.seed = seed
        self.num_samples = len(train)
        self.groups: np.ndarray | None = None
        self.input_ids, self.attention_mask = tokenize(tokenizer, train.texts)
        self.validation_tokens = tokenize(tokenizer, validation.texts) if len(validation) else None

    def losses(
        self, indices: np.ndarray, global_step: int, repeats: np.ndarray | None = None
    ) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(seed_for(self.seed, "clip", global_step))
        device = self.module.device
        pixels = jitter(to_tensor(self.train.rgb[indices]), generator).to(device)
        with torch.no_grad():
            self.module.logit_scale.clamp_(max=MAX_LOGIT_SCALE)
        ids, mask = self.input_ids[indices].to(device), self.attention_mask[indices].to(device)
        images = embed_images(self.module, pixels)
        texts = embed_texts(self.module, ids, mask)
        logits = self.module.logit_scale.exp() * images @ texts.T
        targets = same_text(ids)
        loss = 0.5 * (F.cross_entropy(logits, targets) + F.cross_entropy(logits.T, targets))
        return {"loss": loss}

    def sample_names(self, indices: np.ndarray) -> list[str]:
        return [self.train.sample_ids[i] for i in indices]

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Share of held-out pictures whose own text is among the 5 best of 100, over blocks of 100.

        Empty where nothing is held out.
        """
        if self.validation_tokens is None:
            return {}
        self.module.eval()
        device = self.module.device
        ids, mask = (tokens.to(device) for tokens in self.validation_tokens)
        pictures = self.validation.rgb
        images = torch.cat(
            [
                embed_images(self.module, to_tensor(pictures[i : i + 128]).to(device))
                for i in range(0, len(pictures), 128)
            ]
        )
        texts = embed_texts(self.module, ids, mask)
        self.module.train()
        return {"validation_top5_of_100": top_k_of_blocks(images @ texts.T, k=5, block=100)}


def jitter(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror half of the pictures and shift each by up to PAD_PX pixels on white. [B, 3, H, W] in [-1, 1]."""
    count, _, height, width = pixels.shape
    mirrored = torch.rand(count, generator=generator) < 0.5
    pixels = torch.where(mirrored[:, None, None, None], pixels.flip(-1), pixels)
    padded = F.pad(pixels, [PAD_PX] * 4, value=1.0)
    shifts = torch.randint(0, 2 * PAD_PX + 1, (count, 2), generator=generator).tolist()
    return torch.stack(
        [
            image[:, top : top + height, left : left + width]
            for image, (top, left) in zip(padded, shifts, strict=True)
        ]
    )


def same_text(input_ids: Tensor) -> Tensor:
    """Soft targets [B, B]: each row spreads evenly over the columns with the same tokens."""
    same = (input_ids[:, None] == input_ids[None]).all(dim=-1).float()
    return same / same.sum(dim=1, keepdim=True)


def top_k_of_blocks(similarity: Tensor, k: int, block: int) -> float:
    """Mean over diagonal blocks of how often the diagonal is among the row's k largest; [N, N] in."""
    num_rows = similarity.shape[0]
    block = min(block, num_rows)
    hits = []
    for first in range(0, num_rows - block + 1, block):
        part = similarity[first : first + block, first : first + block]
        rank = (part > part.diagonal()[:, None]).sum(dim=1)
        hits.append((rank < k).float())
    return float(torch.cat(hits).mean())
