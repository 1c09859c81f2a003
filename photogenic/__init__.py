"""Find the photogenic needles in your haystack, and quality-tune a text-to-image model on them."""

__version__ = "0.1.0"
