"""The error tracker is asked over a real socket: what it answers, and every way in which it does not."""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from fairway.engine.contract.errors import Failed
from fairway.engine.contract.tracker import Service, Tracker
from fairway.engine.tracker import asking
from fairway.engine.tracker.asking import ask

TOKEN = "sntrys_c2VjcmV0"
Answering = Callable[[BaseHTTPRequestHandler], None]
Serve = Callable[[Answering], Tracker]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server that answers every request in one way; its requests are kept in ``server.seen``."""
    servers: list[ThreadingHTTPServer] = []

    def start(answering: Answering) -> Tracker:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answering(self)

            def log_message(self, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return Tracker(f"http://127.0.0.1:{server.server_port}", Service.SENTRY, "acme", "capakraken", "TRACKER_TOKEN")

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def answers(status: int, body: bytes = b"[]", **fields: str) -> Answering:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **fields}.items():
            request.send_header(key, value)
        request.end_headers()
        request.wfile.write(body)

    return answer


def test_the_token_is_sent_as_a_bearer_token_and_the_answer_comes_back(serve: Serve) -> None:
    seen: list[str | None] = []

    def answer(request: BaseHTTPRequestHandler) -> None:
        seen.extend((request.path, request.headers["Authorization"]))
        answers(200, b'[{"id": "1"}]')(request)

    assert ask(serve(answer), "/api/0/x/?query=y", TOKEN) == b'[{"id": "1"}]'
    assert seen == ["/api/0/x/?query=y", f"Bearer {TOKEN}"]


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (401, "the token in TRACKER_TOKEN must be allowed to read issues"),
        (403, "the token in TRACKER_TOKEN must be allowed to read issues"),
        (404, "it has no project acme/capakraken"),
        (429, "asked too often"),
        (500, "it answered 500"),
        (204, "it answered 204"),
    ],
)
def test_what_it_refuses_with_is_told(serve: Serve, status: int, told: str) -> None:
    with pytest.raises(Failed, match=told):
        ask(serve(answers(status, b"")), "/", TOKEN)


def test_a_redirect_does_not_get_the_token(serve: Serve) -> None:
    asked: list[str] = []
    elsewhere = serve(lambda request: asked.append(request.path))
    with pytest.raises(Failed, match=r"it answered 302: errors\.url"):
        ask(serve(answers(302, b"", Location=elsewhere.url)), "/", TOKEN)
    assert asked == []


def test_an_answer_without_an_end_is_cut_off(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MAX_ANSWER_BYTES", 2**20)
    with pytest.raises(Failed, match="more than 1 MiB"):
        ask(serve(answers(200, b" " * (2**20 + 1))), "/", TOKEN)


def test_an_answer_that_never_comes_is_not_waited_for(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_ONE_WAIT_S", 0.2)
    over = threading.Event()

    def hang(request: BaseHTTPRequestHandler) -> None:
        over.wait(30)

    with pytest.raises(Failed, match="did not answer within"):
        ask(serve(hang), "/", TOKEN)
    over.set()


def test_an_answer_that_drips_is_not_waited_for(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_WHOLE_S", 0.2)
    over = threading.Event()

    def drip(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while not over.wait(0.02):
            try:
                request.wfile.write(b" ")
            except OSError:
                return

    with pytest.raises(Failed, match="did not finish its answer"):
        ask(serve(drip), "/", TOKEN)
    over.set()


def test_nobody_there_is_told() -> None:
    with pytest.raises(Failed, match="cannot be reached: Connection refused"):
        ask(Tracker("http://127.0.0.1:1", Service.SENTRY, "a", "b", "TOKEN"), "/", TOKEN)


def test_what_is_no_http_is_told(serve: Serve) -> None:
    def greet(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"220 mail.example.com ESMTP\r\n")

    with pytest.raises(Failed, match="does not speak HTTP"):
        ask(serve(greet), "/", TOKEN)


@pytest.mark.parametrize("token", ["two\nlines-of-secret", "with secret", "sécret"])
def test_a_value_that_is_no_token_is_told_without_it(serve: Serve, token: str) -> None:
    with pytest.raises(Failed, match="the value of TRACKER_TOKEN is no token") as caught:
        ask(serve(answers(200)), "/", token)
    assert "cret" not in str(caught.value)


def test_a_certificate_that_nobody_vouches_for_gets_no_token(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
    argv += ["-keyout", str(key), "-out", str(certificate), "-subj", "/CN=localhost"]
    subprocess.run([*argv, "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *args: object) -> None:
            pass

    server = Quiet(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        with pytest.raises(Failed, match="certificate is not trusted: self-signed"):
            ask(Tracker(f"https://localhost:{server.server_port}", Service.SENTRY, "a", "b", "TOKEN"), "/", TOKEN)
    finally:
        server.shutdown()
        server.server_close()
    assert asked == []
