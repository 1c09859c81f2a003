"""Photographs that come with two development dependencies."""

from __future__ import annotations

from PIL import Image


def photographs() -> list[Image.Image]:
    """Of scikit-learn and scikit-image, six."""
    import skimage.data
    from sklearn.datasets import load_sample_images

    arrays = [*load_sample_images().images, skimage.data.astronaut(), skimage.data.chelsea()]
    return [Image.fromarray(rgb) for rgb in (*arrays, skimage.data.coffee(), skimage.data.rocket())]
