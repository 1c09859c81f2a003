"""Models as diffusers folders, and the only inference there is. Knows nothing of data or stages."""

import logging

# diffusers imports bitsandbytes where it is installed, which then complains at each start of an optional kernel.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
