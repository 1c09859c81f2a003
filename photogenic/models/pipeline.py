"""Emu as a diffusers pipeline: CLIP and T5 through the joiner, the U-Net, the autoencoder."""

from __future__ import annotations

import inspect
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from diffusers import AutoencoderKL, DiffusionPipeline, SchedulerMixin, UNet2DConditionModel
from diffusers.image_processor import VaeImageProcessor
from diffusers.loaders import StableDiffusionLoraLoaderMixin
from diffusers.pipelines.pipeline_utils import ImagePipelineOutput
from diffusers.utils.torch_utils import randn_tensor
from transformers import CLIPTextModelWithProjection, PreTrainedTokenizerFast, T5EncoderModel

from photogenic.models.autoencoder import FourierAutoencoderKL, full_precision  # noqa: F401 - to load by name
from photogenic.models.clip import tokenize
from photogenic.models.folder import refuse_pickles
from photogenic.models.joiner import TextJoiner

Tensor = torch.Tensor
Generators = torch.Generator | list[torch.Generator] | None


@dataclass(frozen=True)
class PromptEmbeds:
    """What the U-Net hears of B prompts."""

    encoder_hidden_states: Tensor  # [B, L, C] for cross-attention
    encoder_attention_mask: Tensor  # bool [B, L], false where a token is padding
    pooled_prompt_embeds: Tensor  # [B, P] for the added embedding

    def repeat(self, times: int) -> PromptEmbeds:
        """Each prompt `times` times in a row."""
        return PromptEmbeds(*(part.repeat_interleave(times, dim=0) for part in self._parts))

    @staticmethod
    def cat(embeds: Sequence[PromptEmbeds]) -> PromptEmbeds:
        """One after the other."""
        return PromptEmbeds(*map(torch.cat, zip(*(each._parts for each in embeds), strict=True)))

    def __len__(self) -> int:
        return len(self.pooled_prompt_embeds)

    @property
    def _parts(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.encoder_hidden_states, self.encoder_attention_mask, self.pooled_prompt_embeds


def size_time_ids(
    original_px: tuple[int, int], crop_px: tuple[int, int], target_px: tuple[int, int]
) -> Tensor:
    """SDXL's size and crop conditioning (arXiv 2307.01952, section 2.2).

    Args:
        original_px: height and width of the picture before any resizing.
        crop_px: top and left of the crop, in pixels of the resized picture.
        target_px: height and width of what the model draws.

    Returns:
        float32 [6]: original, crop, target.
    """
    return torch.tensor([*original_px, *crop_px, *target_px], dtype=torch.float32)


def guided(model_pred: Tensor, guidance_scale: float, guidance_rescale: float = 0.0) -> Tensor:
    """Classifier-free guidance, with the rescaling of arXiv 2305.08891, equations 14 to 16.

    Args:
        model_pred: [2B, ...], the unconditional half first.
        guidance_scale: 1 is the conditional prediction itself.
        guidance_rescale: 0 leaves the guided prediction, 1 gives it the conditional one's spread.

    Returns:
        [B, ...].
    """
    unconditional, conditional = model_pred.chunk(2)
    pred = unconditional + guidance_scale * (conditional - unconditional)
    if guidance_rescale == 0.0:
        return pred
    dims = list(range(1, pred.ndim))
    rescaled = pred * conditional.std(dims, keepdim=True) / pred.std(dims, keepdim=True)
    return guidance_rescale * rescaled + (1.0 - guidance_rescale) * pred


def denormalise_latents(vae: AutoencoderKL, latents: Tensor) -> Tensor:
    """Latents as the U-Net sees them => as `vae.decode` wants them, [B, C, h, w].

    With latents_mean and latents_std in the autoencoder's configuration per channel, else by its
    scaling_factor and shift_factor.
    """
    config = vae.config
    if config.latents_mean is None or config.latents_std is None:
        return latents / config.scaling_factor + (config.shift_factor or 0.0)
    mean, std = (
        latents.new_tensor(numbers).view(1, -1, 1, 1) for numbers in (config.latents_mean, config.latents_std)
    )
    return latents * std + mean


class EmuPipeline(DiffusionPipeline, StableDiffusionLoraLoaderMixin):  # type: ignore[misc]
    """Text to image as in Emu (arXiv 2309.15807, section 3.1). The empty prompt is the unconditional one."""

    model_cpu_offload_seq = "text_encoder->text_encoder_2->joiner->unet->vae"

    def __init__(
        self,
        vae: AutoencoderKL,
        text_encoder: CLIPTextModelWithProjection,
        tokenizer: PreTrainedTokenizerFast,
        text_encoder_2: T5EncoderModel,
        tokenizer_2: PreTrainedTokenizerFast,
        joiner: TextJoiner,
        unet: UNet2DConditionModel,
        scheduler: SchedulerMixin,
    ) -> None:
        super().__init__()
        self.register_modules(
            vae=vae,
            text_encoder=text_encoder,
            tokenizer=tokenizer,
            text_encoder_2=text_encoder_2,
            tokenizer_2=tokenizer_2,
            joiner=joiner,
            unet=unet,
            scheduler=scheduler,
        )
        self.vae_scale_factor = vae.downscaling
        self.image_processor = VaeImageProcessor(vae_scale_factor=self.vae_scale_factor)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | os.PathLike[str], **kwargs: Any) -> Self:
        """As diffusers does, from safetensors only.

        Raises:
            MissingModelError: the folder holds weights as pickles, which could run code when opened.
        """
        refuse_pickles(Path(pretrained_model_name_or_path))
        pipeline: Self = super().from_pretrained(
            pretrained_model_name_or_path, **(kwargs | {"use_safetensors": True})
        )
        return pipeline

    def encode_prompt(self, prompts: str | Sequence[str]) -> PromptEmbeds:
        """Both encoders' words of B prompts, joined. A prompt longer than the tokenizer's limit is cut."""
        texts = [prompts] if isinstance(prompts, str) else list(prompts)
        device = self._execution_device
        ids, mask = (part.to(device) for part in tokenize(self.tokenizer, texts))
        ids_2, mask_2 = (part.to(device) for part in tokenize(self.tokenizer_2, texts))
        clip = self.text_encoder(input_ids=ids, attention_mask=mask)
        t5 = self.text_encoder_2(input_ids=ids_2, attention_mask=mask_2)
        joined, joined_mask = self.joiner(
            [clip.last_hidden_state.to(self.joiner.dtype), t5.last_hidden_state.to(self.joiner.dtype)],
            [mask, mask_2],
        )
        return PromptEmbeds(joined, joined_mask, clip.text_embeds)

    @torch.no_grad()
    def __call__(
        self,
        prompt: str | Sequence[str] | None = None,
        negative_prompt: str | Sequence[str] = "",
        *,
        height: int | None = None,
        width: int | None = None,
        num_inference_steps: int = 20,
        guidance_scale: float = 4.0,
        guidance_rescale: float = 0.0,
        num_images_per_prompt: int = 1,
        generator: Generators = None,
        latents: Tensor | None = None,
        prompt_embeds: Tensor | None = None,
        prompt_attention_mask: Tensor | None = None,
        pooled_prompt_embeds: Tensor | None = None,
        negative_prompt_embeds: Tensor | None = None,
        negative_prompt_attention_mask: Tensor | None = None,
        negative_pooled_prompt_embeds: Tensor | None = None,
        output_type: str = "pil",
        return_dict: bool = True,
    ) -> ImagePipelineOutput | tuple[Any]:
        """Draw.

        Args:
            prompt: one or B prompts; or else the three parts of `encode_prompt`'s answer.
            negative_prompt: one for all or B of them; or else its three parts.
            height, width: pixels, multiples of the autoencoder's factor; by default the U-Net's own size.
            guidance_scale: 1 or less turns guidance off.
            generator: one, or one per picture; on the CPU, so that a seed means the same noise everywhere.
            latents: [B * num_images_per_prompt, C, h, w] unit noise to begin with, in place of drawing it.
            output_type: "pil", "np" (float32 [B, H, W, 3] in [0, 1]), "pt" or "latent".
        """
        positive = self._embeds(prompt, prompt_embeds, prompt_attention_mask, pooled_prompt_embeds)
        positive = positive.repeat(num_images_per_prompt)
        negative = None
        if guidance_scale > 1.0:
            negative = self._embeds(
                negative_prompt,
                negative_prompt_embeds,
                negative_prompt_attention_mask,
                negative_pooled_prompt_embeds,
            )
            negative = negative.repeat(len(positive) // len(negative))
        size = self._latent_size(height, width)
        if latents is None:
            latents = self._noise((len(positive), self.unet.config.in_channels, *size), generator)
        latents = self._denoise(
            latents, positive, negative, num_inference_steps, guidance_scale, guidance_rescale, generator
        )
        images = latents if output_type == "latent" else self._decode(latents, output_type)
        self.maybe_free_model_hooks()
        return ImagePipelineOutput(images=images) if return_dict else (images,)

    def _embeds(self, prompts: str | Sequence[str] | None, *parts: Tensor | None) -> PromptEmbeds:
        given = [part for part in parts if part is not None]
        if len(given) == len(parts):
            return PromptEmbeds(*(part.to(self._execution_device) for part in given))
        if given or prompts is None:
            raise ValueError("give a prompt, or its embeds, attention mask and pooled embeds")
        return self.encode_prompt(prompts)

    def _latent_size(self, height: int | None, width: int | None) -> tuple[int, int]:
        own = self.unet.config.sample_size
        own_size = (own, own) if isinstance(own, int) else own
        size = [
            side if px is None else px / self.vae_scale_factor
            for side, px in zip(own_size, (height, width), strict=True)
        ]
        if any(side != int(side) or side < 1 for side in size):
            raise ValueError(f"{height} x {width} px: not multiples of {self.vae_scale_factor}")
        return int(size[0]), int(size[1])

    def _noise(self, shape: tuple[int, ...], generator: Generators) -> Tensor:
        return randn_tensor(shape, generator=generator, device=self._execution_device, dtype=torch.float32)

    def _denoise(
        self,
        latents: Tensor,
        positive: PromptEmbeds,
        negative: PromptEmbeds | None,
        num_inference_steps: int,
        guidance_scale: float,
        guidance_rescale: float,
        generator: Generators,
    ) -> Tensor:
        """Unit noise => latents. Guided, both halves go through the U-Net as one batch."""
        noise_schedule, dtype = self.scheduler, self.unet.dtype
        noise_schedule.set_timesteps(num_inference_steps, device=self._execution_device)
        takes_generator = "generator" in inspect.signature(noise_schedule.step).parameters
        noise_of_steps = {"generator": generator} if takes_generator else {}

        embeds = positive if negative is None else PromptEmbeds.cat([negative, positive])
        arguments = self._unet_arguments(embeds, latents)
        latents = latents.to(self._execution_device) * getattr(noise_schedule, "init_noise_sigma", 1.0)
        # The schedule of a flow scales nothing.
        scaled = getattr(noise_schedule, "scale_model_input", lambda latents, _: latents)
        for timestep in self.progress_bar(noise_schedule.timesteps):
            repeated = latents if negative is None else torch.cat([latents, latents])
            model_input = scaled(repeated, timestep).to(dtype)
            # The solver works in float32 whatever the U-Net's weights are.
            model_pred = self.unet(model_input, timestep, **arguments).sample.float()
            if negative is not None:
                model_pred = guided(model_pred, guidance_scale, guidance_rescale)
            latents = noise_schedule.step(model_pred, timestep, latents, **noise_of_steps).prev_sample
        return latents

    def _unet_arguments(self, embeds: PromptEmbeds, latents: Tensor) -> dict[str, Any]:
        size_px = (latents.shape[-2] * self.vae_scale_factor, latents.shape[-1] * self.vae_scale_factor)
        time_ids = size_time_ids(
            size_px, (0, 0), size_px
        )  # as if the picture had been neither scaled nor cut
        pooled = embeds.pooled_prompt_embeds.to(self.unet.dtype)
        return {
            "encoder_hidden_states": embeds.encoder_hidden_states.to(self.unet.dtype),
            "encoder_attention_mask": embeds.encoder_attention_mask,
            "added_cond_kwargs": {
                "text_embeds": pooled,
                "time_ids": time_ids.to(pooled).expand(len(embeds), -1),
            },
        }

    def _decode(self, latents: Tensor, output_type: str) -> Any:
        raw = denormalise_latents(self.vae, latents)
        with full_precision(self.vae):
            pixels = self.vae.decode(raw.to(self.vae.dtype)).sample.float()
        return self.image_processor.postprocess(pixels, output_type=output_type)
