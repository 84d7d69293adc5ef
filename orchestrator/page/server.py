"""The live page over HTTP: read-only, for those who know the token, on this machine unless somebody says otherwise."""

import gzip
import hmac
import ipaddress
import secrets
import socket
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.page.live import Content, Feed

VIEWERS = 50  # that follow the news at one time
_WAIT_SECONDS = 15.0  # of silence, after which a line without a meaning keeps a connection open
_SEND_SECONDS = 30.0  # that a viewer may take to read what was sent
_FORBIDDEN = "Open the whole address that scalectl serve printed: its token is missing or wrong."
_HEADERS = {
    "Cache-Control": "no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def check_address(host: str, *, insecure: bool) -> None:
    """Raise Refusal for an address that other machines reach, unless `insecure` says that this is meant."""
    if not (insecure or _is_local(host)):
        raise Refusal(
            f"refused: other machines reach {host}, and nothing sent there is encrypted. Leave --host out and reach"
            f" the page by ssh -L PORT:127.0.0.1:PORT, or give --insecure on a network that keeps others out."
        )


def check_free(host: str, port: int) -> None:
    """Raise Refusal for an address that a server can't have now."""
    try:
        with socket.socket(_family(host)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        raise _taken(host, port, error) from error


def _family(host: str) -> socket.AddressFamily:
    if ":" in host:
        return socket.AF_INET6
    return socket.AF_INET


def _taken(host: str, port: int, error: OSError) -> Refusal:
    return Refusal(f"refused: {host}, port {port}: {error.strerror}. Give another --port; 0 takes a free one.")


class Server(ThreadingHTTPServer):
    """A server of one feed; raises Refusal for an address that can't be used."""

    daemon_threads = True

    def __init__(self, feed: Feed, host: str = "127.0.0.1", port: int = 0) -> None:
        self.feed, self.token = feed, secrets.token_urlsafe(24)
        self.viewers = 0
        self.address_family = _family(host)
        try:
            super().__init__((host, port), _Handler)
        except OSError as error:
            raise _taken(host, port, error) from error

    @property
    def address(self) -> str:
        """The address of the page, with its token."""
        host, port = str(self.server_address[0]), self.server_address[1]
        if ":" in host:
            host = f"[{host}]"
        return f"http://{host}:{port}/?token={self.token}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a viewer who closes a window ends its connection."""


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "scalectl", ""
    timeout = _SEND_SECONDS

    def do_GET(self) -> None:
        """Answer one request."""
        address = urlsplit(self.path)
        (token,) = parse_qs(address.query).get("token", [""])[-1:]
        if not hmac.compare_digest(token.encode(), self.server.token.encode()):
            self._say(HTTPStatus.FORBIDDEN, _FORBIDDEN)
            return
        feed = self.server.feed
        match address.path:
            case "/":
                self._send(feed.page(), "text/html; charset=utf-8")
            case "/study.json":
                self._send(feed.study(), "application/json")
            case "/curves.json":
                self._send(feed.curves(), "application/json")
            case "/news":
                self._follow(feed)
            case _:
                self._say(HTTPStatus.NOT_FOUND, "There is no such page.")

    def _say(self, status: HTTPStatus, text: str) -> None:
        body = f"{text}\n".encode()
        self._begin(status, {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(body))})
        self.wfile.write(body)

    def _begin(self, status: HTTPStatus, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (_HEADERS | headers).items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, content: Content, kind: str) -> None:
        headers = {"ETag": content.tag, "Vary": "Accept-Encoding", "Content-Type": kind}
        if self.headers.get("If-None-Match") == content.tag:
            self._begin(HTTPStatus.NOT_MODIFIED, headers)
            return
        body = content.body
        if "gzip" in self.headers.get("Accept-Encoding", ""):
            headers["Content-Encoding"] = "gzip"
        else:
            body = gzip.decompress(body)
        self._begin(HTTPStatus.OK, headers | {"Content-Length": str(len(body))})
        self.wfile.write(body)

    def _follow(self, feed: Feed) -> None:
        """Send the news as they come, until the viewer leaves."""
        if self.server.viewers >= VIEWERS:
            self._say(HTTPStatus.SERVICE_UNAVAILABLE, f"{VIEWERS} viewers follow this page already.")
            return
        self.server.viewers += 1
        self.close_connection = True
        try:
            self._begin(HTTPStatus.OK, {"Content-Type": "text/event-stream", "Connection": "close"})
            number = 0
            while not feed.closed:
                line = b": still here\n\n"
                if (news := feed.news(number, _WAIT_SECONDS)) is not None:
                    number, text = news
                    line = b"data: " + text + b"\n\n"
                self.wfile.write(line)
                self.wfile.flush()
        finally:
            self.server.viewers -= 1

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: a terminal that shows the token shows no requests."""
