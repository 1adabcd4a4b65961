"""An adapter after a step follows from base, examples, settings, seed and step alone: a resumed run ends the same.

All that the next step depends on is in `arrays()`; what is drawn for dropout is keyed with (seed, step). The base's own
weights are never changed. This module does not know files, processes, or which examples were held out.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt
import torch

from windlass.operators.errors import TrainingDiverged
from windlass.operators.training.llm.config import Settings
from windlass.operators.training.llm.encoding import Encoded
from windlass.operators.training.llm.family import Family

__all__ = ("Seen", "Tuning", "look")

_UNLEARNT: Final = -100  # what torch's cross-entropy leaves out
_STEPS: Final = 1_000_003  # a prime, so that (seed, step) pairs of one run do not meet


@attrs.frozen
class Seen:
    """Sums over the `tokens` learnt tokens of `examples` examples.

    `loss` is the cross-entropy in nats, `right` the tokens and `exact` the examples that greedy decoding would write.
    """

    loss: float = 0.0
    tokens: int = 0
    right: int = 0
    examples: int = 0
    exact: int = 0

    def __add__(self, other: "Seen") -> "Seen":
        return Seen(*(a + b for a, b in zip(attrs.astuple(self), attrs.astuple(other), strict=True)))


class Tuning:
    """A model with an adapter of low rank that is being taught (LoRA, Hu et al. 2021, arXiv:2106.09685)."""

    def __init__(self, model: Any, family: Family, settings: Settings, *, seed: int) -> None:
        from peft import LoraConfig, get_peft_model  # noqa: PLC0415  (seconds to import)

        torch.use_deterministic_algorithms(True)
        torch.manual_seed(seed % 2**63)
        self.lora: Any = LoraConfig(
            task_type="CAUSAL_LM",
            r=settings.rank,
            lora_alpha=settings.alpha,
            lora_dropout=settings.dropout,
            target_modules=list(family.targets),
            **family.options,
        )
        self.model: Any = get_peft_model(model, self.lora)
        self.model.train()
        self._settings = settings
        self._seed = seed
        self._taught: dict[str, Any] = {
            name: parameter for name, parameter in self.model.named_parameters() if parameter.requires_grad
        }
        self._optimizer: Any = torch.optim.AdamW(
            self._taught.values(), lr=settings.learning_rate, weight_decay=0.0, foreach=False
        )

    def step(self, batch: Sequence[Encoded], number: int) -> Seen:
        """Step `number`, counted from 1, on a minibatch. Raises TrainingDiverged."""
        torch.manual_seed((self._seed * _STEPS + number) % 2**63)
        rising = min(1.0, number / self._settings.warmup_steps) if self._settings.warmup_steps else 1.0
        for group in self._optimizer.param_groups:
            group["lr"] = self._settings.learning_rate * rising
        self._optimizer.zero_grad(set_to_none=True)
        loss, seen = _forward(self.model, batch)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(list(self._taught.values()), self._settings.gradient_clip)
        if not (np.isfinite(seen.loss) and bool(torch.isfinite(norm))):
            raise TrainingDiverged(
                f"the loss of step {number} is {seen.loss}: the adapter grew beyond bounds; "
                f"a learningRate below {self._settings.learning_rate:g} may help"
            )
        self._optimizer.step()
        return seen

    def arrays(self) -> dict[str, npt.NDArray[np.float64]]:
        """The adapter, and AdamW's two means of each of its arrays, `NAME.m` and `NAME.v`."""
        found: dict[str, npt.NDArray[np.float64]] = {}
        for name, parameter in self._taught.items():
            kept = self._optimizer.state[parameter]
            means = {".m": kept["exp_avg"], ".v": kept["exp_avg_sq"]} if kept else {}
            for suffix, tensor in {"": parameter, **means}.items():
                found[name + suffix] = tensor.detach().cpu().numpy().copy()
        return found

    def restore(self, arrays: Mapping[str, npt.NDArray[np.float64]], *, step: int) -> None:
        """Go on as if `step` steps had just been made that led to these arrays."""
        with torch.no_grad():
            for name, parameter in self._taught.items():
                parameter.copy_(torch.from_numpy(arrays[name]))
                self._optimizer.state[parameter] = {
                    "step": torch.tensor(float(step)),
                    "exp_avg": torch.from_numpy(arrays[f"{name}.m"]).to(parameter),
                    "exp_avg_sq": torch.from_numpy(arrays[f"{name}.v"]).to(parameter),
                }


def look(model: Any, examples: Sequence[Encoded], *, batch_size: int) -> Seen:
    """How a model does on examples, without being taught."""
    model.eval()
    seen = Seen()
    with torch.no_grad():
        for first in range(0, len(examples), batch_size):
            seen += _forward(model, examples[first : first + batch_size])[1]
    return seen


def _forward(model: Any, batch: Sequence[Encoded]) -> tuple[Any, Seen]:
    """The mean cross-entropy of the learnt tokens, to go back from, and the sums."""
    longest = max(len(one.tokens) for one in batch)
    tokens = torch.zeros((len(batch), longest), dtype=torch.long)
    mask = torch.zeros((len(batch), longest), dtype=torch.long)
    wanted = torch.full((len(batch), longest), _UNLEARNT, dtype=torch.long)
    for row, one in enumerate(batch):
        length = len(one.tokens)
        tokens[row, :length] = torch.tensor(one.tokens)
        mask[row, :length] = 1
        wanted[row, one.learnt : length] = tokens[row, one.learnt : length]
    wanted = wanted[:, 1:]
    logits = model(input_ids=tokens, attention_mask=mask).logits[:, :-1].float()
    loss = torch.nn.functional.cross_entropy(logits.transpose(1, 2), wanted, ignore_index=_UNLEARNT, reduction="sum")
    counted = wanted != _UNLEARNT
    right = (logits.argmax(dim=-1) == wanted) & counted
    count = int(counted.sum())
    # Greedy decoding would write exactly this completion if and only if each token follows from those before it.
    exact = int((right.sum(dim=1) == counted.sum(dim=1)).sum())
    return loss / count, Seen(float(loss.detach()), count, int(right.sum()), len(batch), exact)
