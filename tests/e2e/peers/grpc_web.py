"""A client of gRPC-Web for the server in calls.py, over HTTP/1.1 and HTTP/2, in bytes and in text.

    python grpc_web.py URL
"""

import base64
import re
import struct
import sys

import httpx

TRAILERS = 0x80
DETAILS = bytes(range(256))


def frame(message: bytes) -> bytes:
    return struct.pack(">BI", 0, len(message)) + message


def in_pieces(text: bool, messages: list[bytes]):
    """Each message by itself: in text, with a padding of its own, and cut where it does not suit."""
    for message in messages:
        piece = frame(message)
        if text:
            piece = base64.b64encode(piece)
            yield piece[:3]
            piece = piece[3:]
        yield piece


class Frames:
    """The frames of an answer, as they come."""

    def __init__(self, answer: httpx.Response, text: bool):
        self.raw = answer.iter_raw()
        self.text = text
        self.letters = b""
        self.bytes = b""
        self.trailers: dict[str, str] | None = None

    def more(self) -> bool:
        piece = next(self.raw, None)
        if piece is None:
            assert not self.letters, "text ends within four letters"
            return False
        if self.text:
            self.letters += piece
            whole = len(self.letters) // 4 * 4
            # b64decode takes padding at the end alone.
            for part in re.findall(b"[^=]+=*", self.letters[:whole]):
                self.bytes += base64.b64decode(part, validate=True)
            self.letters = self.letters[whole:]
        else:
            self.bytes += piece
        return True

    def take(self, count: int) -> bytes:
        while len(self.bytes) < count:
            if not self.more():
                raise EOFError
        taken, self.bytes = self.bytes[:count], self.bytes[count:]
        return taken

    def __iter__(self):
        return self

    def __next__(self) -> bytes:
        try:
            flag, length = struct.unpack(">BI", self.take(5))
        except EOFError:
            assert not self.bytes
            raise StopIteration from None
        assert self.trailers is None, "a frame behind the trailers"
        body = self.take(length)
        if flag != TRAILERS:
            assert flag == 0, flag
            return body
        lines = body.decode().split("\r\n")
        assert lines.pop() == "", "the last line ends as all do"
        self.trailers = dict(line.split(": ", 1) for line in lines)
        assert all(name == name.lower() for name in self.trailers)
        return self.__next__()


class Web:
    def __init__(self, client: httpx.Client, text: bool):
        self.client = client
        self.text = text
        self.kind = "application/grpc-web-text" if text else "application/grpc-web"

    def call(self, name: str, *messages: bytes, **more: str):
        fields = {"content-type": f"{self.kind}+proto", "x-grpc-web": "1", **more}
        pieces = in_pieces(self.text, list(messages))
        # One message has a length, several have none.
        content = b"".join(pieces) if len(messages) == 1 else pieces
        return self.client.stream("POST", f"/test.Calls/{name}", content=content, headers=fields)

    def done(self, name: str, *messages: bytes, **more: str):
        """The messages of an answer, and its trailers."""
        with self.call(name, *messages, **more) as answer:
            assert answer.status_code == 200, answer
            assert answer.headers["content-type"].startswith(self.kind), answer.headers
            assert "content-length" not in answer.headers
            frames = Frames(answer, self.text)
            came = list(frames)
            return answer.headers, came, frames.trailers

    def checks(self) -> None:
        head, came, trailers = self.done("Echo", b"message", **{"x-sent": "as it is"})
        assert (came, head["x-seen"]) == ([b"message"], "as it is"), (came, head)
        assert trailers["grpc-status"] == "0", trailers
        assert trailers["x-after"] == "all", trailers
        assert base64.b64decode(trailers["x-after-bin"] + "==") == DETAILS

        large = DETAILS * 8192
        _, came, _ = self.done("Echo", large)
        assert came == [large]
        _, came, trailers = self.done("Count", b"500")
        assert came == [b"%d " % i * (i % 100 + 1) for i in range(500)]
        assert trailers["grpc-status"] == "0", trailers
        _, came, _ = self.done("Add", *(bytes(i) for i in range(100)))
        assert came == [b"100 messages, 4950 bytes"], came

        # Nothing but a head: it has the status.
        with self.call("Fail", b"") as answer:
            assert answer.headers["grpc-status"] == "9", answer.headers
            assert answer.headers["grpc-message"].startswith("not yet: 50%25 of it"), answer.headers
            assert answer.headers["content-type"].startswith(self.kind), answer.headers
            assert answer.read() == b""
        _, came, trailers = self.done("FailLate", b"")
        assert (came, trailers["grpc-status"]) == ([b"first", b"second"], "9"), (came, trailers)
        assert base64.b64decode(trailers["grpc-status-details-bin"] + "==") == DETAILS

        _, came, _ = self.done("Left", b"", **{"grpc-timeout": "30S"})
        assert 10 < float(came[0]) <= 30, came
        # The first message is here before the answer is over.
        with self.call("Hang", b"") as answer:
            assert next(Frames(answer, self.text)) == b"begun"


for version, http2 in (("HTTP/1.1", False), ("HTTP/2", True)):
    for text in (False, True):
        with httpx.Client(
            base_url=sys.argv[1], http1=not http2, http2=http2, trust_env=False, timeout=20
        ) as client:
            Web(client, text).checks()
        print(version, "in text" if text else "in bytes", flush=True)
