"""A practice server behind a door that writes down who came, and files for it to fetch."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Callable, List, NamedTuple, Optional

# Seen at its server only, and in the files only; an engine stores neither.
TOKEN, CONTENT = CANARIES = "canary-token-9d1c6f", "Canarysurname"
PATIENTS = "".join(
    json.dumps({"resourceType": "Patient", "id": f"p{n}", "name": [{"family": CONTENT}]}) + "\n" for n in range(3)
)
LIMIT = 30


class Came(NamedTuple):
    """A request that came to a door."""

    method: str
    path: str
    authorization: Optional[str]

    @property
    def kick_off(self) -> bool:
        return self.method == "POST" and "$import" in self.path


def until(what: Callable[[], Any], limit: float = LIMIT, pause: float = 0.02) -> Any:
    """Looks again and again, and gives up."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if seen := what():
            return seen
        time.sleep(pause)
    raise AssertionError(f"not seen within {limit} s: {what}")


def found(text: str, folder: Path, names: str = "*") -> List[Path]:
    """The files below a folder in which a text stands."""
    return [path for path in folder.rglob(names) if path.is_file() and text.encode() in path.read_bytes()]


class Practice:
    """The practice server, started as a person starts it."""

    def __init__(self, dialect: str = "hapi", **script: Any) -> None:
        self.came: List[Came] = []
        self.dialect = dialect
        self.folder = Path(tempfile.mkdtemp(prefix="fhir-import-"))
        file = self.folder / "script.json"
        file.write_text(json.dumps({"polls_until_done": 2, "retry_after": "1", **script}))
        command = [os.environ["FHIR_IMPORT_COMMAND"], "sandbox", "--dialect", dialect, "--port", "0", "--script", str(file)]
        self._server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self._upstream = self._server.stdout.readline().strip().split("/")[2]
        self._door = _serve(self._pass)
        self._files = _serve(_patients)
        self.url = f"http://127.0.0.1:{self._door.server_port}/fhir"
        self.file = f"http://127.0.0.1:{self._files.server_port}/patients.ndjson"

    def __enter__(self) -> Practice:
        return self

    def __exit__(self, *_: object) -> None:
        for served in (self._door, self._files):
            served.shutdown()
            served.server_close()
        self._server.kill()
        self._server.wait()
        self._server.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def kick_offs(self) -> int:
        return sum(came.kick_off for came in self.came)

    def _pass(self, handler: BaseHTTPRequestHandler) -> None:
        self.came.append(Came(handler.command, handler.path, handler.headers.get("Authorization")))
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        upstream = http.client.HTTPConnection(self._upstream, timeout=120)
        headers = {**dict(handler.headers), "Host": self._upstream, "Connection": "close"}
        try:
            upstream.request(handler.command, handler.path, body, headers)
            answer = upstream.getresponse()
            content = self._outside(answer.read())
        except (http.client.HTTPException, OSError):
            handler.close_connection = True
            return
        finally:
            upstream.close()
        handler.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                handler.send_header(name, self._outside(value.encode()).decode())
        _finish(handler, content)

    def _outside(self, text: bytes) -> bytes:
        return text.replace(self._upstream.encode(), f"127.0.0.1:{self._door.server_port}".encode())


def _serve(answer: Callable[[BaseHTTPRequestHandler], None]) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answer(self)

        do_POST = do_DELETE = do_PUT = do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.block_on_close = True, False
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


def _patients(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "application/fhir+ndjson")
    _finish(handler, PATIENTS.encode())


def _finish(handler: BaseHTTPRequestHandler, content: bytes) -> None:
    handler.send_header("Content-Length", str(len(content)))
    handler.send_header("Connection", "close")
    handler.end_headers()
    if handler.command != "HEAD":
        # A client that was killed does not listen any more.
        with suppress(ConnectionError):
            handler.wfile.write(content)
    handler.close_connection = True
