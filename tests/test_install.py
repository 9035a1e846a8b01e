"""Packages as their users get them: wheels in clean environments, outside the repository, in use and uninstalled."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

MAKE_MODEL = """
import sys, torch
from tokenizers import Tokenizer, models, pre_tokenizers, decoders
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
torch.manual_seed(0)
alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
tokenizer = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(alphabet)}, merges=[]))
tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(sys.argv[1])
LlamaForCausalLM(LlamaConfig(
    vocab_size=256, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=64, bos_token_id=None, eos_token_id=None,
)).save_pretrained(sys.argv[1])
"""
GENERATE = """
import sys, pathlib
from modelry import AutoModelForCausalLM, AutoTokenizer, pipeline
import modelry, modelry_registry
assert "site-packages" in modelry.__file__ and "site-packages" in modelry_registry.__file__
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForCausalLM.from_pretrained(sys.argv[1])
ids = model.generate(**tokenizer("Hello", return_tensors="pt"), max_new_tokens=8, do_sample=False)
text = tokenizer.decode(ids[0])
assert pipeline("text-generation", model=model, tokenizer=tokenizer)(
    "Hello", max_new_tokens=8, do_sample=False)[0]["generated_text"] == text
print(repr(text))
"""
TRAIN = """
import json, pathlib, torch
from modelry import Trainer, TrainingArguments
import trackio, mlflow

class Slope(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(3))
    def forward(self, x, labels=None):
        found = x @ self.weight
        return {"loss": ((found - labels) ** 2).mean(), "logits": found}

rows = [{"x": torch.ones(3), "labels": torch.tensor(1.0)} for _ in range(4)]
arguments = TrainingArguments(
    "out", report_to=["mlflow", "trackio"], project="inn", run_name="night", max_steps=3, logging_steps=1
)
Trainer(Slope(), arguments, train_dataset=rows).train()
client = mlflow.MlflowClient()
(run,) = client.search_runs([client.get_experiment_by_name("Default").experiment_id])
shown = {
    "mlflow": [point.step for point in client.get_metric_history(run.info.run_id, "train/loss")],
    "name": run.info.run_name,
    "trackio": [one.name for one in trackio.Api().runs("inn")],
}
pathlib.Path("shown.json").write_text(json.dumps(shown))
"""


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random Llama with a byte tokenizer, saved by the independent implementation."""
    folder = tmp_path_factory.mktemp("llama")
    subprocess.run([sys.executable, "-c", MAKE_MODEL, str(folder)], check=True, capture_output=True)
    return folder


def names(listing: str) -> set[str]:
    return {entry["name"] for entry in json.loads(listing)}


def test_core_and_one_plugin_generate_and_an_uninstalled_one_says_how_to_come_back(
    make_environment: Callable[[Sequence[str]], object], llama: Path
) -> None:
    environment = make_environment(["modelry-core", "modelry-plugin-llama"])
    assert environment.run(environment.python, "-W", "error", "-c", GENERATE, llama).stdout.startswith("'Hello")
    environment.pip("uninstall", "--yes", "modelry-plugin-llama")
    gone = environment.run(environment.python, "-c", GENERATE, llama, check=False)
    assert gone.returncode == 1
    assert "MissingPlugin" in gone.stderr
    assert "pip install modelry-plugin-llama" in gone.stderr
    assert "text-generation" in names(environment.run("modelry", "plugins", "list", "--json").stdout)


def test_the_registry_works_alone(make_environment: Callable[[Sequence[str]], object]) -> None:
    environment = make_environment(["modelry-registry"])
    assert names(environment.run("modelry", "plugins", "list", "--json").stdout) == set()
    missing = environment.run("modelry", "plugins", "show", "llama", check=False)
    assert missing.returncode == 1
    assert "pip install modelry-plugin-llama" in missing.stderr


def test_everything_and_everything_minus_one(
    make_environment: Callable[[Sequence[str]], object], wheels: Path, llama: Path
) -> None:
    environment = make_environment(["modelry[llm]", "modelry-testing"])
    everything = names(environment.run("modelry", "plugins", "list", "--json").stdout)
    assert {"llama", "gguf", "sampling", "text-generation", "sdpa", "safetensors", "run"} <= everything
    assert environment.run(environment.python, "-W", "error", "-c", GENERATE, llama).stdout.startswith("'Hello")
    environment.pip("uninstall", "--yes", "modelry-plugin-gguf")
    assert names(environment.run("modelry", "plugins", "list", "--json").stdout) == everything - {"gguf"}
    assert environment.run(environment.python, "-W", "error", "-c", GENERATE, llama).stdout.startswith("'Hello")


def test_two_distributions_of_one_name(
    make_environment: Callable[[Sequence[str]], object], llama: Path, tmp_path: Path
) -> None:
    """A second provider of `llama` is found, refused with the ways out, and chosen with one of them."""
    environment = make_environment(["modelry-core", "modelry-plugin-llama"])
    (site,) = environment.folder.glob("lib/python*/site-packages")
    second = site / "acme_llama-1.0.dist-info"
    second.mkdir()
    (second / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-llama\nVersion: 1.0\n")
    (second / "entry_points.txt").write_text("[modelry.models.v1]\nllama = acme_llama\n")
    refused = environment.run(environment.python, "-c", GENERATE, llama, check=False)
    assert "AmbiguousName" in refused.stderr
    assert "acme-llama" in refused.stderr
    assert "modelry-plugin-llama" in refused.stderr
    environment.run(environment.python, "-c", GENERATE, llama, MODELRY_PREFER="models:llama=modelry-plugin-llama")


def test_trackers_that_need_older_packages_than_the_tests(
    make_environment: Callable[[Sequence[str]], object], wheels: Path, repository: Path, tmp_path: Path
) -> None:
    """Both beside the trainer, as their users install them; their own tests run here too."""
    environment = make_environment([])
    trackers = ("mlflow", "trackio")
    try:
        wanted = ["modelry-trainer", "modelry-testing", *(f"modelry-plugin-{name}" for name in trackers)]
        environment.pip("install", "--no-compile", "--retries", "0", "--find-links", wheels, *wanted)
    except AssertionError as error:
        if "No matching distribution" not in str(error):
            raise
        pytest.skip("no package index can be reached")
    environment.pip("check")
    quiet = {"MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}
    places = {"MLFLOW_TRACKING_URI": tmp_path.as_uri(), "TRACKIO_DIR": str(tmp_path), **quiet}
    environment.run(environment.python, "-W", "ignore", "-c", TRAIN, **places)
    shown = json.loads((environment.folder / "shown.json").read_text())
    assert shown == {"mlflow": [1, 2, 3], "name": "night", "trackio": ["night"]}
    tests = [repository / "plugins" / "callbacks" / name / "tests" for name in trackers]
    ran = environment.run(environment.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, **quiet).stdout
    assert "passed" in ran
    assert "skipped" not in ran.splitlines()[-1]
