"""Haystack -> candidates: index a pool, score it, decide, and say why."""
