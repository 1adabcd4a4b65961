"""The tuning teaches an adapter and nothing else, goes on to the bit after any step, and counts what it says."""

import attrs
import numpy as np
import pytest

from windlass.operators.errors import TrainingDiverged
from windlass.operators.training.llm.base import family_of, open_model, open_tokenizer
from windlass.operators.training.llm.config import Settings
from windlass.operators.training.llm.encoding import Encoder
from windlass.operators.training.llm.family import family_registry
from windlass.operators.training.llm.texts import Example

# The library's own, about names that it changes.
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
SETTINGS = Settings(
    epochs=1,
    batch_size=4,
    learning_rate=0.05,
    rank=3,
    alpha=6.0,
    dropout=0.2,
    max_length=64,
    warmup_steps=3,
    gradient_clip=1.0,
    checkpoint_steps=50,
)
EXAMPLES = [Example(f"{name[::-1]} city", f"which city is on {name}?") for name in ("aland", "borneo", "crete", "x")]
FAMILIES = ("gpt2", "llama")


class Bench:
    """A family's tiny model, its encoder and its tunings."""

    def __init__(self, folder):
        self.folder = folder
        self.family = family_of(folder, family_registry(discover=lambda: ()))
        self.encoder = Encoder(open_tokenizer(folder), self.family, length_max=64)
        self.examples = self.encoder.encode(EXAMPLES)

    def tuning(self, settings=SETTINGS, seed=5):
        from windlass.operators.training.llm.tuning import Tuning

        return Tuning(open_model(self.folder), self.family, settings, seed=seed)

    def teach(self, tuning, first, last):
        return [tuning.step(self.examples, number) for number in range(first, last + 1)]


@pytest.fixture(params=FAMILIES)
def bench(request, tiny):
    return Bench(tiny / request.param)


def same(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def base_of(tuning):
    return {
        name: parameter.detach().numpy().copy()
        for name, parameter in tuning.model.named_parameters()
        if "lora_" not in name
    }


def test_only_the_adapter_changes_and_the_loss_falls(bench):
    tuning = bench.tuning(attrs.evolve(SETTINGS, dropout=0.0, rank=8))
    before, adapter = base_of(tuning), tuning.arrays()

    seen = bench.teach(tuning, 1, 150)

    assert same(before, base_of(tuning))
    after = tuning.arrays()
    assert all("lora_" in name for name in after)
    assert not any(np.array_equal(adapter[name], after[name]) for name in adapter)
    assert seen[-1].loss / seen[-1].tokens < 0.3 * seen[0].loss / seen[0].tokens
    assert seen[-1].exact > seen[0].exact


@pytest.mark.parametrize("stop", [1, 4])
def test_going_on_from_what_was_kept_changes_no_bit(bench, stop):
    """M24, dropout included: what is drawn is keyed by the step."""
    undisturbed, stopped, resumed = bench.tuning(), bench.tuning(), bench.tuning(seed=5)
    bench.teach(undisturbed, 1, 6)

    bench.teach(stopped, 1, stop)
    resumed.restore(stopped.arrays(), step=stop)
    bench.teach(resumed, stop + 1, 6)

    assert same(undisturbed.arrays(), resumed.arrays())


def test_another_seed_is_another_adapter(bench):
    one, other = bench.tuning(seed=1), bench.tuning(seed=2)

    assert not same(one.arrays(), other.arrays())


def test_the_rate_rises_evenly_for_the_warm_up_and_then_stays(bench):
    tuning = bench.tuning()
    rates = []
    for number in range(1, 6):
        tuning.step(bench.examples, number)
        rates.append(tuning._optimizer.param_groups[0]["lr"])

    assert rates == pytest.approx([0.05 / 3, 0.05 * 2 / 3, 0.05, 0.05, 0.05])


def test_a_batch_counts_as_its_examples_do_one_by_one(bench):
    """What is only there to fill up a shorter example changes nothing."""
    from windlass.operators.training.llm.tuning import look

    tuning = bench.tuning()
    bench.teach(tuning, 1, 8)
    together = look(tuning.model, bench.examples, batch_size=4)
    alone = look(tuning.model, bench.examples, batch_size=1)

    assert together.loss == pytest.approx(alone.loss, rel=1e-5)
    assert (together.tokens, together.right, together.examples, together.exact) == (
        alone.tokens,
        alone.right,
        alone.examples,
        alone.exact,
    )
    assert together.tokens == sum(len(one.tokens) - one.learnt for one in bench.examples)


@pytest.mark.parametrize("steps", [2, 40, 150])
def test_an_exact_match_is_what_greedy_decoding_would_write(bench, steps):
    import torch

    from windlass.operators.training.llm.tuning import look

    tuning = bench.tuning(attrs.evolve(SETTINGS, dropout=0.0, rank=8))
    bench.teach(tuning, 1, steps)
    counted = [look(tuning.model, [one], batch_size=1).exact for one in bench.examples]

    written = []
    for one in bench.examples:
        prompt, answer = one.tokens[: one.learnt], one.tokens[one.learnt :]
        found = tuning.model.generate(
            input_ids=torch.tensor([prompt]),
            attention_mask=torch.ones((1, len(prompt)), dtype=torch.long),
            max_new_tokens=len(answer),
            do_sample=False,
            pad_token_id=1,
        )
        written.append(int(tuple(found[0, len(prompt) :].tolist()) == answer))

    assert counted == written
    assert steps < 150 or sum(written) > 0


def test_a_loss_that_is_no_number_is_divergence_and_the_rate_is_named(bench):
    tuning = bench.tuning(attrs.evolve(SETTINGS, learning_rate=1e3))
    broken = {name: np.full_like(array, np.inf) for name, array in tuning.arrays().items()}
    means = {f"{name}.{mean}": np.zeros_like(array) for name, array in broken.items() for mean in "mv"}
    tuning.restore(broken | means, step=1)

    with pytest.raises(TrainingDiverged, match="a learningRate below 1000 may help"):
        bench.teach(tuning, 2, 2)
