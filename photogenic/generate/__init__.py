"""Prompts and weights become pictures."""
