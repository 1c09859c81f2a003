"""How many prompts, raters and votes a hoped-for difference needs."""

from __future__ import annotations

import math

from photogenic.core.errors import PhotogenicError
from photogenic.core.power import majority_win_rate, sign_test_power, untied_prompts_needed
from photogenic.evaluate.config import VotingConfig
from photogenic.evaluate.votes import ANSWERS


def plan(win_rate: float, *, tie_ratio: float = 0.0, power: float = 0.8, alpha: float = 0.05) -> str:
    """A few lines for the terminal.

    Args:
        win_rate: hoped-for share of the prompts won, of those that do not tie after majority.
        tie_ratio: expected share of the prompts that tie.

    Raises:
        PhotogenicError: nothing can be planned with these numbers.
    """
    if not 0 <= tie_ratio < 1:
        raise PhotogenicError(f"A share of ties lies between 0 and 1, not at {tie_ratio:g}.")
    try:
        untied = untied_prompts_needed(win_rate, power=power, alpha=alpha)
    except ValueError as error:
        raise PhotogenicError(f"Nothing can be planned: {error}.") from error
    prompts = math.ceil(untied / (1 - tie_ratio))
    lines = [
        f"To see a win rate of {win_rate:.4g} with a power of {power:.4g} at alpha {alpha:.4g}:",
        f"  {untied:,} prompts that do not tie (the exact sign test then has a power of"
        f" {sign_test_power(untied, win_rate, alpha=alpha):.3f})",
    ]
    if tie_ratio:
        lines.append(f"  {prompts:,} prompts, if {tie_ratio:.0%} of them tie")
    usual = {question: VotingConfig().raters(question) for question in ANSWERS}
    for question, raters in usual.items():
        lines.append(f"  {question}: {raters} raters a pair, {prompts * raters:,} votes")
    lines.append("This is the win rate after majority. Where raters differ only by chance, one rater's")
    lines.append("preference becomes, at most, this of the majority, and needs so many prompts:")
    for question, raters in usual.items():
        lifted = majority_win_rate(win_rate, raters)
        needed = untied_prompts_needed(lifted, power=power, alpha=alpha) if lifted < 1 else 1
        lines.append(f"  {question}: {win_rate:.1%} becomes {lifted:.1%}, {needed:,} prompts that do not tie")
    return "\n".join(lines)
