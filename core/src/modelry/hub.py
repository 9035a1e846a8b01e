"""From what a user names (folder, file, "organisation/repository") to local files; the way back is in `uploading`.

These two touch the network for models, always through huggingface_hub, which is imported when a hub is meant. What a
user's URL of a picture, sound or film leads to comes through fetching.py; nothing else sends requests.
"""

import contextlib
import fnmatch
import os
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, TypedDict, Union

from modelry.errors import ModelryWarning, NotFound, Unreachable, UnsafeCheckpoint
from modelry.hub_errors import hub_errors

__all__ = ["HubOptions", "Reference", "Source", "resolve_reference", "split_hub_options"]

_REPOSITORY = re.compile(r"(?:[A-Za-z0-9_][\w.-]{0,95}/)?[A-Za-z0-9_][\w.-]{0,95}", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")

Reference = Union[str, "os.PathLike[str]", "Source"]


class HubOptions(TypedDict, total=False):
    """The arguments of every from_pretrained that say where files come from."""

    revision: str | None
    subfolder: str
    cache_dir: str | Path | None
    local_files_only: bool
    token: str | bool | None
    force_download: bool
    gguf_file: str | None


def split_hub_options(options: Mapping[str, Any]) -> tuple[HubOptions, dict[str, Any]]:
    """Part from_pretrained's keyword arguments into those of this room and the others."""
    ours: Any = {key: value for key, value in options.items() if key in HubOptions.__annotations__}
    return ours, {key: value for key, value in options.items() if key not in HubOptions.__annotations__}


@dataclass
class Source:
    """Where the files of one pretrained model are. A repository's are fetched when asked for, all of one commit."""

    name: str
    """What the user wrote."""
    folder: Path | None = None
    single: Path | None = None
    """The reference is this one file."""
    repository: str | None = None
    revision: str | None = None
    subfolder: str = ""
    cache_dir: Path | None = None
    offline: bool = False
    token: str | bool | None = field(default=None, repr=False)
    force_download: bool = False
    commit: str | None = None
    _listing: tuple[str, ...] | None = field(default=None, repr=False)
    _had: dict[str, Path] = field(default_factory=dict, repr=False, compare=False)
    """Files that were fetched for this load: with force_download too, each is fetched once."""

    def file(self, name: str, *, required: bool = True) -> Path | None:
        """The local path of one file, fetched when needed; None when it does not exist and is not required.

        Raises:
            NotFound: required, and there is none.
            Unreachable, AccessDenied: it cannot be fetched.
            UnsafeCheckpoint: the name leads out of the folder.
        """
        _stays_inside(name, self.name)
        if self.folder is not None:
            path: Path | None = self.folder / name
            path = path if path is not None and path.is_file() else None
        elif self.single is not None:
            path = self.single if self.single.name == name else None
        else:
            path = self._fetched(name)
        if path is None and required:
            raise self.lacks(name)
        return path

    def lacks(self, what: str) -> NotFound | Unreachable:
        """The error that says that a file does not exist, or that nobody may ask the hub for it.

        Where there is a file that is a whole model, it says how to name that one: it is probably meant.
        """
        if self.offline and self.repository is not None:
            return Unreachable(
                f"the cache holds no {what} of {self.name}, and no request is allowed; "
                "fetch it once without HF_HUB_OFFLINE and local_files_only"
            )
        whole = () if self.single is not None else [name for name in self.names() if name.endswith(".gguf")]
        hint = f"; to load {whole[0]}, give its path, or gguf_file={whole[0]!r}" if whole else ""
        return NotFound(f"{self.name} holds no {what}{hint}")

    def files(self, patterns: Iterable[str]) -> list[Path]:
        """The local paths of all files that match one of the shell patterns, fetched when needed, sorted by name."""
        wanted = tuple(patterns)
        names = [name for name in self.names() if any(fnmatch.fnmatchcase(name, pattern) for pattern in wanted)]
        return [path for path in map(self.file, names) if path is not None]

    def names(self) -> tuple[str, ...]:
        """The names of all files, sorted, none fetched: of a folder those directly in it, of a repository all."""
        if self.single is not None:
            return (self.single.name,)
        if self.folder is not None:
            return tuple(sorted(path.name for path in self.folder.iterdir() if path.is_file()))
        if self._listing is None:
            self._list()
        prefix = f"{self.subfolder}/" if self.subfolder else ""
        return tuple(sorted(name.removeprefix(prefix) for name in self._listing or () if name.startswith(prefix)))

    def _list(self) -> None:
        """Learn the commit and its files: one request, or none when we are offline."""
        assert self.repository is not None
        if self.offline:
            self._list_cached()
            return
        try:
            with hub_errors(self.name, self.revision):
                info = hub_client(self.token).model_info(self.repository, revision=self.commit or self.revision)
        except Unreachable as error:
            try:
                self._list_cached()
            except Unreachable:
                raise error from None
            warnings.warn(f"{error}; the cached files are used", ModelryWarning, stacklevel=4)
            self.offline = True
            return
        self.commit = info.sha
        self._listing = tuple(one.rfilename for one in info.siblings or ())

    def _list_cached(self) -> None:
        """Read commit and files from the cache.

        Raises:
            Unreachable: this repository and revision were never fetched.
        """
        from huggingface_hub import constants
        from huggingface_hub.file_download import repo_folder_name

        assert self.repository is not None
        folder = Path(self.cache_dir or constants.HF_HUB_CACHE) / repo_folder_name(
            repo_id=self.repository, repo_type="model"
        )
        revision = self.revision or "main"
        commit, known = self.commit or revision, folder / "refs" / revision
        if not _COMMIT.fullmatch(commit) and known.is_file():
            commit = known.read_text(encoding="utf-8").strip()
        snapshot = folder / "snapshots" / commit
        if not snapshot.is_dir():
            raise Unreachable(
                f"{self.name} (revision {revision}) is not in the cache {folder.parent}, and no request is allowed; "
                "fetch it once without HF_HUB_OFFLINE and local_files_only"
            )
        self.commit = commit
        inside = (path.relative_to(snapshot) for path in snapshot.rglob("*") if path.is_file())
        self._listing = tuple(path.as_posix() for path in inside)

    def _fetched(self, name: str) -> Path | None:
        from huggingface_hub import hf_hub_download, try_to_load_from_cache

        assert self.repository is not None
        full = f"{self.subfolder}/{name}" if self.subfolder else name
        if name in self._had:
            return self._had[name]
        if self.commit is not None and not self.force_download:
            cached = try_to_load_from_cache(self.repository, full, cache_dir=self.cache_dir, revision=self.commit)
            if isinstance(cached, str):
                return Path(cached)
        if name not in self.names():
            return None
        with hub_errors(self.name, self.revision), quiet_off_terminal():
            path = hf_hub_download(
                self.repository,
                full,
                revision=self.commit,
                cache_dir=self.cache_dir,
                token=self.token,
                local_files_only=self.offline,
                force_download=self.force_download and not self.offline,
                endpoint=_endpoint(),
            )
        self._remember_revision()
        self._had[name] = Path(path)
        return self._had[name]

    def _remember_revision(self) -> None:
        """Note in the cache which commit the branch stood at, for later offline use; downloads by commit do not."""
        from huggingface_hub import constants
        from huggingface_hub.file_download import repo_folder_name

        revision = self.revision or "main"
        if self.commit is None or self.repository is None or _COMMIT.fullmatch(revision):
            return
        cache = Path(self.cache_dir or constants.HF_HUB_CACHE)
        ref = cache / repo_folder_name(repo_id=self.repository, repo_type="model") / "refs" / revision
        if not ref.is_file() or ref.read_text(encoding="utf-8") != self.commit:
            ref.parent.mkdir(parents=True, exist_ok=True)
            ref.write_text(self.commit, encoding="utf-8")


def resolve_reference(
    ref: Reference,
    *,
    revision: str | None = None,
    subfolder: str = "",
    cache_dir: str | Path | None = None,
    local_files_only: bool = False,
    token: str | bool | None = None,
    force_download: bool = False,
    gguf_file: str | None = None,
) -> Source:
    """Say where the files of a reference are. Sends no request: the first file asked for does.

    Args:
        ref: a folder, a file, "organisation/repository", or a Source, which is returned as it is.
        revision: branch, tag or commit; "main" when None.
        subfolder: folder inside the folder or repository.
        cache_dir: where fetched files are kept; the hub client's cache when None.
        local_files_only: send no request, use the cache; HF_HUB_OFFLINE=1 does the same.
        gguf_file: the one file of the folder or repository that is meant.

    Raises:
        NotFound: a local path that does not exist, or a name that no repository can have.
    """
    if isinstance(ref, Source):
        return ref
    name = os.fspath(ref)
    if not isinstance(name, str):
        raise NotFound(f"{name!r} is no folder, file or repository; give its name as text or a Path")
    name = os.path.expanduser(name) if name.startswith("~") else name
    if subfolder:
        _stays_inside(subfolder, name)
    local = _local(name, subfolder)
    if local is None and not isinstance(ref, str):
        raise NotFound(f"{name} is no folder or file here; a repository is named by text, not by a path object")
    source = local or Source(
        name=name,
        repository=repository_name(name),
        revision=revision,
        subfolder=str(PurePosixPath(subfolder)) if subfolder else "",
        cache_dir=None if cache_dir is None else Path(cache_dir).expanduser(),
        offline=local_files_only or offline(),
        token=token,
        force_download=force_download,
        commit=revision if revision is not None and _COMMIT.fullmatch(revision) else None,
    )
    if gguf_file is not None:
        return Source(name=f"{name}/{gguf_file}", single=source.file(gguf_file), commit=source.commit)
    return source


def hub_client(token: str | bool | None) -> Any:
    """The hub's client, for the endpoint that the environment names."""
    from huggingface_hub import HfApi

    return HfApi(endpoint=_endpoint(), token=token)


def _local(name: str, subfolder: str) -> Source | None:
    path = Path(name)
    try:
        is_file, is_folder = path.is_file(), path.is_dir() and name != ""
    except (OSError, ValueError):  # too long, or with a zero byte
        return None
    if is_file:
        return Source(name=name, single=path)
    if not is_folder:
        return None
    folder = path / subfolder
    if not folder.is_dir():
        raise NotFound(f"{name} holds no folder {subfolder}")
    try:
        next(folder.iterdir(), None)
    except OSError as error:
        raise NotFound(f"{name} cannot be read: {error.strerror}") from error
    return Source(name=name, folder=folder)


def repository_name(name: str) -> str:
    """Pass what can be the name of a repository.

    Raises:
        NotFound: it is a path, or nothing at all.
    """
    if not _REPOSITORY.fullmatch(name) or ".." in name or "--" in name or name.endswith((".git", ".gguf", ".json")):
        shown = name if len(name) <= 120 else f"{name[:117]}..."
        raise NotFound(f"{shown!r} is no folder or file here, and no name of a repository either")
    return name


def _stays_inside(name: str, where: str) -> None:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or name.startswith(("/", "\\")) or ".." in parts or ":" in parts[0] or "\0" in name:
        raise UnsafeCheckpoint(f"{where} names the file {name[:120]!r}, which lies outside of it; nothing is read")


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT") or None


def offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}


@contextlib.contextmanager
def quiet_off_terminal() -> Iterator[None]:
    """Progress bars only where somebody can see them move."""
    import sys

    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    if sys.stderr.isatty() or are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()
