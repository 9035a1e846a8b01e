"""A toy language model that attends, forgets and pads like a real one, and the strategies to drive it."""

from types import MappingProxyType, SimpleNamespace

import pytest
import torch
from torch import nn

from modelry.cache import Cache, GrowingLayerCache
from modelry.generation import DecoderParameters, GenerationConfig, draw
from modelry.outputs import CausalLMOutputWithPast
from modelry_registry import Decoder, get_registry, use_registry


class ToyConfig(SimpleNamespace):
    def get_text_config(self):
        return self


class ToyLM(nn.Module):
    """One attention layer over learned positions; random weights from a seed."""

    def __init__(self, vocabulary=29, width=8, seed=0, **config):
        super().__init__()
        values = {
            "model_type": "toy-lm",
            "vocab_size": vocabulary,
            "max_position_embeddings": 64,
            "is_encoder_decoder": False,
            "bos_token_id": None,
            "eos_token_id": None,
            "pad_token_id": None,
        }
        self.config = ToyConfig(**{**values, **config})
        random = torch.Generator().manual_seed(seed)
        self.tokens = nn.Embedding(vocabulary, width)
        self.places = nn.Embedding(self.config.max_position_embeddings + 64, width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=random))
        self.generation_config = GenerationConfig.from_model_config(self.config)
        self.calls = []

    @property
    def device(self):
        return self.head.weight.device

    def get_input_embeddings(self):
        return self.tokens

    def get_output_embeddings(self):
        return self.head

    def make_cache(self, *, kind="dynamic", **options):
        if kind != "dynamic":
            raise ValueError(f"no cache is called {kind!r}")
        return Cache([GrowingLayerCache()])

    def forward(
        self,
        input_ids=None,
        attention_mask=None,
        position_ids=None,
        past_key_values=None,
        inputs_embeds=None,
        labels=None,
        use_cache=None,
        output_attentions=None,
        output_hidden_states=None,
        logits_to_keep=0,
    ):
        x = self.tokens(input_ids) if inputs_embeds is None else inputs_embeds
        rows, new, _ = x.shape
        assert position_ids.shape == (rows, new)
        x = x + self.places(position_ids)
        seen = 0 if past_key_values is None else past_key_values.seen
        if attention_mask is None:
            attention_mask = torch.ones(rows, seen + new, dtype=torch.long)
        assert attention_mask.shape == (rows, seen + new)
        k = v = x[:, None]
        if past_key_values is not None:
            k, v = past_key_values.layers[0].extend(k, v)
            past_key_values.advance(new)
        reach = k.shape[2]
        columns = torch.arange(reach)
        visible = nn.functional.pad(attention_mask, (0, reach - seen - new)).bool()[:, None, None]
        visible = visible & (columns <= (seen + torch.arange(new))[:, None])
        weights = (x[:, None] @ k.transpose(-1, -2)).masked_fill(~visible, -1e9).softmax(-1)
        h = x + (weights @ v)[:, 0]
        self.calls.append((rows, new))
        return CausalLMOutputWithPast(
            logits=self.head(h[:, -logits_to_keep:] if logits_to_keep else h),
            past_key_values=past_key_values,
            hidden_states=(x, h) if output_hidden_states else None,
            attentions=(weights,) if output_attentions else None,
        )

    def greedy(self, ids, count):
        """Continuation of one prompt by whole forward passes without any cache: the independent answer."""
        ids = list(ids)
        for _ in range(count):
            row = torch.tensor([ids])
            logits = self(row, position_ids=torch.arange(len(ids))[None]).logits[0, -1]
            ids.append(int(logits.argmax()))
        return ids


class ToyParameters(DecoderParameters):
    strategy_name = "toy-strategy"

    num_beams: int = 1
    flavour: str = "plain"


class PlainParameters(DecoderParameters):
    strategy_name = "sampling"

    do_sample: bool = False
    num_return_sequences: int = 1


def plain(session, parameters):
    """Greedy or multinomial, for tests that must not need the sampling plugin."""
    logits = session.start(copies=parameters.num_return_sequences)
    while True:
        scores = session.scores(logits[:, -1])
        session.emit(draw(scores, session.generator) if parameters.do_sample else scores.argmax(-1))
        if session.done:
            return
        logits = session.step(session.last[:, None])


@pytest.fixture
def make_toy():
    return ToyLM


@pytest.fixture
def toy():
    return ToyLM()


@pytest.fixture
def strategy():
    """`with strategy(decode): generate(model, strategy="toy-strategy")` runs a function (session, parameters)."""
    import sys
    from contextlib import contextmanager

    @contextmanager
    def use(decode, parameters=ToyParameters, **spec):
        module = sys.modules.setdefault("toy_strategy", type(sys)("toy_strategy"))
        module.decode, module.Parameters = decode, parameters
        made = Decoder(name="toy-strategy", decode="toy_strategy:decode", parameters="toy_strategy:Parameters", **spec)
        try:
            with use_registry(get_registry().extended(made)):
                yield
        finally:
            del sys.modules["toy_strategy"]

    return use


@pytest.fixture
def plain_strategy(strategy):
    with strategy(plain, PlainParameters):
        yield


class ByteTokenizer:
    """Ids are bytes; 256 is the end token, which has no text unless special tokens are shown."""

    eos_token_id = 256
    added_tokens_decoder = MappingProxyType({256: SimpleNamespace(special=True)})

    def encode(self, text):
        return list(text.encode())

    def decode(self, ids, skip_special_tokens=False, clean_up_tokenization_spaces=False):
        pieces = []
        run = bytearray()
        for token in ids:
            if token < 256:
                run.append(token)
            elif not skip_special_tokens:
                pieces.append(run.decode("utf-8", "replace") + "<end>")
                run = bytearray()
        return "".join(pieces) + run.decode("utf-8", "replace")


@pytest.fixture
def byte_tokenizer():
    return ByteTokenizer()
