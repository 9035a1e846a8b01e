"""GenerationConfig reads, refuses, merges and writes what generation_config.json means."""

import json
import warnings

import numpy as np
import pytest
from pydantic import BaseModel

from modelry.errors import GenerationError, ModelryWarning, NotFound
from modelry.generation import GenerationConfig

IMPOSSIBLE = {
    "max_new_tokens": [0, -1, 1.5, "many"],
    "max_length": [0, -5],
    "min_length": [-1],
    "temperature": [-0.1, float("nan"), float("inf"), "hot"],
    "top_k": [-1, 2.5],
    "top_p": [-0.1, 1.1, float("nan")],
    "min_p": [1.5],
    "typical_p": [0.0, 1.5],
    "epsilon_cutoff": [1.0, -0.1],
    "eta_cutoff": [1.0],
    "repetition_penalty": [0, -1, float("nan")],
    "encoder_repetition_penalty": [0],
    "frequency_penalty": [float("inf")],
    "no_repeat_ngram_size": [-2],
    "num_beams": [0],
    "num_return_sequences": [0, -1],
    "max_time": [0, -1, float("nan")],
    "penalty_alpha": [-0.1, 2],
    "stop_strings": ["", ["end", ""], 5],
    "bad_words_ids": [[[]], [[-1]], 3],
    "early_stopping": ["sometimes"],
    "exponential_decay_length_penalty": [(-1, 1.1), (1,), (1, 0.0)],
    "num_assistant_tokens": [0],
    "dola_layers": ["middle"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in IMPOSSIBLE.items() for value in values])
def test_impossible_values_are_refused_by_name(name, value):
    with pytest.raises(GenerationError, match=name):
        GenerationConfig(**{name: value})


def test_an_assignment_is_checked_too():
    config = GenerationConfig()
    config.temperature = 0.5
    with pytest.raises(GenerationError, match=r"top_p=2"):
        config.top_p = 2
    assert (config.temperature, config.top_p) == (0.5, 1.0)


def test_unknown_fields_are_named_in_one_warning_and_kept():
    with pytest.warns(ModelryWarning, match=r"does not know colour, weight;") as caught:
        config = GenerationConfig(colour="red", weight=2, top_k=3, transformers_version="5.0")
    assert len(caught) == 1
    assert config.to_dict() == {"colour": "red", "weight": 2, "top_k": 3}
    assert str(config) == "GenerationConfig {'top_k': 3, 'colour': 'red', 'weight': 2}"
    with pytest.warns(ModelryWarning, match=r"does not know max_new_token;"):
        config.max_new_token = 5


def test_numbers_of_arrays_are_numbers():
    config = GenerationConfig(max_new_tokens=np.int64(3), eos_token_id=np.array([1, 2]), temperature=np.float32(0.5))
    assert (config.max_new_tokens, config.end_tokens, config.temperature) == (3, (1, 2), 0.5)


def test_absent_tokens():
    assert GenerationConfig(forced_eos_token_id=[]).forced_eos_token_id is None
    assert GenerationConfig(pad_token_id=-1, eos_token_id=[-1, 4, 4]).set_fields() == {
        "pad_token_id": None,
        "eos_token_id": [4, 4],
    }
    assert GenerationConfig(eos_token_id=[4, 7, 4]).end_tokens == (4, 7)
    assert GenerationConfig().end_tokens == ()


def test_a_file_goes_round(tmp_path):
    values = {"top_k": 7, "eos_token_id": [2, 3], "do_sample": True, "max_length": None, "stop_strings": ["é"]}
    (tmp_path / "generation_config.json").write_text(json.dumps(values))
    config = GenerationConfig.from_pretrained(tmp_path, temperature=0.5)
    assert (config.top_k, config.end_tokens, config.do_sample, config.temperature) == (7, (2, 3), True, 0.5)
    assert "max_length" not in config.model_fields_set
    biased = config.updated(sequence_bias={(1, 2): -3.0})
    biased.save_pretrained(tmp_path / "new")
    again = GenerationConfig.from_pretrained(tmp_path / "new")
    assert again.sequence_bias == [([1, 2], -3.0)]

    class Answer(BaseModel):
        number: int

    assert config.updated(json_schema=Answer).to_dict()["json_schema"] == Answer.model_json_schema()
    assert again.to_dict() == biased.to_dict()


def test_the_oracle_reads_what_we_write_and_we_what_it_writes(tmp_path):
    from transformers import GenerationConfig as Oracle

    GenerationConfig(top_p=0.9, do_sample=True, eos_token_id=[1, 2]).save_pretrained(tmp_path)
    theirs = Oracle.from_pretrained(tmp_path)
    assert (theirs.top_p, theirs.do_sample, theirs.eos_token_id) == (0.9, True, [1, 2])
    Oracle(max_new_tokens=5, repetition_penalty=1.2, sequence_bias=[[[1], 2.0]]).save_pretrained(tmp_path / "theirs")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours = GenerationConfig.from_pretrained(tmp_path / "theirs")
    assert (ours.max_new_tokens, ours.repetition_penalty) == (5, 1.2)


def test_every_field_that_a_plugin_can_honour_is_known():
    from transformers import GenerationConfig as Oracle

    not_ours = {"transformers_version", "_from_model_config", "continuous_batching_config"}
    not_ours |= {"token_healing", "low_memory"}
    assert set(vars(Oracle())) - not_ours <= set(GenerationConfig.model_fields)


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "not valid JSON"), ("[1]", "not an object"), ('{"top_k": -1}', r"generation_config.json: .*top_k=-1")],
)
def test_a_bad_file_is_named(tmp_path, text, message):
    (tmp_path / "generation_config.json").write_text(text)
    with pytest.raises(GenerationError, match=message):
        GenerationConfig.from_pretrained(tmp_path)


def test_a_missing_file(tmp_path):
    with pytest.raises(NotFound, match=r"holds no generation_config.json"):
        GenerationConfig.from_pretrained(tmp_path)


def test_what_json_cannot_say(tmp_path):
    with pytest.raises(GenerationError, match="cannot hold"):
        GenerationConfig(constraints=[object()]).save_pretrained(tmp_path)
    assert not list(tmp_path.iterdir())


def test_update_returns_what_it_does_not_know():
    config = GenerationConfig()
    assert config.update(top_k=3, colour="red") == {"colour": "red"}
    assert config.top_k == 3


def test_it_needs_no_torch(run_fresh):
    code = "import sys; from modelry import GenerationConfig, TextStreamer; GenerationConfig()"
    code += "; print('torch' in sys.modules)"
    assert run_fresh(code).strip() == "False"


def test_it_goes_to_the_hub_and_comes_back(hub):
    GenerationConfig(top_k=3, eos_token_id=5).push_to_hub("org/generation", token=hub.token)
    assert GenerationConfig.from_pretrained("org/generation").to_dict() == {"top_k": 3, "eos_token_id": 5}


def test_a_checkpoint_file_carries_its_own(tmp_path, monkeypatch):
    """The reader of its format is asked; one that has nothing to say is named."""
    from modelry.checkpoint import formats

    class Reader:
        values = {"eos_token_id": 7}  # noqa: RUF012  only read

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def generation_config(self):
            return self.values

    (tmp_path / "model.toy").touch()
    monkeypatch.setattr(formats, "open_reader", lambda path: Reader())
    assert GenerationConfig.from_pretrained(tmp_path / "model.toy").end_tokens == (7,)
    Reader.values = None
    with pytest.raises(NotFound, match="carries no generation configuration"):
        GenerationConfig.from_pretrained(tmp_path / "model.toy")
