"""From a folder here to a repository on the hub: one commit each time."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from modelry.errors import Unreachable
from modelry.hub import hub_client, offline, quiet_off_terminal, repository_name
from modelry.hub_errors import hub_errors

__all__ = ["make_repository", "push_folder", "push_saved"]


def push_saved(
    save: Callable[[Path], object],
    repo_id: str,
    *,
    message: str,
    commit_message: str | None = None,
    private: bool | None = None,
    token: str | bool | None = None,
    revision: str | None = None,
    create_pr: bool = False,
) -> str:
    """Have `save` fill a folder and upload its files as one commit; the repository is created when missing.

    Returns:
        The address of the commit.

    Raises:
        AccessDenied, Unreachable, NotFound: the hub refuses, does not answer, or has no such place.
    """
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder))
        return push_folder(
            folder,
            repo_id,
            message=commit_message or message,
            private=private,
            token=token,
            revision=revision,
            create_pr=create_pr,
        )


def push_folder(
    folder: str | Path,
    repo_id: str,
    *,
    message: str,
    private: bool | None = None,
    token: str | bool | None = None,
    revision: str | None = None,
    create_pr: bool = False,
) -> str:
    """Upload the files of a folder as one commit; the repository is created when missing.

    Returns:
        The address of the commit.

    Raises:
        AccessDenied, Unreachable, NotFound: the hub refuses, does not answer, or has no such place.
    """
    repository = make_repository(repo_id, private=private, token=token)
    api = hub_client(token)
    with hub_errors(repo_id, revision), quiet_off_terminal():
        if revision is not None and not create_pr:
            api.create_branch(repository, branch=revision, exist_ok=True)
        done = api.upload_folder(
            repo_id=repository, folder_path=folder, commit_message=message, revision=revision, create_pr=create_pr
        )
    return str(done.commit_url)


def make_repository(repo_id: str, *, private: bool | None = None, token: str | bool | None = None) -> str:
    """Create a repository that is missing.

    Returns:
        Its whole name, "organisation/repository".

    Raises:
        AccessDenied, Unreachable, NotFound: the hub refuses, does not answer, or can have no such place.
    """
    if offline():
        raise Unreachable(f"{repo_id} cannot be pushed to while HF_HUB_OFFLINE is set")
    repository_name(repo_id)
    with hub_errors(repo_id, None), quiet_off_terminal():
        return str(hub_client(token).create_repo(repo_id, private=private, exist_ok=True).repo_id)
