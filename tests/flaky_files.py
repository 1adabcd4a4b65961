"""A real HTTP server for files that cuts, refuses and lies as a test tells it.

`from flaky_files import FlakyFiles`; tests that use it are marked `realtime`.
"""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ("FlakyFiles",)


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """A client that has gone away is none."""


class FlakyFiles:
    """A context: `files` by path, and what shall happen to the next requests for content.

    `cuts` are byte counts after which the next answers break off, one for each; `statuses` are answers instead of the
    next ones. `ranges` says whether parts can be asked for. `asked` collects the first byte of what each request for
    content asked for.
    """

    def __init__(self, **files):
        self.files = {f"/{name}": content for name, content in files.items()}
        self.cuts, self.statuses, self.ranges, self.asked = [], [], True, []

    def __enter__(self):
        files = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_HEAD(self):
                files.answer(self, head=True)

            def do_GET(self):
                files.answer(self, head=False)

        self._server = _Quiet(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, request, *, head):
        content = self.files.get(request.path)
        status = 404 if content is None else 200
        if not head and self.statuses:
            status = self.statuses.pop(0)
        asked = request.headers.get("Range", "").removeprefix("bytes=").split("-")
        part = content or b""
        if status == 200 and self.ranges and asked[0]:
            start, end = int(asked[0]), int(asked[1]) if asked[1] else len(part) - 1
            status, part = 206, part[start : end + 1]
        request.send_response(status)
        if status not in (200, 206):
            part = b""
        request.send_header("Content-Length", str(len(part)))
        if self.ranges:
            request.send_header("Accept-Ranges", "bytes")
        if status == 206:
            request.send_header("Content-Range", f"bytes {start}-{start + len(part) - 1}/{len(content)}")
        request.end_headers()
        if head or not part:
            return
        self.asked.append(start if status == 206 else 0)
        if self.cuts:
            request.wfile.write(part[: self.cuts.pop(0)])
            request.close_connection = True
            return
        request.wfile.write(part)
