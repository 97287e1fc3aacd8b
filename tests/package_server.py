"""A package index on 127.0.0.1 that serves tiny wheels, as PEP 503 describes.

    with PackageServer([wheel("litellm", "1.0", "litellm")]) as server:
        ...                            # server.url is the index; server.asked holds the paths of all requests
        server.answers.clear()         # from now on it stalls, until answers.set()

The wheels hold a package each, which knows its version and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

MAX_STALL_S = 60.0


@dataclass(frozen=True)
class Package:
    """``digest`` is the SHA-256 that the index gives for ``content``, the file named ``file``."""

    name: str
    version: str
    file: str
    content: bytes

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def wheel(name: str, version: str, module: str) -> Package:
    """A package and a command that say which version they are; one of its modules is imported by nobody."""
    escaped = name.replace("-", "_")
    record = f"{escaped}-{version}.dist-info"
    files = {
        f"{module}/__init__.py": f"version = {version!r}\ndef main():\n    print(version)\n",
        f"{module}/unused.py": "",
        f"{record}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{record}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{record}/entry_points.txt": f"[console_scripts]\nrun-{module} = {module}:main\n",
    }
    rows = [f"{path},sha256={_urlsafe(text)},{len(text)}" for path, text in files.items()]
    files[f"{record}/RECORD"] = "\n".join([*rows, f"{record}/RECORD,,", ""])
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        for path, text in files.items():
            packed.writestr(path, text)
    return Package(name, version, f"{escaped}-{version}-py3-none-any.whl", archive.getvalue())


def _urlsafe(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def source(name: str, version: str, build: str) -> Package:
    """A package to be built, by ``build``, which would run on the machine that installs it."""
    system = '[build-system]\nrequires = []\nbuild-backend = "build"\nbackend-path = ["."]\n'
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as packed:
        for path, text in {"pyproject.toml": system, "build.py": build}.items():
            entry = tarfile.TarInfo(f"{name}-{version}/{path}")
            entry.size = len(text)
            packed.addfile(entry, io.BytesIO(text.encode()))
    return Package(name, version, f"{name}-{version}.tar.gz", archive.getvalue())


class PackageServer(ThreadingHTTPServer):
    """``asked``: the paths of all requests. It answers while ``answers`` is set; ``called`` is set by a request."""

    daemon_threads = True

    def __init__(self, packages: Iterable[Package]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.packages = list(packages)
        self.asked: list[str] = []
        self.called = threading.Event()
        self.answers = threading.Event()
        self.answers.set()
        self.url = f"http://127.0.0.1:{self.server_port}/simple"

    def __enter__(self) -> PackageServer:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.answers.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """An installer that was killed does not wait for its answer."""


class _Handler(BaseHTTPRequestHandler):
    server: PackageServer

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.server.called.set()
        self.server.answers.wait(MAX_STALL_S)
        folder, _, name = self.path.strip("/").partition("/")
        body = self._page(name) if folder == "simple" else self._file(name)
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", "text/html" if folder == "simple" else "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _page(self, name: str) -> bytes:
        links = [
            f'<a href="/files/{package.file}#sha256={package.digest}">{package.file}</a>'
            for package in self.server.packages
            if package.name == name
        ]
        return "\n".join(links).encode()

    def _file(self, name: str) -> bytes:
        return next((package.content for package in self.server.packages if package.file == name), b"")

    def log_message(self, *args: object) -> None:
        pass
