"""The decoder's training after the U-Net."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from photogenic.core.run import MetricsLog
from photogenic.models.autoencoder import FourierAutoencoderKL
from photogenic.train.config import AutoencoderConfig, LoopConfig
from photogenic.train.data import to_tensor
from photogenic.train.haystack import Haystack
from photogenic.train.objectives.autoencoder import encode_pictures, psnr
from photogenic.train.parts.autoencoder import train_autoencoder, train_decoder


def loop_of(steps: int) -> dict[str, Any]:
    optimizer = {"learning_rate": 3e-3}
    return {"max_steps": steps, "batch_size": 8, "checkpoint_every": steps, "optimizer": optimizer}


def test_the_decoder_alone_gets_better_and_no_latent_changes(haystack: Haystack, tmp_path: Path) -> None:
    config = AutoencoderConfig.model_validate(
        {"block_out_channels": (16, 16, 16, 16), "scale_weight": 1.0, "loop": loop_of(60)}
    )
    autoencoder = train_autoencoder(config, 32, haystack, tmp_path / "autoencoder", 0)
    latents = encode_pictures(autoencoder, haystack.train.rgb)
    before = quality(autoencoder, haystack)
    loop, folder = LoopConfig.model_validate(loop_of(60)), tmp_path / "decoder"
    after = train_decoder(config, loop, autoencoder, haystack, folder, 0, upstream="")
    assert torch.equal(encode_pictures(after, haystack.train.rgb), latents)
    assert quality(after, haystack) > before + 0.5
    # Shrunken latents are nothing that this training could change: its whole effort goes to whole ones.
    assert not any("scale" in row for row in MetricsLog(folder / "metrics.jsonl").rows())


@torch.no_grad()
def quality(autoencoder: FourierAutoencoderKL, haystack: Haystack) -> float:
    """Mean PSNR, dB."""
    pixels = to_tensor(haystack.train.rgb)
    decoded = autoencoder.decode(encode_pictures(autoencoder, haystack.train.rgb)).sample
    return float(psnr(decoded, pixels).mean())
