"""What a user's URL leads to, as bytes: pictures, sound and films. Models and their files come through hub.py.

Beside hub.py the only room that touches the network. A URL often comes from somebody else (a chat message, a request to
a server), so nothing is trusted: only http and https, never an address inside our own network, limited size and time.
"""

import ipaddress
import os
import socket
import ssl
import threading
import time
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import NamedTuple
from urllib.parse import SplitResult, urljoin, urlsplit

from modelry.errors import NotFound, Unreachable, UnsafeAddress

__all__ = ["ALLOW_PRIVATE_VARIABLE", "fetch", "is_url"]

ALLOW_PRIVATE_VARIABLE = "MODELRY_ALLOW_PRIVATE_URLS"
"""Set to 1, URLs may lead to loopback, link-local and private addresses in the whole process."""

_MOST_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_CHUNK = 1 << 16
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
"""IPv6 addresses that a gateway translates to the IPv4 address in their last 32 bits (RFC 6052)."""

_GIVEN_OUT = ipaddress.ip_network("2000::/3")
"""The IPv6 addresses of the open internet. Others hold IPv4 addresses in old ways, or were meant for one site."""


class _Place(NamedTuple):
    """Where to connect to, and what to ask for."""

    secure: bool
    host: str
    port: int
    target: str
    addresses: tuple[str, ...]


def is_url(value: object) -> bool:
    """Say whether a user's value is text that begins like the URL of a scheme ("https://…", "ftp://…")."""
    return isinstance(value, str) and urlsplit(value[:16]).scheme.isalpha() and "://" in value[:16]


def fetch(
    url: str, *, max_bytes: int = 64 << 20, timeout_seconds: float = 30.0, allow_private: bool | None = None
) -> bytes:
    """Fetch what a URL leads to. Redirects are followed, each checked as the first address was.

    The host's name is resolved once and that address is connected to, so that a second, different answer of the name
    server changes nothing. Proxies of the environment are not used: they would resolve the name themselves.

    Args:
        url: http or https.
        max_bytes: the most that is read.
        timeout_seconds: for all of it together, redirects included.
        allow_private: whether loopback, link-local and private addresses may be connected to; None asks the
            environment (MODELRY_ALLOW_PRIVATE_URLS=1), which says no by default.

    Raises:
        UnsafeAddress: another scheme, credentials in the URL, or an address inside our own network.
        NotFound: the server has no such thing.
        Unreachable: no answer, a refusal, too many redirects, too large or too slow.
    """
    if allow_private is None:
        allow_private = os.environ.get(ALLOW_PRIVATE_VARIABLE, "") == "1"
    deadline = time.monotonic() + timeout_seconds
    where = url
    for _ in range(_MOST_REDIRECTS + 1):
        found = _request(_place(where, allow_private=allow_private), where, deadline, max_bytes, timeout_seconds)
        if isinstance(found, bytes):
            return found
        where = urljoin(where, found)
    raise Unreachable(f"{_shown(url)} redirects more than {_MOST_REDIRECTS} times")


def _place(url: str, *, allow_private: bool) -> _Place:
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname or ""
    except ValueError as error:
        raise UnsafeAddress(f"{_shown(url)} is no URL: {error}") from error
    if parts.scheme not in ("http", "https") or not host:
        raise UnsafeAddress(f"{_shown(url)} is not fetched: only http:// and https:// URLs are")
    if parts.username is not None or parts.password is not None:
        raise UnsafeAddress(
            f"the URL of {host} carries a user name or a password; fetch it yourself and pass the bytes"
        )
    target = _target(parts, url)
    port = port or (443 if parts.scheme == "https" else 80)
    addresses = _resolve(host, port)
    private = [address for address in addresses if not _is_public(address)]
    if private and not allow_private:
        raise UnsafeAddress(
            f"{_shown(url)} leads to {private[0]}, an address inside our own network, and is not fetched; where that "
            f"is meant, pass allow_private=True or set {ALLOW_PRIVATE_VARIABLE}=1"
        )
    return _Place(parts.scheme == "https", host, port, target, addresses)


def _target(parts: SplitResult, url: str) -> str:
    """Path and query, with what a request line cannot hold written as %XX."""
    from urllib.parse import quote

    if any(ord(sign) < 32 for sign in url):
        raise UnsafeAddress(f"{_shown(url)} holds control characters and is not fetched")
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    return f"{path}?{quote(parts.query, safe='/%:@!$&()*+,;=~-._?')}" if parts.query else path


