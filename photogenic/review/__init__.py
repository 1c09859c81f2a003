"""Candidates -> needles with captions."""
