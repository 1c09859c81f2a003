"""Texts that nothing chosen may name: a model is judged on prompts of things that it was not tuned on."""

from __future__ import annotations

import re

from photogenic.core.errors import RecipeError
from photogenic.core.prompts import read_prompts
from photogenic.curate.config import HeldOutStep

_BETWEEN_WORDS = re.compile(r"[\W_]+")


def held_out_phrases(step: HeldOutStep) -> list[str]:
    """The prompts that are held out, as lower-case words with one space between.

    Raises:
        RecipeError: the file cannot be read, or none of its prompts is meant.
    """
    meant = [prompt for prompt in read_prompts(step.prompts) if step.challenge in (None, prompt.challenge)]
    phrases = {words_of(prompt.text) for prompt in meant} - {""}
    if not phrases:
        raise RecipeError(f"No prompt of {step.prompts} has the challenge {step.challenge!r}.")
    return sorted(phrases)


def words_of(text: str) -> str:
    """`Cat's-eye, GREEN` -> `cat s eye green`"""
    return _BETWEEN_WORDS.sub(" ", text.lower()).strip()