def _resolve(host: str, port: int) -> tuple[str, ...]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"the host {host} has no address: {error}") from error
    return tuple(dict.fromkeys(str(one[4][0]) for one in found))


def _is_public(text: str) -> bool:
    """Whether an address is one of the open internet; an address that holds another is judged by both."""
    address = ipaddress.ip_address(text)
    if not address.is_global or address.is_multicast:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return True
    if address not in _GIVEN_OUT and address not in _TRANSLATED:
        return False
    inner = [address.sixtofour, *(address.teredo or ())]
    if address in _TRANSLATED:
        inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return all(one.is_global and not one.is_multicast for one in inner if one is not None)


def _connected(place: _Place, deadline: float) -> HTTPConnection:
    """A connection to the first of the checked addresses that answers."""
    failure: OSError | None = None
    for address in place.addresses:
        try:
            plain = socket.create_connection((address, place.port), timeout=_left(deadline))
        except OSError as error:
            failure = error
            continue
        if not place.secure:
            made = HTTPConnection(place.host, place.port)
            made.sock = plain
            return made
        try:
            secured = ssl.create_default_context().wrap_socket(plain, server_hostname=place.host)
        except OSError:
            plain.close()
            raise
        made = HTTPSConnection(place.host, place.port)
        made.sock = secured
        return made
    raise failure or OSError("no address")


def _request(place: _Place, url: str, deadline: float, max_bytes: int, timeout_seconds: float) -> bytes | str:
    """What the server sends, or where it redirects to."""
    connection: HTTPConnection | None = None
    watch: threading.Timer | None = None
    try:
        connection = _connected(place, deadline)
        # A server that sends one byte now and then never meets the socket's own time limit: the watch cuts it off.
        watch = threading.Timer(_left(deadline), _cut, (connection.sock,))
        watch.daemon = True
        watch.start()
        headers = {"User-Agent": "modelry", "Accept": "*/*", "Accept-Encoding": "identity", "Connection": "close"}
        connection.request("GET", place.target, headers=headers)
        with connection.getresponse() as response:
            if response.status in _REDIRECTS and response.headers.get("Location"):
                return str(response.headers["Location"])
            _accept(response, url, max_bytes)
            return _read(response, url, max_bytes, deadline)
    except (TimeoutError, HTTPException, OSError) as error:
        if isinstance(error, NotFound | Unreachable):
            raise
        if time.monotonic() >= deadline:
            raise Unreachable(f"{_shown(url)} did not arrive within {timeout_seconds:g} seconds") from error
        raise Unreachable(f"{_shown(url)} cannot be fetched: {error or type(error).__name__}") from error
    finally:
        if watch is not None:
            watch.cancel()
        if connection is not None:
            connection.close()


def _accept(response: HTTPResponse, url: str, max_bytes: int) -> None:
    if response.status in (404, 410):
        raise NotFound(f"{_shown(url)} does not exist: the server says {response.status} {response.reason}")
    if response.status != 200:
        raise Unreachable(f"{_shown(url)} cannot be fetched: the server says {response.status} {response.reason}")
    packed = response.headers.get("Content-Encoding", "identity")
    if packed != "identity":
        raise Unreachable(f"{_shown(url)} arrives packed ({packed}), which was not asked for")
    if response.length is not None and response.length > max_bytes:
        raise Unreachable(f"{_shown(url)} has {response.length} bytes; at most {max_bytes} are fetched")


def _read(response: HTTPResponse, url: str, max_bytes: int, deadline: float) -> bytes:
    parts, size = [], 0
    while part := response.read1(_CHUNK):
        size += len(part)
        if size > max_bytes:
            raise Unreachable(f"{_shown(url)} has more than {max_bytes} bytes, the most that are fetched")
        if time.monotonic() >= deadline:
            raise TimeoutError
        parts.append(part)
    if response.length:
        raise HTTPException(f"the connection broke off {response.length} bytes before the end")
    if time.monotonic() >= deadline:
        raise TimeoutError
    return b"".join(parts)


def _left(deadline: float) -> float:
    return max(deadline - time.monotonic(), 0.001)


def _cut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it was closed in the meantime


def _shown(url: str) -> str:
    """The URL without credentials, as long as an error may be."""
    head, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    plain = f"{head}://{host.rpartition('@')[2]}{slash}{path}" if rest else url
    return repr(plain if len(plain) <= 160 else f"{plain[:157]}...")
