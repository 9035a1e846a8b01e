"""The harness gives for our model type the figures of its own type `hf` on the same checkpoint."""

import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

NAMES = ["local_choices", "local_writing", "local_rolling"]
"""Scored choices, texts that are written, and whole texts."""


@pytest.fixture(autouse=True)
def _at_home(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    import datasets
    import lm_eval.evaluator

    monkeypatch.setattr(
        lm_eval.evaluator, "add_env_info", lambda found: None
    )  # it starts programs that ask the machine
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)  # its own type asks the hub for a commit


def figures(model: Any, checkpoint: Path, tasks: Path, **more: Any) -> Any:
    import lm_eval
    from lm_eval.tasks import TaskManager

    import modelry_lm_eval

    modelry_lm_eval.register()
    modelry_lm_eval.register()
    arguments = {"pretrained": str(checkpoint), **more} if isinstance(model, str) else None
    return lm_eval.simple_evaluate(
        model=model,
        model_args=arguments,
        tasks=NAMES,
        task_manager=TaskManager(include_path=str(tasks), include_defaults=False),
        device="cpu",
        batch_size=4,
        log_samples=True,
        bootstrap_iters=0,
    )


def answers(found: Any, task: str) -> list[Any]:
    rows = sorted(found["samples"][task], key=lambda row: row["doc_id"])
    return [row["filtered_resps"] for row in rows]


def test_the_figures_of_its_own_type(checkpoint: Path, tasks: Path) -> None:
    ours, theirs = (figures(name, checkpoint, tasks) for name in ("modelry", "hf"))
    for task in NAMES[:2]:
        assert ours["results"][task] == theirs["results"][task]
    for name, value in theirs["results"]["local_rolling"].items():
        if isinstance(value, float):
            assert ours["results"]["local_rolling"][name] == pytest.approx(value, rel=1e-6)
    assert 0 < ours["results"]["local_choices"]["acc,none"] < 1
    assert answers(ours, "local_writing") == answers(theirs, "local_writing")
    assert len({row[0] for row in answers(ours, "local_writing")}) > 10
    for row, other in zip(answers(ours, "local_choices"), answers(theirs, "local_choices"), strict=True):
        for (value, greedy), (expected, also) in zip(row, other, strict=True):
            assert float(value) == pytest.approx(float(expected), abs=2e-5)
            assert greedy == also
    assert ours["config"]["model_num_parameters"] == theirs["config"]["model_num_parameters"]


def test_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The harness's own takes seconds to read its thousands of tasks: here it says what it was given."""
    from lm_eval import __main__ as harness
    from lm_eval.api.registry import get_model

    from modelry_lm_eval import ModelryLM
    from modelry_lm_eval.command import evaluate

    monkeypatch.setattr(harness, "cli_evaluate", lambda: print(*sys.argv[1:]))
    before = list(sys.argv)
    ran = CliRunner().invoke(evaluate, ["--model_args", "pretrained=somewhere", "--tasks", "one"])
    assert ran.output == "run --model modelry --model_args pretrained=somewhere --tasks one\n"
    assert sys.argv == before
    assert get_model("modelry") is ModelryLM


def test_a_model_that_is_there_with_an_adapter(checkpoint: Path, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    from modelry import AutoModelForCausalLM, AutoTokenizer
    from modelry_lm_eval import ModelryLM

    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    config = LoraConfig(r=4, init_lora_weights=False, task_type="CAUSAL_LM")
    get_peft_model(AutoModelForCausalLM.from_pretrained(checkpoint), config).save_pretrained(tmp_path)
    adapted = ModelryLM(AutoModelForCausalLM.from_pretrained(checkpoint), tokenizer=tokenizer, peft=str(tmp_path))
    named = ModelryLM(str(checkpoint), peft=str(tmp_path), device="cpu")
    plain = ModelryLM(str(checkpoint), device="cpu")
    asked = [(None, [5, 6], [7]), (None, [8], [9, 10])]
    answers = [one._loglikelihood_tokens(asked, disable_tqdm=True) for one in (adapted, named, plain)]
    assert answers[0] == answers[1] != answers[2]
    assert adapted.get_model_info()["model_num_parameters"] > plain.get_model_info()["model_num_parameters"]


def test_chats(checkpoint: Path) -> None:
    from modelry_lm_eval import ModelryLM

    own = ModelryLM(str(checkpoint), device="cpu")
    own.tokenizer.chat_template = (
        "{% for one in messages %}[{{one.content}}]{% endfor %}{% if add_generation_prompt %}>{% endif %}"
    )
    assert own.apply_chat_template([{"role": "user", "content": "the cat"}]) == "[the cat]>"
    assert own.tok_encode("<s>the") == own.tok_encode("<s>the", add_special_tokens=False)
    assert own.prefix_token_id == 0
    assert own.max_length == 96


def test_what_cannot_be(checkpoint: Path) -> None:
    from modelry import AutoConfig, AutoModelForSeq2SeqLM
    from modelry_lm_eval import ModelryLM

    with pytest.raises(ValueError, match="batch_size='auto': give a number of rows"):
        ModelryLM(str(checkpoint), batch_size="auto")
    sizes = {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 1, "num_heads": 4, "vocab_size": 96}
    t5 = AutoModelForSeq2SeqLM.from_config(AutoConfig.for_model("t5", **sizes))
    with pytest.raises(ValueError, match="T5ForConditionalGeneration does not score next tokens of one text"):
        ModelryLM(t5)
    own = ModelryLM(str(checkpoint), device="cpu", max_length=8)
    with pytest.raises(ValueError, match="wants 12 tokens written and the model reads 8"):
        list(own._continued([[1, 2]], {"until": [], "max_gen_toks": 12}))
