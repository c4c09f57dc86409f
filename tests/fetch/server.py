"""A server on the loopback address that misbehaves as it is told, and files for it to serve."""

from __future__ import annotations

import contextlib
import hashlib
import io
import random
import socket
import struct
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from clsimpact.fetch._policy import Policy
from clsimpact.loaders.manifest import Source

Behaviour = Callable[["Handler"], None]

DATE = "Mon, 02 Nov 2026 10:00:00 GMT"


def workbook(size: int = 300_000, *, seed: int = 1) -> bytes:
    """Bytes of an archive with the one entry that marks a workbook, and as much besides as asked for."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo("[Content_Types].xml"), "<Types/>")
        archive.writestr(zipfile.ZipInfo("xl/sheet1.bin"), random.Random(seed).randbytes(size))
    return stream.getvalue()


def table(rows: int = 500) -> bytes:
    """Bytes of a CSV."""
    return b"code,value\r\n" + b"".join(b"E%08d,%d\r\n" % (row, row) for row in range(rows))


def fingerprint(content: bytes) -> str:
    """SHA-256 of some bytes."""
    return hashlib.sha256(content).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Answers as the route's next behaviour says; the last one is repeated."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.seen.append((self.path, {name.lower(): text for name, text in self.headers.items()}))
        todo = self.server.routes.get(self.path, [status(404)])
        behaviour = todo.pop(0) if len(todo) > 1 else todo[0]
        self.close_connection = True
        with contextlib.suppress(OSError):
            behaviour(self)

    def log_message(self, *_: object) -> None:
        pass

    def head(self, code: int, **headers: object) -> None:
        self.send_response(code)
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), str(text))
        self.end_headers()


class Server(ThreadingHTTPServer):
    """The server, with what it shall do and what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.routes: dict[str, list[Behaviour]] = {}
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.release = threading.Event()

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    def address(self, path: str) -> str:
        return f"http://{self.place}{path}"

    def count(self, path: str) -> int:
        return sum(asked == path for asked, _ in self.seen)

    def handle_error(self, request: object, client_address: object) -> None:
        pass


@contextlib.contextmanager
def serve() -> Iterator[Server]:
    """Run a server until the block ends."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.release.set()
            server.shutdown()
            thread.join()


def policy(server: Server, waited: list[float], **changes: object) -> Policy:
    """Limits for tests: this server only, short timeouts, and waits that are noted instead of waited."""
    limits: dict[str, object] = {
        "hosts": frozenset({server.place}),
        "schemes": frozenset({"http"}),
        "connect_timeout": 2.0,
        "read_timeout": 0.15,
        "sleep": waited.append,
    }
    return Policy(**(limits | changes))  # type: ignore[arg-type]


def source(server: Server, name: str = "wanted.xlsx", **changes: object) -> Source:
    """A record for a file of the server."""
    record: dict[str, object] = {
        "id": name.partition(".")[0],
        "file": name,
        "path": f"nhs-digital/2019-20/{name}",
        "publication": "A publication",
        "publisher": "A publisher",
        "years": "2019-20",
        "adapter": "data_tables",
        "sha256": "",
        "licence": "Open Government Licence v3.0",
        "attribution": "",
        "return_": "SALT",
        "address": server.address(f"/{name}"),
    }
    return Source(**(record | changes))  # type: ignore[arg-type]


def status(code: int, **headers: object) -> Behaviour:
    """Answer with a status and a short page."""

    def behave(handler: Handler) -> None:
        page = b"<html>no</html>"
        handler.head(code, Content_Type="text/html", Content_Length=len(page), **headers)
        handler.wfile.write(page)

    return behave


def body(content: bytes, **headers: object) -> Behaviour:
    """Answer with a body, whole and announced."""

    def behave(handler: Handler) -> None:
        handler.head(200, Content_Length=len(content), **headers)
        handler.wfile.write(content)

    return behave


def good(content: bytes, etag: str = '"one"') -> Behaviour:
    """Answer as a good server does, and continue a download that was begun."""

    def behave(handler: Handler) -> None:
        begun = handler.headers.get("Range", "")
        if begun and handler.headers.get("If-Range") == etag:
            start = int(begun.removeprefix("bytes=").removesuffix("-"))
            span = f"bytes {start}-{len(content) - 1}/{len(content)}"
            handler.head(206, Content_Length=len(content) - start, Content_Range=span, ETag=etag)
            handler.wfile.write(content[start:])
        else:
            body(content, ETag=etag, Last_Modified=DATE)(handler)

    return behave


def announced(content: bytes, length: int, *, etag: str = "", reset: bool = False) -> Behaviour:
    """Announce more bytes than are sent, then close the connection, or reset it."""

    def behave(handler: Handler) -> None:
        handler.head(200, Content_Length=length, **({"ETag": etag} if etag else {}))
        handler.wfile.write(content)
        if reset:
            abort = struct.pack("ii", 1, 0)
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, abort)
            handler.connection.close()

    return behave


def stalled(content: bytes, length: int, *, etag: str = "") -> Behaviour:
    """Send some bytes, then nothing until the test ends."""

    def behave(handler: Handler) -> None:
        announced(content, length, etag=etag)(handler)
        handler.server.release.wait(20)

    return behave


def chunked(content: bytes, *, whole: bool = False) -> Behaviour:
    """Send a body in chunks, with or without the last one."""

    def behave(handler: Handler) -> None:
        handler.head(200, Transfer_Encoding="chunked")
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
        if whole:
            handler.wfile.write(b"0\r\n\r\n")

    return behave


def endless(content: bytes) -> Behaviour:
    """Send a body without saying where it ends."""

    def behave(handler: Handler) -> None:
        handler.head(200, Connection="close")
        handler.wfile.write(content)

    return behave


def moved(location: str, code: int = 302) -> Behaviour:
    """Redirect."""
    return status(code, **({"Location": location} if location else {}))
