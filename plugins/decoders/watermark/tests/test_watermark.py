"""The same keys mark as the ecosystem's library marks, and each finds the other's text; oracle: transformers."""

import pytest
import torch
import transformers
from torch import nn

from modelry.cache import Cache, GrowingLayerCache
from modelry.errors import GenerationError, ModelryWarning
from modelry.generation import GenerationConfig, generate
from modelry.outputs import CausalLMOutputWithPast
from modelry_watermark import (
    SynthIDTextDetector,
    SynthIDTextWatermarkingConfig,
    SynthIDTextWatermarkLogitsProcessor,
    WatermarkDetector,
    WatermarkingConfig,
    WatermarkLogitsProcessor,
)

VOCABULARY = 200
GREEN = [
    {"seeding_scheme": "lefthash"},
    {"seeding_scheme": "lefthash", "greenlist_ratio": 0.5, "bias": 3.5, "hashing_key": 12345},
    {"seeding_scheme": "selfhash"},
    {"seeding_scheme": "selfhash", "context_width": 3, "greenlist_ratio": 0.4, "hashing_key": 998244353998244353},
]
SYNTHID = {"keys": [654, 400, 836, 123, 340, 443, 597, 160, 57], "ngram_len": 4, "context_history_size": 16}


class Even(nn.Module):
    """Every token as likely as every other, up to a fixed noise: much room for a mark."""

    device = torch.device("cpu")

    def __init__(self, bos=0):
        super().__init__()
        self.config = transformers.PretrainedConfig(vocab_size=VOCABULARY, bos_token_id=bos)
        self.config.get_text_config = lambda: self.config
        self.config.model_type = "even"
        self.generation_config = GenerationConfig()
        self.embedding = nn.Embedding(VOCABULARY, 2)
        self.noise = torch.randn(VOCABULARY, VOCABULARY, generator=torch.Generator().manual_seed(4))

    def get_input_embeddings(self):
        return self.embedding

    def make_cache(self, *, kind="dynamic"):
        return Cache([GrowingLayerCache()])

    def forward(self, input_ids=None, attention_mask=None, position_ids=None, past_key_values=None, use_cache=None,
                logits_to_keep=0):  # fmt: skip
        return CausalLMOutputWithPast(logits=self.noise[input_ids[:, -logits_to_keep:]])


@pytest.fixture(scope="module")
def even():
    return Even()


@pytest.fixture
def say(even):
    def run(rows=4, tokens=120, **options):
        prompt = torch.arange(1, 1 + rows)[:, None].repeat(1, 3)
        options = {"do_sample": True, "top_k": 0, "seed": 3, **options}
        return generate(even, prompt, max_new_tokens=tokens, **options)[:, 3:]

    return run


def _random(rows, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, VOCABULARY, (rows, width), generator=generator)
    return ids, torch.randn(rows, VOCABULARY, generator=generator)


@pytest.mark.parametrize("values", GREEN, ids=str)
def test_green_scores_are_the_ecosystems(values):
    ours = WatermarkLogitsProcessor(WatermarkingConfig.read(values))
    theirs = transformers.WatermarkLogitsProcessor(vocab_size=VOCABULARY, device="cpu", **values)
    for width in (3, 4, 9):
        ids, scores = _random(5, width, width)
        kept = scores.clone()
        torch.testing.assert_close(ours(ids, scores), theirs(ids, scores), rtol=0, atol=0)
        assert torch.equal(scores, kept)


@pytest.mark.parametrize("skip", [False, True])
def test_synthid_scores_are_the_ecosystems(skip):
    values = {**SYNTHID, "skip_first_ngram_calls": skip}
    ours = SynthIDTextWatermarkLogitsProcessor(SynthIDTextWatermarkingConfig.read(values))
    theirs = transformers.SynthIDTextWatermarkLogitsProcessor(
        **values, sampling_table_size=2**16, sampling_table_seed=0, device="cpu"
    )
    ids, _ = _random(3, 30)
    ids[:, 10:20] = ids[:, :10]  # contexts come again
    for width in range(4, 30):
        _, scores = _random(3, 1, width)
        scores[:, 5] = -torch.inf
        torch.testing.assert_close(ours(ids[:, :width], scores), theirs(ids[:, :width], scores))


def test_synthid_follows_rows():
    config = SynthIDTextWatermarkingConfig.read(SYNTHID)
    many, one = SynthIDTextWatermarkLogitsProcessor(config), SynthIDTextWatermarkLogitsProcessor(config)
    ids, scores = _random(3, 9)
    for width in range(4, 9):
        many(ids[:, :width], scores)
        one(ids[1:2, :width], scores[1:2])
    many.keep(torch.tensor([1]))
    torch.testing.assert_close(many(ids[1:2], scores[1:2]), one(ids[1:2], scores[1:2]))


@pytest.mark.parametrize("values", GREEN, ids=str)
@pytest.mark.parametrize("once", [False, True])
def test_each_detector_says_the_same(say, even, values, once):
    text = torch.cat((say(watermarking_config=values), say()))
    ours = WatermarkDetector(values, vocab_size=VOCABULARY, ignore_repeated_ngrams=once)(text)
    full = WatermarkingConfig.read(values).to_dict()
    theirs = transformers.WatermarkDetector(even.config, "cpu", full, ignore_repeated_ngrams=once)(
        text, return_dict=True
    )
    for name, other in (("z_score", "z_score"), ("p_value", "p_value"), ("hits", "num_green_tokens")):
        torch.testing.assert_close(getattr(ours, name), torch.from_numpy(getattr(theirs, other)))
    assert ours.prediction.tolist() == theirs.prediction.tolist()
    assert not ours.prediction[4:].any()
    if not once:  # few different tokens are no proof
        assert (ours.p_value[:4] < 1e-3).all()


