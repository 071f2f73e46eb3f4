"""A GGUF's own weights as a PyTorch model with LoRA. The only module that imports transformers and peft."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from torch import Tensor, nn
from transformers import AutoModelForCausalLM

from training.packing import Packed

START_SEED = 0  # the adapter begins the same each time, so that a course can be repeated
PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True, slots=True)
class Lora:
    """Shape of the adapter: W + alpha / rank · B · A in every projection of every layer."""

    rank: int = 32
    alpha: int = 32
    dropout: float = 0.0


@dataclass(frozen=True, slots=True)
class Size:
    """Numbers in the model: `all` weights, `inner` those that every token passes, `adapter` those that learn."""

    all: int
    inner: int
    adapter: int
    layers: int
    width: int
    heads: int
    vocabulary: int


class Student:
    """The model being taught: the base frozen as llama.cpp sees it (dequantised), the adapter free."""

    def __init__(self, gguf: Path, lora: Lora, device: str, precision: torch.dtype = torch.float32) -> None:
        """`precision` is that of the products; the adapter and what runs between the products stay float32."""
        base = AutoModelForCausalLM.from_pretrained(str(gguf.parent), gguf_file=gguf.name, dtype=torch.float32)
        for module in base.model.modules():
            if isinstance(module, nn.Linear):
                module.to(precision)  # once, instead of at every lesson
        config = LoraConfig(
            r=lora.rank,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            target_modules=list(PROJECTIONS),
            task_type="CAUSAL_LM",
        )
        self.lora = lora
        self.window = int(base.config.sliding_window or base.config.max_position_embeddings)
        self.device = device
        self.precision = precision
        torch.manual_seed(START_SEED)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers by a name that v6 drops
            self._model = get_peft_model(base, config).to(device)
        self._causal: Any = self._model.base_model.model

    @property
    def size(self) -> Size:
        """How large the model is, for judging what a course costs."""
        config = self._causal.config
        every = sum(parameter.numel() for parameter in self._model.parameters())
        adapter = sum(parameter.numel() for parameter in self.parameters())
        inner = every - config.vocab_size * config.hidden_size
        shape = (config.num_hidden_layers, config.hidden_size, config.num_attention_heads, config.vocab_size)
        return Size(every, inner, adapter, *shape)

    def parameters(self) -> list[nn.Parameter]:
        """The adapter's matrices, the only ones that learn."""
        return [parameter for parameter in self._model.parameters() if parameter.requires_grad]

    def loss(self, packed: Packed) -> Tensor:
        """Mean cross-entropy of the answers' tokens, in nats; the vocabulary is scored at those tokens alone."""
        is_mixed = self.precision != torch.float32
        with torch.autocast(torch.device(self.device).type, dtype=self.precision, enabled=is_mixed):
            scores = self._scores(packed)
        losses = nn.functional.cross_entropy(scores.float(), packed.labels.to(self.device), reduction="none")
        return (losses * packed.weights.to(self.device)).sum()

    def _scores(self, packed: Packed) -> Tensor:
        """Of every word of the vocabulary (v) at the predicted tokens (k): (k, v)."""
        there = {
            "full_attention": packed.full.to(self.device),
            "sliding_attention": packed.sliding.to(self.device),
        }
        hidden = self._causal.model(
            input_ids=packed.ids.to(self.device),
            position_ids=packed.positions.to(self.device),
            attention_mask=there,
            use_cache=False,
        ).last_hidden_state
        scores: Tensor = self._causal.lm_head(hidden[0, packed.predicting.to(self.device)])
        return scores

    def train(self, *, is_training: bool = True) -> None:
        """Switch dropout on or off."""
        self._model.train(is_training)

    def adapter(self) -> dict[str, Tensor]:
        """The adapter's matrices by peft's names, on the CPU."""
        # Left to itself, peft asks a hub whether the vocabulary has changed.
        matrices = get_peft_model_state_dict(self._model, save_embedding_layers=False)
        return {name: value.detach().cpu() for name, value in matrices.items()}

    def load_adapter(self, matrices: dict[str, Tensor]) -> None:
        """Take over the matrices that `adapter` gave."""
        set_peft_model_state_dict(self._model, matrices)
