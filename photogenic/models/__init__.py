"""Models as diffusers folders, and the only inference there is. Knows nothing of data or stages."""