def test_the_ecosystems_marks_are_found():
    """Text marked by the other library's processor, drawn here."""
    for values in GREEN[1:]:
        theirs = transformers.WatermarkLogitsProcessor(vocab_size=VOCABULARY, device="cpu", **values)
        text = torch.ones(2, 4, dtype=torch.long)
        generator = torch.Generator().manual_seed(1)
        for step in range(80):
            scores = theirs(text, _random(2, 1, step)[1])
            text = torch.cat((text, torch.multinomial(scores.softmax(-1), 1, generator=generator)), dim=1)
        assert WatermarkDetector(values, vocab_size=VOCABULARY)(text[:, 4:]).prediction.all()


def test_synthid_is_found_and_chance_is_not(say):
    detector = SynthIDTextDetector(SYNTHID)
    marked = detector(say(watermarking_config=SYNTHID))
    assert marked.prediction.all()
    assert (marked.p_value < 1e-3).all()
    assert (marked.fraction > 0.53).all()
    assert not detector(say()).prediction.any()
    other = {**SYNTHID, "keys": [1, 2, 3]}
    assert not SynthIDTextDetector(other)(say(watermarking_config=SYNTHID)).prediction.any()


def test_synthid_g_values_are_the_ecosystems():
    theirs = transformers.SynthIDTextWatermarkLogitsProcessor(
        **SYNTHID, sampling_table_size=2**16, sampling_table_seed=0, device="cpu"
    )
    ids, _ = _random(3, 40)
    ids[:, 20:30] = ids[:, :10]
    ids[1, 35] = 7
    values = SynthIDTextDetector(SYNTHID, eos_token_id=7)(ids)
    g, counts = SynthIDTextDetector(SYNTHID, eos_token_id=7).g_values(ids)
    ended = theirs.compute_eos_token_mask(ids, 7)[:, SYNTHID["ngram_len"] - 1 :].bool()
    assert torch.equal(g, theirs.compute_g_values(ids))
    assert torch.equal(counts, theirs.compute_context_repetition_mask(ids) & ended)
    assert values.num_tokens_scored.tolist() == counts.sum(dim=1).tolist()


@pytest.mark.parametrize("make", ["green", "synthid"])
def test_p_values_of_unmarked_text_are_even(make):
    """Of 400 random texts about one in ten has a p-value below 0.1, about half below 0.5."""
    ids, _ = _random(400, 60)
    detector = WatermarkDetector({}, vocab_size=VOCABULARY) if make == "green" else SynthIDTextDetector(SYNTHID)
    found = detector(ids).p_value
    assert 0.05 < (found < 0.1).double().mean() < 0.16
    assert 0.4 < (found < 0.5).double().mean() < 0.6


def test_it_marks_beside_another_strategy(say):
    text = say(watermarking_config={"bias": 4.0}, do_sample=False, num_beams=2, top_k=None)
    assert WatermarkDetector({"bias": 4.0}, vocab_size=VOCABULARY, ignore_repeated_ngrams=True)(text).z_score.min() > 1


def test_objects_of_the_ecosystem_are_configs(say):
    config = transformers.WatermarkingConfig(bias=5.0)
    assert WatermarkDetector(config, vocab_size=VOCABULARY)(say(watermarking_config=config)).prediction.all()


def test_a_context_that_is_not_there_yet(even):
    with pytest.warns(ModelryWarning, match="not marked before 4"):
        generate(even, [[1]], watermarking_config={"seeding_scheme": "selfhash", "context_width": 4}, max_new_tokens=8)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"greenlist_ratio": 0}, "greenlist_ratio=0"),
        ({"greenlist_ratio": float("nan")}, "greenlist_ratio=nan"),
        ({"bias": float("nan")}, "bias=nan"),
        ({"context_width": 0}, "context_width=0"),
        ({"hashing_key": -1}, "hashing_key=-1"),
        ({"seeding_scheme": "both"}, "seeding_scheme='both'"),
        ({"colour": "green"}, "colour='green'"),
        ({"keys": [1]}, "ngram_len"),
        ({"keys": [], "ngram_len": 3}, "keys"),
        ({"keys": [1], "ngram_len": 1}, "ngram_len=1"),
        ({"keys": [1], "ngram_len": 3, "sampling_table_size": 2**25}, "sampling_table_size"),
        (SYNTHID, "do_sample=True"),
    ],
)
def test_impossible_configs(even, values, message):
    with pytest.raises(GenerationError, match=message):
        generate(even, [[1]], watermarking_config=values, max_new_tokens=2)
    assert generate(even, [[1]], max_new_tokens=2).shape == (1, 3)


@pytest.mark.parametrize("ids", [[[1]], [[1.5, 2.5]], [1, 2, 3], [[1, 2, 3, VOCABULARY]], [[-1, 2, 3, 4]]])
def test_texts_that_cannot_be_judged(ids):
    with pytest.raises(GenerationError):
        WatermarkDetector({}, vocab_size=VOCABULARY)(ids)
    if len(str(ids)) < 12:
        with pytest.raises(GenerationError):
            SynthIDTextDetector(SYNTHID)(ids)


def test_a_text_of_one_token_said_again_is_no_proof():
    detector = WatermarkDetector({}, vocab_size=VOCABULARY, ignore_repeated_ngrams=True)
    assert detector([[5] * 50]).num_tokens_scored.tolist() == [1]


def test_synthid_is_not_shown_drafts():
    assert SynthIDTextWatermarkLogitsProcessor.remembers
    assert not WatermarkLogitsProcessor.remembers
