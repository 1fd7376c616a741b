"""A file server on the loopback address that misbehaves as it is told."""

import contextlib
import hashlib
import http.server
import threading
import time


class FileServer(http.server.ThreadingHTTPServer):
    """Serves bytes by path, and counts what was asked for.

    Attributes:
        files: Dictionary from path to bytes.
        faults: Dictionary from path to a list of faults; each request uses up
            the first one. A fault is a status (404, 503), `"html"`, `"stall"`,
            `"short"` (the length is understated), `"long"` (overstated),
            `"cut"` (half of the body comes), `"no_ranges"`, `"other"` (other
            bytes under another tag), `"no_head"` (status 405 for HEAD),
            `"no_length"`.
        requests: List of `(path, range)` in order; `None` for no range.
        methods: List of their methods, `"GET"` or `"HEAD"`.
        sent: Integer, bytes of bodies that were sent.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files, self.faults, self.requests, self.sent = {}, {}, [], 0
        self.methods = []
        self.pause_before_headers = 0.0
        self.pause = 0.0
        self.stopping = threading.Event()

    def url(self, path):
        return f"http://127.0.0.1:{self.server_port}{path}"


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        server = self.server
        server.methods.append(self.command)
        time.sleep(server.pause_before_headers)
        asked = self.headers.get("Range")
        server.requests.append((self.path, asked))
        data = server.files.get(self.path)
        faults = server.faults.get(self.path)
        fault = faults.pop(0) if faults else None
        if data is None and fault is None:
            fault = 404
        if fault == "no_head" and self.command == "HEAD":
            # It is the same for the request that follows.
            fault = 405
        if isinstance(fault, int):
            return self.send_error(fault)
        if fault == "html":
            page = b"<!DOCTYPE html><html><body>Please log in</body></html>"
            return self._answer(200, page, {"Content-Type": "text/html"})
        if fault == "other":
            data = bytes(reversed(data))
        tag = f'"{hashlib.md5(data).hexdigest()}"'
        status, headers, start, stop = 200, {"ETag": tag}, 0, len(data)
        wanted = self.headers.get("If-Range", tag) == tag
        if asked and wanted and fault != "no_ranges":
            start, _, end = asked.removeprefix("bytes=").partition("-")
            start, stop = int(start), int(end) + 1 if end else len(data)
            if start >= len(data):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(data)}")
                self.send_header("Content-Length", "0")
                return self.end_headers()
            span = f"bytes {start}-{stop - 1}/{len(data)}"
            status, headers["Content-Range"] = 206, span
        self._answer(status, data[start:stop], headers, fault)

    def _answer(self, status, body, headers, fault=None):
        length = len(body)
        if fault == "short":
            length //= 2
        if fault == "long":
            length += 1000
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if fault != "no_length":
            self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault in ("cut", "stall"):
            body = body[: len(body) // 2]
        with contextlib.suppress(OSError):
            for i in range(0, len(body), 1 << 14):
                self.wfile.write(body[i : i + (1 << 14)])
                self.server.sent += len(body[i : i + (1 << 14)])
                time.sleep(self.server.pause)
            self.wfile.flush()
        if fault == "stall":
            self.server.stopping.wait(20)
        self.close_connection = True

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def serving():
    """Runs a server in a thread of its own."""
    server = FileServer()
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}
    )
    thread.start()
    try:
        yield server
    finally:
        server.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()
