"""Models as diffusers folders, and the only inference there is. Knows nothing of data or stages."""

import logging

# diffusers imports bitsandbytes where that is installed; it then complains of an optional kernel each time.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
