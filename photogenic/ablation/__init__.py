"""Ablations: the same base tuned in several ways, the same prompts drawn, one table with intervals."""
