"""How long, how large, how often, and by which optimizer."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from photogenic.core.section import LATER, NEVER, Section

OFFLOADED_EVERY = 10  # steps: of 2.8 B numbers 11 GB cross the bus for each update of an average


class OptimizerConfig(Section):
    """AdamW, or Muon for matrices beside it; a warm-up, then constant, falling, or a cosine to zero."""

    learning_rate: float = Field(1e-4, gt=0, description="Peak learning rate.")
    warmup_steps: int = Field(100, ge=0, description="Steps of linear warm-up.")
    lr_schedule: Literal["constant", "cosine", "inverse_sqrt"] = Field(
        "constant", description="What follows the warm-up."
    )
    decay_from_step: int = Field(
        1000,
        gt=0,
        description="With inverse_sqrt: the rate is constant until here, then falls as 1 / sqrt(step).",
        json_schema_extra=LATER,
    )
    matrix_learning_rate: float | None = Field(
        None,
        gt=0,
        description="Step of orthogonalised updates (Muon) for matrices, 0.02 or so; without it, AdamW"
        " updates everything.",
        json_schema_extra=LATER,
    )
    weight_decay: float = Field(0.01, ge=0, description="Decoupled weight decay; matrices only.")
    betas: tuple[float, float] = Field((0.9, 0.99), description="AdamW's moment decays.")
    max_grad_norm: float = Field(1.0, gt=0, description="Gradients are clipped to this global norm.")
    eight_bit: bool = Field(
        False,
        description="Moments in 8 bits, 2 instead of 8 bytes a weight; needs bitsandbytes.",
        json_schema_extra=LATER,
    )


class LoopConfig(Section):
    """How long, how large, how often: the part of training that does not depend on what is learned."""

    max_steps: int = Field(description="Optimizer updates.", gt=0)
    batch_size: int = Field(64, gt=0, description="Samples per optimizer update, over all devices.")
    micro_batch_size: int | None = Field(
        None, gt=0, description="Samples per forward pass; default: the batch."
    )
    checkpoint_every: int = Field(500, gt=0, description="Steps between resumable checkpoints.")
    log_every: int = Field(20, gt=0, description="Steps between lines of metrics.jsonl.")
    ema_sigma_rel: float = Field(
        0.1, gt=0, lt=0.28, description="Relative width of the power-function EMA (EDM2, section 3.1)."
    )
    ema_every: int | None = Field(
        None,
        gt=0,
        description="Steps between updates of the averages; the weights then stand for the steps since the"
        " last one. null: 1, and 10 with `offload_ema`.",
        json_schema_extra=LATER,
    )
    offload_ema: bool = Field(
        False,
        description="Keep the averages in the CPU's memory; each update moves all weights there.",
        json_schema_extra=LATER,
    )
    activation_checkpoints: bool = Field(
        False,
        description="Compute activations again in the backward pass: less memory, a third more time.",
        json_schema_extra=NEVER,
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32",
        description="What the model computes in; weights, moments and averages stay in float32.",
        json_schema_extra=LATER,
    )
    compile: Literal["blocks", "whole"] | None = Field(
        None,
        description="Compile the denoiser with torch while it learns: its repeated blocks one by one, or all"
        " of it as one program; null: not.",
        json_schema_extra=LATER,
    )
    sharded: bool = Field(
        False,
        description="Under torchrun, split weights, gradients, moments and averages (FSDP2).",
        json_schema_extra=NEVER,
    )
    trackers: tuple[Literal["tensorboard", "wandb"], ...] = Field(
        (), description="Where metrics go besides metrics.jsonl.", json_schema_extra=NEVER
    )
    optimizer: OptimizerConfig = Field(default_factory=lambda: OptimizerConfig(), description="AdamW.")

    @model_validator(mode="before")
    @classmethod
    def _said_or_not_is_one(cls, values: object) -> object:
        # Recipes that were resolved when 1 was the default name it; their fingerprints do not count it.
        if isinstance(values, dict) and values.get("ema_every") == 1 and not values.get("offload_ema"):
            return {**values, "ema_every": None}
        return values

    @property
    def averages_every(self) -> int:
        """Steps between updates of the averages."""
        return self.ema_every or (OFFLOADED_EVERY if self.offload_ema else 1)

    def refuse_stale_averages(self, **steps: int) -> None:
        """Averages are looked at after such steps, and must be of just then.

        Raises:
            ValueError: they would be of earlier ones, or of none.
        """
        for name, number in steps.items():
            if number % self.averages_every:
                raise ValueError(
                    f"averages are updated every {self.averages_every} steps, and `{name}` {number} is no"
                    " multiple of that: set `ema_every` to a number that divides it"
                )

    @model_validator(mode="after")
    def _can_be_split(self) -> Self:
        if not self.sharded:
            return self
        whole_only = {
            "optimizer.matrix_learning_rate": self.optimizer.matrix_learning_rate is not None,
            "optimizer.eight_bit": self.optimizer.eight_bit,
            "offload_ema": self.offload_ema,
        }
        for name, is_set in whole_only.items():
            if is_set:
                raise ValueError(f"`{name}` needs whole tensors, which no process has with `sharded`")
        if self.compile is not None:
            raise ValueError("`compile` was not tried with `sharded`: leave out one of them")
        return self

    @model_validator(mode="after")
    def _averages_are_of_their_step(self) -> Self:
        self.refuse_stale_averages(checkpoint_every=self.checkpoint_every, max_steps=self.max_steps)
        return self

    def identity(self) -> dict[str, object]:
        """What the state after a given step depends on; the rest may change while a run goes on.

        Unless its learning rate depends on it, a finished run can be trained further by raising `max_steps`.
        """
        indifferent = {"checkpoint_every", "log_every"}
        if self.optimizer.lr_schedule != "cosine":
            indifferent.add("max_steps")
        return self.counted(exclude=indifferent)


def refuse_denoiser_switches(loop: LoopConfig | None) -> None:
    if loop is not None and loop.sharded:
        raise ValueError("`sharded` is for the denoiser; of this part each process keeps all")
    if loop is not None and loop.compile is not None:
        raise ValueError("`compile` is for the denoiser; this part is trained as it is")
