"""Find the photogenic needles in your haystack, and quality-tune a text-to-image model on them."""

import logging

__version__ = "0.1.0"

# diffusers imports bitsandbytes where that is installed, which then complains of an optional kernel.
# Here, before any module can import diffusers.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
