"""A bucket on 127.0.0.1 that speaks as much of S3 as reading takes: list, head, and get with a range."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    root: Path
    refused: bool
    asked: list[str]

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        type(self).asked.append(f"{self.command} {self.path}")
        where = urlsplit(self.path)
        file = self.root / unquote(where.path).lstrip("/")
        if self.refused:
            self._send(403, b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>", body)
        elif "list-type" in parse_qs(where.query):
            self._send(200, self._listing(file.name, parse_qs(where.query)), body)
        elif not file.is_file():
            self._send(404, b"<Error><Code>NoSuchKey</Code></Error>", body)
        else:
            self._part(file.read_bytes(), body)

    def _part(self, whole: bytes, body: bool) -> None:
        asked = self.headers.get("Range")
        if not asked:
            return self._send(200, whole, body)
        first, last = asked.removeprefix("bytes=").split("-")
        part = whole[int(first) : int(last) + 1]
        return self._send(206, part, body, f"bytes {first}-{int(first) + len(part) - 1}/{len(whole)}")

    def _listing(self, bucket: str, query: dict[str, list[str]]) -> bytes:
        prefix, cut = query.get("prefix", [""])[0], query.get("delimiter", [""])[0]
        keys = sorted(
            str(one.relative_to(self.root / bucket)) for one in (self.root / bucket).rglob("*") if one.is_file()
        )
        keys = [key for key in keys if key.startswith(prefix)]
        folders = sorted(
            {prefix + key[len(prefix) :].split("/")[0] + "/" for key in keys if cut and "/" in key[len(prefix) :]}
        )
        keys = [key for key in keys if not (cut and "/" in key[len(prefix) :])]
        items = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{(self.root / bucket / key).stat().st_size}</Size>"
            "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
            for key in keys
        ) + "".join(f"<CommonPrefixes><Prefix>{escape(one)}</Prefix></CommonPrefixes>" for one in folders)
        found = f"<Name>{bucket}</Name><KeyCount>{len(keys) + len(folders)}</KeyCount><IsTruncated>false</IsTruncated>"
        return f'<?xml version="1.0"?><ListBucketResult>{found}{items}</ListBucketResult>'.encode()

    def _send(self, code: int, content: bytes, body: bool, part: str = "") -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.send_header("ETag", '"1"')
        if part:
            self.send_header("Content-Range", part)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@contextmanager
def bucket(root: Path, *, refused: bool = False) -> Iterator[tuple[str, list[str]]]:
    """Serve the folders of `root` as buckets; yields the address and the requests that came."""
    kind = type("Bucket", (Handler,), {"root": root, "refused": refused, "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", kind.asked
    finally:
        server.shutdown()
        server.server_close()
