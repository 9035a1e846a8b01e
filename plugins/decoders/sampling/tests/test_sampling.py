"""Greedy takes the most likely token, sampling follows the model's distribution: shown on a toy of known answers."""

import sys
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from modelry.cache import Cache, GrowingLayerCache
from modelry.errors import GenerationError
from modelry.generation import GenerationConfig, generate
from modelry.outputs import CausalLMOutputWithPast
from modelry_registry import get_registry
from modelry_sampling import SamplingParameters

END = 4
TABLE = torch.tensor(
    [
        [0.0, 0.6, 0.3, 0.1, 0.0],
        [0.2, 0.0, 0.5, 0.2, 0.1],
        [0.1, 0.1, 0.0, 0.4, 0.4],
        [0.25, 0.25, 0.25, 0.0, 0.25],
        [1.0, 0.0, 0.0, 0.0, 0.0],
    ]
)
"""TABLE[a, b]: probability of b after a."""


class Chain(nn.Module):
    """A Markov chain: the distribution of every text is known."""

    device = torch.device("cpu")

    def __init__(self):
        super().__init__()
        self.config = SimpleNamespace(model_type="chain", vocab_size=5, is_encoder_decoder=False, pad_token_id=END)
        self.config.get_text_config = lambda: self.config
        self.generation_config = GenerationConfig(eos_token_id=END)
        self.embedding = nn.Embedding(5, 2)

    def get_input_embeddings(self):
        return self.embedding

    def make_cache(self, *, kind="dynamic"):
        return Cache([GrowingLayerCache()])

    def forward(self, input_ids=None, attention_mask=None, position_ids=None, past_key_values=None, use_cache=None,
                logits_to_keep=0):  # fmt: skip
        return CausalLMOutputWithPast(logits=TABLE.log()[input_ids[:, -logits_to_keep:]])


@pytest.fixture
def chain():
    return Chain()


def test_it_is_what_generate_takes(chain):
    assert generate(chain, [[0]], max_new_tokens=4).tolist() == [[0, 1, 2, 3, 0]]
    assert get_registry().provider("decoders", "sampling").distribution == "modelry-plugin-sampling"


def test_greedy_ends_at_the_end_token_and_pads(chain):
    bias = {(2, END): 3.0}
    found = generate(chain, [[0], [2]], max_new_tokens=6, sequence_bias=bias)
    assert found.tolist() == [[0, 1, 2, END], [2, END, END, END]]


def test_samples_of_texts_follow_the_chain(chain):
    """Chi-square over all texts of three tokens, against 0.001: the seed is fixed, so it passes or fails for ever."""
    count = 6000
    found = generate(chain, [[0]], do_sample=True, top_k=0, num_return_sequences=count, max_new_tokens=3, seed=0)
    seen = {}
    for text in map(tuple, found[:, 1:].tolist()):
        seen[text] = seen.get(text, 0) + 1
    expected = {}
    for a in range(5):
        for b in range(5):
            for c in range(5):
                share = TABLE[0, a] * TABLE[a, b] * (TABLE[b, c] if b != END else float(c == END))
                if share > 0:
                    expected[a, b, c] = float(share) * count
    assert seen.keys() <= expected.keys()
    assert sum(expected.values()) == pytest.approx(count)
    statistic = sum((seen.get(text, 0) - number) ** 2 / number for text, number in expected.items())
    degrees = len(expected) - 1
    assert statistic < degrees + 3.1 * (2 * degrees) ** 0.5 + 5


def test_temperature_and_top_k_shape_the_draws(chain):
    def firsts(**options):
        found = generate(chain, [[0]], do_sample=True, num_return_sequences=4000, max_new_tokens=1, seed=1, **options)
        return found[:, 1].bincount(minlength=5).float() / 4000

    assert firsts(top_k=1).tolist() == [0, 1, 0, 0, 0]
    torch.testing.assert_close(firsts(top_k=2), torch.tensor([0, 2 / 3, 1 / 3, 0, 0]), rtol=0, atol=0.025)
    sharp = TABLE[0] ** 2
    torch.testing.assert_close(firsts(temperature=0.5, top_k=0), sharp / sharp.sum(), rtol=0, atol=0.025)
    torch.testing.assert_close(firsts(top_p=0.7, top_k=0), torch.tensor([0, 2 / 3, 1 / 3, 0, 0]), rtol=0, atol=0.025)


def test_sequences_of_one_prompt_lie_together_and_differ(chain):
    found = generate(chain, [[0], [3]], do_sample=True, num_return_sequences=20, max_new_tokens=5, seed=2)
    assert found[:, 0].tolist() == [0] * 20 + [3] * 20
    assert len({tuple(text) for text in found[:20].tolist()}) > 5


@pytest.mark.parametrize("values", [{"num_return_sequences": 0}, {"num_return_sequences": -1}])
def test_impossible_parameters(chain, values):
    with pytest.raises(GenerationError, match="num_return_sequences"):
        generate(chain, [[0]], do_sample=True, **values)


def test_parameters_are_read_from_the_configuration():
    config = GenerationConfig(do_sample=True, num_return_sequences=3, top_k=7)
    assert SamplingParameters.from_config(config).model_dump() == {"do_sample": True, "num_return_sequences": 3}


def test_more_texts_than_greedy_can_give(chain):
    with pytest.raises(GenerationError, match="do_sample=True, or num_beams"):
        generate(chain, [[0]], num_return_sequences=2)


def test_the_declaration_imports_no_torch():
    import subprocess

    code = (
        "import sys; from modelry_registry import get_registry; get_registry().get('decoders', 'sampling');"
        "print('torch' in sys.modules, 'modelry_sampling.decoding' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
