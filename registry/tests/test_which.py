"""Who serves a checkpoint, told from its config.json."""

import json
import sys
from types import ModuleType

import pytest

from modelry_registry import ModelFamily, Quantizer, Registry, RegistryError
from modelry_registry.which import which


@pytest.fixture
def registry():
    heads = {"base": "a:ToyModel", "causal-lm": "a:ToyForCausalLM"}
    return Registry([], {}).extended(
        ModelFamily(model_type="toy", config="a:ToyConfig", heads=heads),
        Quantizer(name="int4", quantizer="a:Q", parameters="a:P"),
        distribution="toy-plugin",
    )


def checkpoint(folder, **config) -> str:
    (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


def test_a_checkpoint_that_is_served(registry, tmp_path):
    folder = checkpoint(tmp_path, model_type="toy", architectures=["ToyForCausalLM", "ToyForFun"])
    (need,) = which(registry, folder)
    assert (need.status, need.distribution, need.version) == ("ok", "toy-plugin", "0")
    assert need.message == "ToyForCausalLM is its head causal-lm; it has no head 'ToyForFun'"
    assert which(registry, str(tmp_path / "config.json")) == [need]


def test_quantization_is_a_need(registry, tmp_path):
    folder = checkpoint(tmp_path, model_type="toy", quantization_config={"quant_method": "int4"})
    assert [(need.kind, need.status) for need in which(registry, folder)] == [("models", "ok"), ("quantizers", "ok")]


def test_what_is_missing_gets_its_install_line(registry, tmp_path, monkeypatch):
    monkeypatch.setattr("modelry_registry.known.known_plugins", lambda: {"models": {"big": "big-plugin"}})
    folder = checkpoint(tmp_path, model_type="big", quantization_config={"quant_method": "nobody"})
    model, quantizer = which(registry, folder)
    assert (model.status, model.install) == ("missing", ("big-plugin",))
    assert "config.json asks for model_type 'big'" in model.message
    assert (quantizer.status, quantizer.install) == ("unknown", ())


def test_a_broken_plugin(site, tmp_path):
    site.install("bad", entries={"modelry.models.v1": ["bad"]}, source="1 / 0")
    (need,) = which(site.registry(), checkpoint(tmp_path, model_type="bad"))
    assert (need.status, need.distribution) == ("broken", "bad")


@pytest.mark.parametrize("model_type", ["../../x", "x" * 10_000, "a; rm -rf /", "\x1b[31m", 7, ["toy"], {}])
def test_hostile_model_types(registry, tmp_path, model_type):
    (need,) = which(registry, checkpoint(tmp_path, model_type=model_type))
    assert need.status == "unknown"
    assert need.name.isprintable()
    assert len(need.name) < 120
    assert "pip" not in need.message


@pytest.mark.parametrize("architectures", ["ToyModel", [7, None], {"a": 1}, [["x"]] * 1000])
def test_odd_architectures_do_no_harm(registry, tmp_path, architectures):
    (need,) = which(registry, checkpoint(tmp_path, model_type="toy", architectures=architectures))
    assert need.status == "ok"
    assert len(need.message) < 400


@pytest.mark.parametrize("quantization", ["int4", {"quant_method": None}, {}, {"quant_method": ["x"]}])
def test_odd_quantization_configs(registry, tmp_path, quantization):
    needs = which(registry, checkpoint(tmp_path, model_type="toy", quantization_config=quantization))
    assert {need.status for need in needs[1:]} <= {"unknown"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{}", "has no model_type"),
        (b'{"model_type": null}', "has no model_type"),
        (b"[1]", "not a JSON object"),
        (b'{"model_type": ', "cannot be read as JSON"),
        (b"\xff\xfe\x00", "cannot be read as JSON"),
        (b"[" * 200_000, "cannot be read as JSON"),
        (b" " * (17 * 2**20), "bytes"),
    ],
    ids=["empty", "null", "list", "cut", "binary", "deep", "huge"],
)
def test_bad_config_files(registry, tmp_path, content, words):
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(RegistryError, match=words):
        which(registry, str(tmp_path))


def test_a_folder_without_config(registry, tmp_path):
    with pytest.raises(RegistryError, match=r"has no config\.json"):
        which(registry, str(tmp_path))
    (tmp_path / "tiny.gguf").touch()
    with pytest.raises(RegistryError, match=r"ask about its tiny\.gguf"):
        which(registry, str(tmp_path))


def test_no_reference_is_not_the_folder_we_are_in(registry, tmp_path, monkeypatch):
    checkpoint(tmp_path, model_type="toy")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RegistryError, match="'' is neither a folder"):
        which(registry, "")


def test_a_single_checkpoint_file_needs_a_reader(registry, tmp_path):
    (tmp_path / "model.zip").write_bytes(b"")
    (need,) = which(registry, str(tmp_path / "model.zip"))
    assert (need.kind, need.name, need.status) == ("checkpoints", "zip", "unknown")


@pytest.mark.parametrize("reference", ["./nothing", "/nothing/at/all", "../x", "a/b/c", "a b", "x" * 5000, ""])
def test_references_that_are_nothing(registry, reference):
    with pytest.raises(RegistryError, match=r"neither a folder|config\.json") as caught:
        which(registry, reference)
    assert len(str(caught.value)) < 300


def test_a_repository_without_the_hub_client(registry, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(RegistryError, match=r"pip install 'modelry-registry\[hub\]'"):
        which(registry, "org/repo")


def test_a_repository(registry, monkeypatch, tmp_path):
    checkpoint(tmp_path, model_type="toy")
    asked = []

    def download(repo: str, file: str, *, revision: str | None) -> str:
        asked.append((repo, file, revision))
        if repo == "org/none":
            raise OSError("404")
        return str(tmp_path / file)

    hub = ModuleType("huggingface_hub")
    hub.hf_hub_download = download
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    assert which(registry, "org/repo", revision="v1")[0].status == "ok"
    assert asked == [("org/repo", "config.json", "v1")]
    with pytest.raises(RegistryError, match=r"config\.json of org/none cannot be fetched: OSError: 404"):
        which(registry, "org/none")
