"""Does a model draw what it is told? A second CLIP, used for nothing else, names what was drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from diffusers import DiffusionPipeline
from transformers import CLIPModel, PreTrainedTokenizerFast

from photogenic.core.run import seed_for
from photogenic.core.statistics import Interval, wilson_interval
from photogenic.models.clip import embed_images, embed_texts, tokenize
from photogenic.models.samplers import DEFAULT_SAMPLER
from photogenic.models.sampling import draw
from photogenic.train.data import to_tensor

NUM_PROMPTS = 200
NUM_CANDIDATES = 100
TOP_K = 5
LEAST_PICTURES = 3  # a text is known when at least so many pictures of the training set carry it


class Naming(NamedTuple):
    """Share of drawn prompts that the judge names among its five best of a hundred (chance: 5 %)."""

    top5_of_100: float
    interval: Interval  # Wilson, 95 %
    num_prompts: int


def known_prompts(texts: Sequence[str], seed: int) -> list[str]:
    """Up to NUM_PROMPTS distinct texts that several pictures of the training set carry, drawn by seed.

    Where no text is carried by several pictures, any will do.
    """
    counts = Counter(texts)
    often = [text for text, count in counts.items() if count >= LEAST_PICTURES]
    return sorted(often or counts, key=lambda text: seed_for(seed, "naming", text))[:NUM_PROMPTS]


def measure_naming(
    pipeline: DiffusionPipeline,
    judge: CLIPModel,
    tokenizer: PreTrainedTokenizerFast,
    prompts: Sequence[str],
    seed: int,
    *,
    guidance_scale: float = 4.0,
    num_inference_steps: int = 20,
) -> Naming:
    """Draw each prompt once and let the judge rank its text among 99 others of `prompts`."""
    seeds = [seed_for(seed, "naming", prompt) for prompt in prompts]
    drawn = draw(
        pipeline,
        prompts,
        seeds,
        guidance_scale=guidance_scale,
        num_inference_steps=num_inference_steps,
        sampler=DEFAULT_SAMPLER,  # whatever the family is usually drawn with: one yardstick for all
    )
    hits = named(np.stack(list(drawn)), prompts, judge, tokenizer, seed)
    num_hits = int(hits.sum())
    return Naming(num_hits / len(prompts), wilson_interval(num_hits, len(prompts)), len(prompts))


@torch.no_grad()
def named(
    rgb: np.ndarray, prompts: Sequence[str], judge: CLIPModel, tokenizer: PreTrainedTokenizerFast, seed: int
) -> np.ndarray:
    """For each uint8 [N, S, S, 3] picture, whether its own text is among the judge's best, bool [N]."""
    judge = judge.eval()
    images = embed_images(judge, to_tensor(rgb))
    texts = embed_texts(judge, *tokenize(tokenizer, prompts))
    similarity = (images @ texts.T).numpy()
    hits = []
    for row, scores in enumerate(similarity):
        others = np.delete(np.arange(len(prompts)), row)
        rivals = np.random.default_rng(seed_for(seed, "rivals", row)).permutation(others)[
            : NUM_CANDIDATES - 1
        ]
        hits.append(int((scores[rivals] > scores[row]).sum()) < TOP_K)
    return np.array(hits)
