"""A folder of web pages, served to a headless Chromium that reports what it sees in each."""

import http.server
import json
import re
import shutil
import subprocess
import threading
from functools import partial
from html import unescape

import pytest

# The load event waits for every frame with its images, and Chromium prints the document after it.
WRAPPER = """<!DOCTYPE html><meta charset="utf-8"><link rel="icon" href="data:,"><pre id="report"></pre>%s<script>
addEventListener("load", () => {
  const report = {};
  for (const frame of document.querySelectorAll("iframe")) {
    const page = frame.contentDocument, root = page.documentElement;
    report[frame.getAttribute("src")] = {
      images: [...page.images].map(image => [image.getAttribute("src").slice(0, 80), image.naturalWidth]),
      loaded: frame.contentWindow.performance.getEntriesByType("resource").map(entry => entry.name),
      errors: [...page.querySelectorAll(".output_error, .output_stderr")].map(output => output.textContent),
      traceback: root.textContent.includes("Traceback (most recent call last)"),
      overflow: root.scrollWidth - root.clientWidth,
    };
  }
  document.getElementById("report").textContent = JSON.stringify(report);
});
</script>"""


class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.path != "/all-pages":
            return super().do_GET()
        body = self.server.wrapper.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code="-", size="-"):
        self.server.requests.append((self.path, int(code)))

    def log_message(self, *_):
        pass


def visit(site, pages, scratch, width=1000):
    """What Chromium shows of `pages`, paths within the folder `site`: page -> report, and the requests it made.

    Skips the test where there is no Chromium. `scratch` is an empty folder for the browser's profile.
    """
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    browser = next(filter(None, map(shutil.which, names)), None)
    if browser is None:
        pytest.skip(f"none of {', '.join(names)} is installed")
    frames = "".join(f'<iframe src="{page}" width="{width}" height="800"></iframe>' for page in pages)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(site))) as server:
        server.wrapper, server.requests = WRAPPER % frames, []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            done = subprocess.run(
                [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                 f"--user-data-dir={scratch}",
                 "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--dump-dom",
                 f"http://127.0.0.1:{server.server_port}/all-pages"],
                capture_output=True, text=True, timeout=120,
            )  # fmt: skip
        finally:
            server.shutdown()
    found = re.search(r'<pre id="report">(.+?)</pre>', done.stdout, re.S)
    assert found, f"the browser reported nothing: {done.stderr[-2000:]}"
    return json.loads(unescape(found[1])), server.requests


def faults(report):
    """What a reader would miss in a page, or wait for from the network."""
    found = [f"broken image {source}" for source, width in report["images"] if not width]
    found += [f"loads {address}" for address in report["loaded"] if not address.startswith("http://127.0.0.1:")]
    found += [f"shows the error {error.strip()}" for error in report["errors"]]
    found += ["shows a traceback"] * report["traceback"]
    if report["overflow"] > 0:
        found.append(f"is {report['overflow']} pixels wider than the window")
    return found
