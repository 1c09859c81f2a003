"""Manifest -> weights: one loop, and objectives that say what is minimised."""
