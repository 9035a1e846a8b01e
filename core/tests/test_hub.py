"""References to files, and pushing: against a hub on this machine, with huggingface_hub as the client."""

import hashlib
import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from kernel_toys import NoteConfig, NoteForCausalLM

from modelry import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from modelry.errors import AccessDenied, ModelryWarning, NotFound, Unreachable, UnsafeCheckpoint
from modelry.hub import resolve_reference, split_hub_options
from modelry.uploading import push_saved
from modelry_testing.hub_server import HubServer

pytestmark = pytest.mark.usefixtures("registry")

CONFIG = json.dumps({"model_type": "note"}).encode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A saved model."""
    path = tmp_path / "saved"
    NoteForCausalLM.from_config(NoteConfig()).save_pretrained(path)
    return path


def published(hub: HubServer, folder: Path, name: str = "org/note") -> None:
    hub.add(name, {path.name: path.read_bytes() for path in folder.iterdir()})


# Local references


def test_a_folder_a_file_and_a_source(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(CONFIG)
    source = resolve_reference(tmp_path)
    assert source.file("config.json") == tmp_path / "config.json"
    assert source.file("absent.json", required=False) is None
    assert resolve_reference(source) is source
    assert [path.name for path in source.files(["*.json"])] == ["config.json"]
    single = resolve_reference(str(tmp_path / "config.json"))
    assert single.single == tmp_path / "config.json"
    with pytest.raises(NotFound, match=r"holds no absent\.json"):
        source.file("absent.json")


def test_a_subfolder(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "config.json").write_bytes(CONFIG)
    assert resolve_reference(tmp_path, subfolder="inner").file("config.json") is not None
    with pytest.raises(NotFound, match="no folder other"):
        resolve_reference(tmp_path, subfolder="other")


@pytest.mark.parametrize(
    "name", ["/no/such/folder", "./absent", "a/b/c", "", "../x", "org/../x", "x; rm -rf /", "a" * 10_000, "m.gguf"]
)
def test_what_is_no_reference_at_all(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(NotFound, match="no name of a repository"):
        resolve_reference(name)


def test_a_path_object_is_never_looked_for_on_the_hub() -> None:
    with pytest.raises(NotFound, match="models/absent is no folder or file here; a repository is named by text"):
        resolve_reference(Path("models/absent"))
    with pytest.raises(NotFound, match="give its name as text or a Path"):
        resolve_reference(b"models")  # type: ignore[arg-type]


def test_what_lacks_a_file_names_the_one_that_is_whole(tmp_path: Path) -> None:
    (tmp_path / "tiny.gguf").touch()
    for missing in (AutoConfig, AutoTokenizer):
        with pytest.raises(NotFound, match=r"to load tiny\.gguf, give its path, or gguf_file='tiny\.gguf'"):
            missing.from_pretrained(tmp_path)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/../../b", "C:/x", "..\\x"])
def test_names_of_files_stay_inside(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsafeCheckpoint, match="outside of it"):
        resolve_reference(tmp_path).file(name)


def test_an_unreadable_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(NotFound, match="cannot be read: Permission denied"):
        resolve_reference(tmp_path)


def test_options_are_told_apart() -> None:
    assert split_hub_options({"revision": "v1", "num_labels": 3}) == ({"revision": "v1"}, {"num_labels": 3})


# Downloads


def test_only_the_needed_files_are_fetched_at_one_commit(hub: HubServer, folder: Path) -> None:
    published(hub, folder)
    hub.repositories["org/note"].commit({"README.md": b"x", "pytorch_model.bin": b"x" * 1000})
    model = AutoModelForCausalLM.from_pretrained("org/note")
    assert type(model) is NoteForCausalLM
    assert sorted(hub.fetched()) == ["config.json", "model.safetensors"]
    listings = [path for _, path in hub.requests if path.startswith("/api/models/org/note")]
    assert len(listings) == 1, "the commit is resolved once"
    commit = hub.repositories["org/note"].revisions["main"]
    assert all(commit in path for _, path in hub.requests if "/resolve/" in path)


def test_a_second_load_fetches_nothing(hub: HubServer, folder: Path) -> None:
    published(hub, folder)
    AutoModelForCausalLM.from_pretrained("org/note")
    hub.requests.clear()
    AutoModelForCausalLM.from_pretrained("org/note")
    assert len(hub.requests) == 1, "whether main has moved, and nothing else"
    hub.requests.clear()
    commit = hub.repositories["org/note"].revisions["main"]
    AutoConfig.from_pretrained("org/note", revision=commit)
    assert hub.requests == [], "a commit does not move"


def test_shards_revisions_and_subfolders(hub: HubServer, folder: Path, tmp_path: Path) -> None:
    NoteForCausalLM.from_config(NoteConfig()).save_pretrained(tmp_path / "sharded", max_shard_size=600)
    files = {path.name: path.read_bytes() for path in (tmp_path / "sharded").iterdir()}
    assert len(files) > 3
    repository = hub.add("org/sharded", {"other.txt": b""})
    repository.commit({f"inner/{name}": data for name, data in files.items()}, branch="v2")
    model = AutoModelForCausalLM.from_pretrained("org/sharded", revision="v2", subfolder="inner")
    assert model.num_parameters() > 0
    with pytest.raises(NotFound, match=r"holds no config\.json"):
        AutoModelForCausalLM.from_pretrained("org/sharded")
    with pytest.raises(NotFound, match="has no revision v3"):
        AutoModelForCausalLM.from_pretrained("org/sharded", revision="v3")


def test_a_cut_connection_is_resumed(hub: HubServer) -> None:
    data = bytes(range(256)) * 40_000
    hub.add("org/big", {"config.json": CONFIG, "model.safetensors": data})
    hub.break_after = [100_000]
    path = resolve_reference("org/big").file("model.safetensors")
    assert path is not None
    assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(data).digest()
    assert hub.fetched() == ["model.safetensors"] * 2, "cut, then resumed"


def test_cache_dir_and_force_download(hub: HubServer, tmp_path: Path) -> None:
    hub.add("org/note", {"config.json": CONFIG})
    AutoConfig.from_pretrained("org/note", cache_dir=tmp_path / "mine")
    assert (tmp_path / "mine" / "models--org--note").is_dir()
    AutoConfig.from_pretrained("org/note", cache_dir=tmp_path / "mine", force_download=True)
    assert hub.fetched() == ["config.json"] * 2


# Offline


def test_offline_sends_no_request(hub: HubServer, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published(hub, folder)
    with pytest.raises(Unreachable, match="not in the cache"):
        AutoConfig.from_pretrained("org/note", local_files_only=True)
    AutoModelForCausalLM.from_pretrained("org/note")
    hub.requests.clear()
    AutoModelForCausalLM.from_pretrained("org/note", local_files_only=True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    AutoModelForCausalLM.from_pretrained("org/note")
    with pytest.raises(Unreachable, match="HF_HUB_OFFLINE"):
        NoteConfig().push_to_hub("org/other")
    assert hub.requests == []


def test_a_dead_hub_means_the_cache_or_a_clear_error(
    hub: HubServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(hub, folder)
    AutoConfig.from_pretrained("org/note")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.warns(ModelryWarning, match="the cached files are used"):
            AutoConfig.from_pretrained("org/note")
        with pytest.raises(Unreachable, match="no folder of this name here, and the hub does not answer"):
            AutoConfig.from_pretrained("org/unknown")


# Refusals


def test_404_401_and_a_wrong_token(hub: HubServer) -> None:
    hub.add("org/private", {"config.json": CONFIG}, private=True)
    hub.add("org/gated", {"config.json": CONFIG}, gated=True)
    with pytest.raises(NotFound, match="org/absent: no folder of this name here, and no repository"):
        AutoConfig.from_pretrained("org/absent")
    with pytest.raises(AccessDenied, match="org/private: the hub answers 401; give a token"):
        AutoConfig.from_pretrained("org/private")
    with pytest.raises(AccessDenied, match="org/gated is gated"):
        AutoConfig.from_pretrained("org/gated")
    with pytest.raises(AccessDenied, match="answers 401; give a token"):
        AutoConfig.from_pretrained("org/private", token="hf_wrong")
    assert AutoConfig.from_pretrained("org/private", token=hub.token).model_type == "note"


# Uploads


@pytest.mark.filterwarnings("ignore:Use 'content=<...>':DeprecationWarning")  # huggingface_hub's own, on LFS uploads
def test_push_config_and_model(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    model = NoteForCausalLM.from_config(NoteConfig())
    with pytest.raises(AccessDenied):
        model.config.push_to_hub("org/pushed")
    monkeypatch.setenv("HF_TOKEN", hub.token)
    model.config.push_to_hub("org/pushed", commit_message="the configuration")
    assert json.loads(hub.files("org/pushed")["config.json"])["model_type"] == "note"
    address = model.push_to_hub("org/pushed", private=True)
    assert address.endswith(hub.repositories["org/pushed"].revisions["main"])
    again = AutoModelForCausalLM.from_pretrained("org/pushed")
    assert all(again.get_parameter(name).equal(value) for name, value in model.named_parameters())
    model.push_to_hub("org/pushed", revision="v2", max_shard_size=600)
    assert "model.safetensors.index.json" in hub.files("org/pushed", "v2")


def test_push_whatever_saves(hub: HubServer) -> None:
    def save(folder: Path) -> None:
        (folder / "tokenizer.json").write_text("{}")

    push_saved(save, "org/tokenizer", message="Upload tokenizer", token=hub.token)
    assert hub.files("org/tokenizer")["tokenizer.json"] == b"{}"


def test_progress_only_on_a_terminal(hub: HubServer, capfd: pytest.CaptureFixture[str]) -> None:
    hub.add("org/note", {"config.json": CONFIG, "model.safetensors": b"x" * 10_000})
    resolve_reference("org/note").file("model.safetensors")
    assert capfd.readouterr() == ("", "")


def test_local_references_import_no_client(run_fresh: Callable[..., str], folder: Path) -> None:
    code = (
        "import sys; from kernel_toys import NoteConfig\n"
        f"NoteConfig.from_pretrained({str(folder)!r})\n"
        "print('huggingface_hub' in sys.modules)"
    )
    assert run_fresh(code).strip() == "False"


def test_push_a_tokenizer_and_load_it_back(hub: HubServer, tmp_path: Path) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel

    Tokenizer(WordLevel({"a": 0, "b": 1}, unk_token="a")).save(str(tmp_path / "tokenizer.json"))
    AutoTokenizer.from_pretrained(tmp_path).push_to_hub("org/words", token=hub.token)
    assert "tokenizer.json" in hub.files("org/words")
    hub.requests.clear()
    assert AutoTokenizer.from_pretrained("org/words")("b")["input_ids"] == [1]
    assert "README.md" not in hub.fetched()


def test_offline_says_what_the_cache_lacks(hub: HubServer, folder: Path) -> None:
    published(hub, folder)
    AutoConfig.from_pretrained("org/note")
    with pytest.raises(Unreachable, match=r"the cache holds no weights: .* of org/note, and no request is allowed"):
        AutoModelForCausalLM.from_pretrained("org/note", local_files_only=True)


def test_a_token_is_never_shown() -> None:
    assert "secret" not in repr(resolve_reference("org/note", token="hf_secret"))
