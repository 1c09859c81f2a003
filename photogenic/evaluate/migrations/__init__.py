"""The history of the tables of the review."""
