"""The pool's pictures as latents of one resolution, by aspect buckets; made ahead, or when a step wants them.

Bytes are read by offset from the sources of the pool, so a stage of training in growing resolutions keeps no
picture of its own. Made ahead, latents of all pictures lie in memory in half precision. A picture that has a
sound header and broken pixels is found when it is wanted: it is named in RUN/log.txt, and counts nothing in
the denoiser's losses, in training and validation. (Autoencoder and CLIP see a white square in its place.)
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch

from photogenic.core.console import progress
from photogenic.models.autoencoder import FourierAutoencoderKL
from photogenic.train.aspects import Shape, accounting, bucket_shapes, fit, fit_all, nearest_shapes, time_ids
from photogenic.train.config import AspectConfig
from photogenic.train.data import DECODE_MARGIN, to_tensor
from photogenic.train.haystack import Haystack

Tensor = torch.Tensor


class AspectLatents:
    """All readable pictures of the haystack at about `size_px` ^ 2 pixels each."""

    def __init__(
        self,
        autoencoder: FourierAutoencoderKL,
        haystack: Haystack,
        size_px: int,
        aspects: AspectConfig | None,
        *,
        ahead: bool,
    ) -> None:
        sizes = haystack.pictures.sizes.astype(np.float64)
        self.autoencoder = autoencoder
        self.haystack = haystack
        self.shapes = bucket_shapes(size_px, aspects)
        self.groups: np.ndarray | None = nearest_shapes(sizes, self.shapes)
        self.buckets: np.ndarray = self.groups
        self.accounting = accounting(sizes, self.buckets, self.shapes)
        self.time_ids = torch.from_numpy(time_ids(sizes, fit_all(sizes, self.buckets, self.shapes)))
        self.sample_ids = haystack.pictures.sample_ids
        self.ahead = ahead

    def __len__(self) -> int:
        return len(self.sample_ids)

    def shape(self, row: int) -> tuple[int, int, int]:
        """Of a picture's latents, [C, h, w]."""
        shape, f = self._shape(row), self.autoencoder.downscaling
        return int(self.autoencoder.config.latent_channels), shape.height // f, shape.width // f

    def at(self, rows: Tensor) -> Tensor:
        """Normalised latents of pictures of one bucket, float32 [B, C, h, w]."""
        if self.ahead:
            return torch.stack([self._made[int(row)] for row in rows]).float()
        return self._encode([int(row) for row in rows])

    @cached_property
    def _made(self) -> list[Tensor]:
        """Of all pictures; one at a time, so that they do not depend on which others are there."""
        made = []
        with progress("encode pictures", len(self)) as advance:
            for row in range(len(self)):
                made.append(self._encode([row])[0].half())
                advance()
        return made

    def counts(self, rows: Tensor) -> Tensor:
        """1 for each picture, and 0 for one that turned out to have no pixels, [B]."""
        broken = self.haystack.reader.broken
        return torch.tensor([float(int(row) not in broken) for row in rows])

    @torch.no_grad()
    def _encode(self, rows: list[int]) -> Tensor:
        rgb = np.stack([self._read(row) for row in rows])
        pixels = to_tensor(rgb).to(self.autoencoder.device)
        return self.autoencoder.normalise(self.autoencoder.encode(pixels).latent_dist.mode()).cpu()

    def _read(self, row: int) -> np.ndarray:
        shape = self._shape(row)
        rgb = self.haystack.reader.read(row, DECODE_MARGIN * max(shape))
        return np.full((*shape, 3), 255, np.uint8) if rgb is None else fit(rgb, shape)

    def _shape(self, row: int) -> Shape:
        return self.shapes[int(self.buckets[row])]
