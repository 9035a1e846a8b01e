"""A small hub for tests: speaks enough of the Hugging Face Hub's protocol for huggingface_hub as the client.

    with HubServer() as hub:
        hub.add("organisation/model", {"config.json": b"{}"})
        os.environ["HF_ENDPOINT"] = hub.url

Downloads with ranges, listings, revisions, private and gated repositories, branches, regular and LFS uploads. Every
request is recorded; connections can be made to break after a number of bytes.
"""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    import pytest

LARGE_SUFFIXES = (".safetensors", ".gguf", ".bin")
"""Files that go by LFS, up and down."""


@dataclass
class Repository:
    """One model repository: branches and tags to commits, commits to files."""

    revisions: dict[str, str] = field(default_factory=dict)
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    private: bool = False
    gated: bool = False

    def commit(self, files: Mapping[str, bytes], branch: str = "main") -> str:
        """Add a commit that changes these files; returns its hash."""
        parent = self.revisions.get(branch) or self.revisions.get("main", "")
        content = {**self.commits.get(parent, {}), **files}
        digest = hashlib.sha1(parent.encode() + branch.encode())
        for name, data in sorted(content.items()):
            digest.update(name.encode() + hashlib.sha256(data).digest())
        self.commits[digest.hexdigest()] = content
        self.revisions[branch] = digest.hexdigest()
        return digest.hexdigest()

    def find(self, revision: str) -> str | None:
        """The commit of a branch, a tag or a hash."""
        return self.revisions.get(revision) or (revision if revision in self.commits else None)


