"""A backend on Python's http.server that writes down every request it sees.

First a line with its port; then one for each request: method, target, whether
all of it came, and its body (see ../src/recorder.rs). The answer is the target.
"""

import http.server
import socketserver


def escaped(data):
    plain = lambda byte: 0x20 < byte < 0x7F and byte != 0x5C
    return "".join(chr(b) if plain(b) else f"\\x{b:02X}" for b in data) or "-"


class Recorder(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __getattr__(self, name):
        """One method for all of `do_GET`, `do_POST` and so on."""
        if name.startswith("do_"):
            return self.serve
        raise AttributeError(name)

    def serve(self):
        # `self.path` has been tidied up; this has not.
        method, target, _ = self.requestline.split(" ")
        if target == "/early":
            self.record(method, target, "early")
            self.answer(target)
            self.read_body()
            return
        body = self.read_body()
        if body is None:
            self.record(method, target, "cut")
            return
        self.record(method, target, "whole", body)
        self.answer(target)

    def read_body(self):
        """The body, or none if the connection ends before it."""
        try:
            return self.whole_body()
        except EOFError:
            self.close_connection = True
            return None

    def whole_body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.exactly(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.line(), 16):
            body += self.exactly(size)
            self.line()
        while self.line():
            pass
        return body

    def exactly(self, size):
        data = self.rfile.read(size)
        if len(data) < size:
            raise EOFError
        return data

    def line(self):
        line = self.rfile.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError
        return line[:-2]

    def answer(self, target):
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(target)}\r\n\r\n"
        body = "" if self.command == "HEAD" else target
        self.wfile.write((head + body).encode("iso-8859-1"))

    def record(self, method, target, state, body=b""):
        target = escaped(target.encode("iso-8859-1"))
        print(method, target, state, escaped(body), flush=True)

    def send_error(self, *arguments, **named):
        """The server itself has found fault with a request."""
        self.record("-", "-", "cut")
        super().send_error(*arguments, **named)

    def log_message(self, *arguments):
        pass


# One connection at a time, as Forebay is to open them: so the order of the
# lines is the order of the requests.
with socketserver.TCPServer(("127.0.0.1", 0), Recorder) as server:
    print(server.server_address[1], flush=True)
    server.serve_forever()
