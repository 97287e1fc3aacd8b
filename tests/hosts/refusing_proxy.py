"""A proxy that refuses every request, and notes what it was asked for."""

from __future__ import annotations

import contextlib
import socketserver
import threading

REFUSAL = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class _Refusal(socketserver.StreamRequestHandler):
    server: RefusingProxy

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            self.server.asked_for.append(self.rfile.readline().decode(errors="replace").strip())
            self.wfile.write(REFUSAL)


class RefusingProxy(socketserver.ThreadingTCPServer):
    """Serves from construction to the end of the ``with`` block."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Refusal)
        self.asked_for: list[str] = []  # first lines, as ``CONNECT example.com:443 HTTP/1.1``
        self._serving = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})
        self._serving.start()

    @property
    def settings(self) -> dict[str, str]:
        """The environment of a program whose every request beyond loopback comes here."""
        url = f"http://127.0.0.1:{self.server_address[1]}"
        names = {name: url for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")}
        names |= {"NO_PROXY": "127.0.0.1,localhost"}
        return names | {name.lower(): value for name, value in names.items()}

    def __exit__(self, *args: object) -> None:
        self.shutdown()
        self._serving.join()
        self.server_close()