class HubServer:
    """Runs in a thread, on a free port of this machine, inside a with statement."""

    token = "hf_test"
    """The one token that may read private repositories and write."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.requests: list[tuple[str, str]] = []
        """Method and path, in order."""
        self.uploads: dict[str, bytes] = {}
        """LFS objects by their sha256."""
        self.break_after: list[int] = []
        """For each of the next file downloads: the connection is cut after this many bytes."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        """What HF_ENDPOINT is to be."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def add(self, name: str, files: Mapping[str, bytes], *, private: bool = False, gated: bool = False) -> Repository:
        """A new repository with one commit on main."""
        repository = self.repositories[name] = Repository(private=private, gated=gated)
        repository.commit(files)
        return repository

    def files(self, name: str, revision: str = "main") -> dict[str, bytes]:
        """What a repository holds."""
        repository = self.repositories[name]
        return repository.commits[repository.revisions[revision]]

    def fetched(self) -> list[str]:
        """Names of the files that were downloaded, in order."""
        return [
            path.partition("/resolve/")[2].partition("/")[2] for method, path in self.requests if _is_file(method, path)
        ]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def only_hub(monkeypatch: "pytest.MonkeyPatch", folder: Path) -> Iterator[HubServer]:
    """A hub on this machine that every hub function of this process speaks to, with an empty cache and no tokens.

    Args:
        folder: an empty one.
    """
    from huggingface_hub import constants

    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "hub-cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(folder / "no-token"))
    monkeypatch.setattr(constants, "HF_STORED_TOKENS_PATH", str(folder / "no-tokens"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with HubServer() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


def _is_file(method: str, path: str) -> bool:
    return method == "GET" and "/resolve/" in path


class _Handler(BaseHTTPRequestHandler):
    """One connection. Subclassed per server, which is `hub`."""

    hub: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing; `hub.requests` remembers."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append((self.command, path))
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "/resolve/" in path:
            name, _, rest = path[1:].partition("/resolve/")
            self._file(name, *rest.split("/", 1))
        elif path.startswith("/lfs/"):
            self._lfs(path.removeprefix("/lfs/"), body)
        elif path.endswith(".git/info/lfs/objects/batch"):
            self._batch(json.loads(body))
        elif path == "/api/validate-yaml":  # of a README.md
            self._say(200, {"errors": [], "warnings": []})
        elif path == "/api/repos/create":
            self._create(json.loads(body))
        elif path.startswith("/api/models/"):
            self._model(path.removeprefix("/api/models/"), body)
        else:
            self._say(404, {"error": "no such page"})

    # Reading

    def _model(self, path: str, body: bytes) -> None:
        for action in ("revision", "preupload", "commit", "branch"):
            name, found, revision = path.partition(f"/{action}/")
            if found:
                break
        else:
            name, action, revision = path, "revision", "main"
        repository = self._repository(name, write=action != "revision")
        if repository is None:
            return
        if action == "preupload":
            modes = [
                {"path": one["path"], "uploadMode": "lfs" if one["path"].endswith(LARGE_SUFFIXES) else "regular"}
                for one in json.loads(body)["files"]
            ]
            self._say(200, {"files": [{**mode, "shouldIgnore": False} for mode in modes]})
        elif action == "branch":
            repository.revisions.setdefault(revision, repository.revisions.get("main", ""))
            self._say(200, {})
        elif action == "commit":
            self._commit(name, repository, revision, body)
        else:
            self._info(name, repository, revision)

    def _info(self, name: str, repository: Repository, revision: str) -> None:
        commit = repository.find(revision)
        if commit is None:
            self._say(404, {"error": f"Invalid rev id: {revision}"}, {"X-Error-Code": "RevisionNotFound"})
            return
        siblings = [{"rfilename": file} for file in repository.commits.get(commit, {})]
        self._say(
            200, {"id": name, "modelId": name, "sha": commit, "siblings": siblings, "private": repository.private}
        )

    def _file(self, name: str, revision: str, file: str) -> None:
        repository = self._repository(name)
        if repository is None:
            return
        commit = repository.find(revision)
        if commit is None:
            self._say(404, {"error": "Invalid rev id"}, {"X-Error-Code": "RevisionNotFound"})
            return
        data = repository.commits[commit].get(file)
        if data is None:
            self._say(404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
            return
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0] or 0)
        self.send_response(206 if start else 200)
        self.send_header("X-Repo-Commit", commit)
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(data) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.hub.break_after:
            self.wfile.write(data[start : start + self.hub.break_after.pop(0)])
            self.wfile.flush()
            self.connection.close()
            self.close_connection = True
            return
        self.wfile.write(data[start:])

    # Writing

    def _create(self, values: dict[str, Any]) -> None:
        if not self._authorized():
            self._say(
                401, {"error": "Unauthorized"}, {"X-Error-Message": "Invalid credentials in Authorization header"}
            )
            return
        owner = values.get("organization") or "tester"
        name = f"{owner}/{values['name']}"
        known = name in self.hub.repositories
        private = bool(values.get("private")) or values.get("visibility") == "private"
        self.hub.repositories.setdefault(name, Repository(private=private))
        if not known:
            self.hub.repositories[name].commit({".gitattributes": b""})
        self._say(409 if known else 200, {"url": f"{self.hub.url}/{name}", "name": name})

    def _batch(self, values: dict[str, Any]) -> None:
        objects = []
        for one in values["objects"]:
            entry: dict[str, Any] = {"oid": one["oid"], "size": one["size"]}
            if one["oid"] not in self.hub.uploads:
                entry["actions"] = {"upload": {"href": f"{self.hub.url}/lfs/{one['oid']}"}}
            objects.append(entry)
        self._say(200, {"transfer": "basic", "objects": objects})

    def _lfs(self, oid: str, body: bytes) -> None:
        if hashlib.sha256(body).hexdigest() != oid:
            self._say(400, {"error": "another sha256"})
            return
        self.hub.uploads[oid] = body
        self._say(200, {})

    def _commit(self, name: str, repository: Repository, revision: str, body: bytes) -> None:
        files: dict[str, bytes] = {}
        for line in body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                files[value["path"]] = self.hub.uploads[value["oid"]]
        commit = repository.commit(files, revision)
        self._say(200, {"success": True, "commitOid": commit, "commitUrl": f"{self.hub.url}/{name}/commit/{commit}"})

    # Answers

    def _authorized(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {self.hub.token}"

    def _repository(self, name: str, *, write: bool = False) -> Repository | None:
        """The repository, or None after a refusal was sent."""
        found = self.hub.repositories.get(name)
        given = self.headers.get("Authorization")
        if given is not None and not self._authorized():
            self._say(
                401, {"error": "Invalid token"}, {"X-Error-Message": "Invalid credentials in Authorization header"}
            )
        elif found is None:
            self._say(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
        elif (found.private or write) and given is None:
            self._say(401, {"error": "Invalid username or password."})
        elif found.gated and given is None:
            self._say(401, {"error": "Access is restricted"}, {"X-Error-Code": "GatedRepo"})
        else:
            return found
        return None

    def _say(self, status: int, values: object, headers: Mapping[str, str] | None = None) -> None:
        data = json.dumps(values).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _handler(hub: HubServer) -> type[_Handler]:
    return type("_BoundHandler", (_Handler,), {"hub": hub})
