"""URLs are fetched from the open internet only, within limits. The servers here stand on loopback."""

import http.server
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from modelry import fetching
from modelry.errors import NotFound, Unreachable, UnsafeAddress
from modelry.fetching import fetch, is_url


class _Answers(http.server.BaseHTTPRequestHandler):
    """A path for every case."""

    def do_GET(self) -> None:
        path = self.path
        if path.startswith("/to/"):
            self._head(302, Location=path.removeprefix("/to/"))
        elif path == "/loop":
            self._head(302, Location="/loop")
        elif path == "/missing":
            self._head(404)
        elif path == "/broken":
            self._head(500)
        elif path == "/packed":
            self._head(200, Content_Encoding="gzip")
        elif path == "/says-large":
            self._head(200, Content_Length="5000")
        elif path == "/cut":
            self._head(200, Content_Length="50")
            self.wfile.write(b"only this")
        elif path == "/large":
            self._head(200)
            self.wfile.write(b"x" * 5000)
        elif path == "/slow":
            self._head(200)
            while True:  # until the client goes away
                self.wfile.write(b"x")
                self.wfile.flush()
                time.sleep(0.05)
        else:
            self._head(200)
            self.wfile.write(f"host={self.headers['Host']} path={path}".encode())

    def _head(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            return  # the client went away, which is what some tests are about

    def log_message(self, *args: Any) -> None:
        """Silent."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Of a server on loopback."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def local(port: int) -> str:
    """The address of the server."""
    return f"http://127.0.0.1:{port}"


def test_what_is_a_url() -> None:
    assert is_url("https://example.org/cat.png")
    assert is_url("ftp://example.org")
    assert not any(map(is_url, ["cat.png", "/tmp/http_cat.png", "data:image/png;base64,AA", b"http://x", None]))


def test_fetches(local: str) -> None:
    found = fetch(f"{local}/a cat?q=ü&x=%20#part", allow_private=True)
    assert found == f"host={local.removeprefix('http://')} path=/a%20cat?q=%C3%BC&x=%20".encode()


def test_the_environment_may_allow(local: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(fetching.ALLOW_PRIVATE_VARIABLE, "1")
    assert b"path=/x" in fetch(f"{local}/x")
    with pytest.raises(UnsafeAddress):
        fetch(f"{local}/x", allow_private=False)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://localhost:8000/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[::127.0.0.1]/",
        "http://[::ffff:0:127.0.0.1]/",
        "http://[64:ff9b:1::7f00:1]/",
        "http://[fec0::1]/",
        "http://0.0.0.0/",
        "http://10.0.0.1/",
        "http://172.16.0.1/",
        "https://192.168.1.1/",
        "http://100.64.0.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://[fe80::1]/",
        "http://[fd00::1]/",
        "http://224.0.0.1/",
    ],
)
def test_addresses_inside_our_network(url: str) -> None:
    with pytest.raises(UnsafeAddress, match=r"inside our own network, and is not fetched; .*allow_private=True"):
        fetch(url)


@pytest.mark.parametrize("url", ["ftp://example.org/x", "file:///etc/passwd", "gopher://x/", "http://", "cat.png"])
def test_other_schemes(url: str) -> None:
    with pytest.raises(UnsafeAddress, match="only http:// and https:// URLs are"):
        fetch(url, allow_private=True)


def test_impossible_urls() -> None:
    with pytest.raises(UnsafeAddress, match=r"the URL of example\.org carries a user name or a password") as caught:
        fetch("http://me:secret@example.org/")
    assert "secret" not in str(caught.value)
    with pytest.raises(UnsafeAddress, match="is no URL"):
        fetch("http://example.org:port/")
    with pytest.raises(Unreachable, match="has no address"):
        fetch(f"http://{'a' * 70}.invalid/")


def test_redirects_are_checked(local: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A public host that redirects to loopback; here the first address counts as public."""
    assert b"path=/there" in fetch(f"{local}/to//there", allow_private=True)
    monkeypatch.setattr(fetching, "_is_public", lambda address: address == "127.0.0.1")
    assert b"path=/there" in fetch(f"{local}/to//there")
    with pytest.raises(UnsafeAddress, match=r"169\.254\.169\.254"):
        fetch(f"{local}/to/http://169.254.169.254/")
    with pytest.raises(UnsafeAddress, match="only http"):
        fetch(f"{local}/to/file:///etc/passwd")
    with pytest.raises(Unreachable, match="redirects more than 5 times"):
        fetch(f"{local}/loop")


def test_the_name_is_resolved_once(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that answers differently the second time changes nothing."""
    asked = []
    real = socket.getaddrinfo

    def answer(host: str, *args: Any, **named: Any) -> Any:
        if host == "rebinding.example":
            asked.append(host)
            return real("127.0.0.1" if len(asked) == 1 else "127.0.0.2", *args, **named)
        return real(host, *args, **named)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    monkeypatch.setattr(fetching, "_is_public", lambda address: address == "127.0.0.1")
    assert fetch(f"http://rebinding.example:{port}/x") == f"host=rebinding.example:{port} path=/x".encode()
    assert len(asked) == 1


def test_limits(local: str) -> None:
    for path, message in {
        "/says-large": "has 5000 bytes; at most 1000 are fetched",
        "/large": "has more than 1000 bytes",
        "/cut": "41 bytes before the end",
        "/packed": r"arrives packed \(gzip\)",
        "/broken": "the server says 500",
    }.items():
        with pytest.raises(Unreachable, match=message):
            fetch(local + path, max_bytes=1000, allow_private=True)
    with pytest.raises(NotFound, match="/missing' does not exist: the server says 404"):
        fetch(f"{local}/missing", allow_private=True)
    with pytest.raises(Unreachable, match=r"did not arrive within 0\.3 seconds"):
        fetch(f"{local}/slow", timeout_seconds=0.3, allow_private=True)


def test_no_answer() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(Unreachable, match="cannot be fetched"):
            fetch(f"http://127.0.0.1:{free.getsockname()[1]}/", allow_private=True)
