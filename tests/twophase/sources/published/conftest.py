"""A server on this machine that plays the public address, well or badly."""

import hashlib
import http.server
import threading
import time
from dataclasses import replace

import pytest

from twophase.sources.published import catalogue

CONTENT = b"a,b\n1,2\n" * 500


class Server:
    """Answers every request by `behave`; counts them."""

    def __init__(self):
        self.behave, self.content, self.requests = "well", CONTENT, []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                server.requests.append(self.path)
                if server.behave == "missing":
                    self.send_error(404)
                    return
                if server.behave == "broken":
                    self.send_error(500)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(server.content)))
                self.end_headers()
                if server.behave == "well":
                    self.wfile.write(server.content)
                elif server.behave == "changed":
                    self.wfile.write(server.content[:-1] + b"X")
                else:  # half of it, then nothing more
                    self.wfile.write(server.content[: len(server.content) // 2])
                    self.wfile.flush()
                    if server.behave == "stalls":
                        time.sleep(3)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A running server, in place of the public addresses; an empty cache and no mirror."""
    server = Server()
    monkeypatch.setenv("TWOPHASE_RECORDS_ADDRESS", server.address + "/{repository}/{commit}/{path}")
    monkeypatch.setenv("TWOPHASE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("TWOPHASE_MIRROR", raising=False)
    monkeypatch.setattr(catalogue, "TIMEOUT", 1.0)
    monkeypatch.setattr(catalogue, "RETRIES", 0)
    yield server
    server.close()


@pytest.fixture
def entry():
    """An entry whose file the server has."""
    known = catalogue.find("scaling-law", "flan.csv")
    return replace(known, bytes=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest())
