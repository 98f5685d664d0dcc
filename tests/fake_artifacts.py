"""Artifacts of workflow runs on the fake GitHub: listed there, downloaded from another host."""

from __future__ import annotations

import io
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from fake_github import FakeGitHub

NAME = "octo/digits"
RUN = 77


def zipped(files, compression=zipfile.ZIP_DEFLATED):
    """An archive of (name, content) pairs; a name may occur twice or leave the directory."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        for name, text in files:
            archive.writestr(name, text)
    return content.getvalue()


def zipped_directory(directory: Path) -> bytes:
    """What actions/upload-artifact would keep of a directory."""
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return zipped((str(path.relative_to(directory)), path.read_bytes()) for path in files)


class Storage:
    """Where GitHub redirects downloads to: another host, which must not get the token."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}
        self.headers: list[dict[str, str]] = []
        storage = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

            def do_GET(self) -> None:
                storage.headers.append(dict(self.headers))
                content = storage.content[self.path]
                self.send_response(200)
                self.end_headers()
                self.wfile.write(content)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://localhost:{self.server.server_address[1]}"


@contextmanager
def storage() -> Iterator[Storage]:
    """The server, while the block runs."""
    found = Storage()
    thread = threading.Thread(target=found.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.server.shutdown()
        thread.join()
        found.server.server_close()


class WithArtifacts(FakeGitHub):
    """The fake GitHub with artifacts of run 77 of one repository: id, name and the zip's bytes."""

    def __init__(
        self, store: Storage, artifacts: list[tuple[int, str, bytes]], repository: str = NAME
    ) -> None:
        super().__init__()
        self.store, self.artifacts, self.owner = store, artifacts, repository
        self.sizes: dict[int, int] = {}

    def answer(self, request, host):
        listing = f"/repos/{self.owner}/actions/runs/{RUN}/artifacts"
        if request.path == listing and request.method == "GET" and not self.failures:
            size, page = int(request.query["per_page"]), int(request.query["page"])
            shown = [
                {"id": key, "name": name, "size_in_bytes": self.sizes.get(key, len(content))}
                for key, name, content in self.artifacts
            ]
            return 200, {"artifacts": shown[(page - 1) * size : page * size]}, {}
        for key, _, content in self.artifacts:
            if request.path == f"/repos/{self.owner}/actions/artifacts/{key}/zip":
                self.store.content[f"/blob/{key}"] = content
                return 302, {}, {"Location": f"{self.store.url}/blob/{key}"}
        return super().answer(request, host)
