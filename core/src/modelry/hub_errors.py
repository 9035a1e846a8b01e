"""The errors of the hub's client in our words: what was found, where, and what to do."""

import contextlib
from collections.abc import Iterator

from modelry.errors import AccessDenied, NotFound, Unreachable

__all__ = ["hub_errors"]


@contextlib.contextmanager
def hub_errors(name: str, revision: str | None) -> Iterator[None]:
    """Say in our words what the hub's client found, and what to do."""
    from huggingface_hub import errors as hub

    what = f"{name} at revision {revision}" if revision else name
    try:
        yield
    except hub.GatedRepoError as error:
        raise AccessDenied(
            f"{what} is gated: ask for access on its page, then pass token=... or set HF_TOKEN"
        ) from error
    except hub.RepositoryNotFoundError as error:
        if error.response.status_code in (401, 403) and error.response.headers.get("X-Error-Code") != "RepoNotFound":
            raise AccessDenied(
                f"{what}: the hub wants a token that may read it; pass token=... or set HF_TOKEN"
            ) from error
        raise NotFound(
            f"{what}: no folder of this name here, and no repository on the hub (or a private one)"
        ) from error
    except hub.RevisionNotFoundError as error:
        raise NotFound(f"{name} has no revision {revision or 'main'}") from error
    except (hub.LocalEntryNotFoundError, hub.OfflineModeIsEnabled) as error:
        raise Unreachable(f"{what}: the hub cannot be reached and the cache lacks the file: {error}") from error
    except hub.EntryNotFoundError as error:
        raise NotFound(f"{what}: {error}") from error
    except hub.HFValidationError as error:
        raise NotFound(f"{what}: {error}") from error
    except hub.HfHubHTTPError as error:
        status = error.response.status_code
        if status in (401, 403):
            raise AccessDenied(
                f"{what}: the hub answers {status}; give a token that may do this, as token=... or HF_TOKEN"
            ) from error
        raise Unreachable(f"{what}: the hub answers {status}") from error
    except (AccessDenied, NotFound, Unreachable):
        raise
    except Exception as error:
        if _is_network(error) or (error.__cause__ is not None and _is_network(error.__cause__)):
            raise Unreachable(
                f"{what}: no folder of this name here, and the hub does not answer ({type(error).__name__}: {error})"
            ) from error
        raise


def _is_network(error: BaseException) -> bool:
    """True for the errors of sockets and of the HTTP client, whichever the hub's client uses."""
    names = {one.__module__.partition(".")[0] for one in type(error).__mro__}
    return isinstance(error, ConnectionError | TimeoutError) or bool(
        names & {"httpx", "httpx2", "httpcore", "requests"}
    )
