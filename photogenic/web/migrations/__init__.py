"""The history of the web room's tables."""
