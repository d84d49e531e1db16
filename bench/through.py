"""One large body through a proxy, between two ends that both look at every byte.

    python3 through.py up|down [MIB]

Both ends are in this process: the backend's port is the first line it prints. A line on standard input
tells it the proxy's port; it warms the proxy up with small requests and prints `ready`. After a further
line the body goes `down` from backend to client, or `up` from client to backend. The receiving end stops
for a second after a quarter of it, takes the next part slowly and the rest as fast as it comes. At the
end: one line of JSON.
"""

import json
import socket
import sys
import threading
import time
from dataclasses import dataclass

BLOCK = 256 * 1024
MIB = 1024 * 1024
WARM_UP = 200
PATIENCE = 60.0
FILLER = bytes(range(256)) * (BLOCK // 256)


@dataclass(frozen=True)
class Slowness:
    """How the receiving end takes its time."""

    #: Seconds without a read.
    pause: float = 1.0
    #: How much it takes slowly afterwards, and how much of that in a second.
    slow_bytes: int = 64 * MIB
    slow_rate: int = 64 * MIB


class Broken(Exception):
    """Not what was sent."""


def block(number: int) -> bytearray:
    """Each differs from all others."""
    content = bytearray(FILLER)
    content[:8] = number.to_bytes(8, "little")
    return content


def send_body(connection: socket.socket, size: int) -> None:
    for number in range(size // BLOCK):
        connection.sendall(block(number))


def receive_body(connection: socket.socket, begun: bytes, size: int, slowness: Slowness) -> None:
    """Takes `size` bytes, of which `begun` has come already; each must be the right one."""
    begin_pause = size // 4 // BLOCK
    slow_until = begin_pause + slowness.slow_bytes // BLOCK
    buffer = bytearray(BLOCK)
    view = memoryview(buffer)
    for number in range(size // BLOCK):
        if number == begin_pause:
            time.sleep(slowness.pause)
        if begin_pause <= number < slow_until:
            time.sleep(BLOCK / slowness.slow_rate)
        filled = min(len(begun), BLOCK)
        view[:filled] = begun[:filled]
        begun = begun[filled:]
        while filled < BLOCK:
            count = connection.recv_into(view[filled:])
            if count == 0:
                raise Broken(f"ended {size - number * BLOCK - filled} bytes too early")
            filled += count
        if buffer != block(number):
            raise Broken(f"block {number} is not as it was sent")


def receive_head(connection: socket.socket) -> tuple[str, bytes]:
    """A head, and what came behind it. Empty at the end of the connection."""
    received = b""
    while (end := received.find(b"\r\n\r\n")) < 0:
        piece = connection.recv(BLOCK)
        if not piece:
            return "", b""
        received += piece
    return received[:end].decode("latin-1"), received[end + 4:]


class Backend:
    """Answers small requests, sends the body, or takes it."""

    def __init__(self, size: int, slowness: Slowness):
        self.size = size
        self.slowness = slowness
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection: socket.socket) -> None:
        with connection:
            while (asked := receive_head(connection))[0]:
                head, begun = asked
                if head.startswith("GET /body"):
                    connection.sendall(answer_head(self.size))
                    send_body(connection, self.size)
                elif head.startswith("POST"):
                    connection.sendall(small(self.take(connection, begun)))
                else:
                    connection.sendall(small("small"))

    def take(self, connection: socket.socket, begun: bytes) -> str:
        try:
            receive_body(connection, begun, self.size, self.slowness)
        except (Broken, OSError) as error:
            return str(error)
        return "intact"


def answer_head(length: int) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n".encode()


def small(text: str) -> bytes:
    return answer_head(len(text)) + text.encode()


def request(method: str, path: str, length: int | None = None) -> bytes:
    fields = "" if length is None else f"Content-Length: {length}\r\n"
    return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: forebay-bench\r\n{fields}\r\n".encode()


def short_answer(connection: socket.socket) -> str:
    """The text of a small answer, or what it says instead."""
    head, text = receive_head(connection)
    if not head.startswith("HTTP/1.1 200"):
        return head.partition("\r\n")[0] or "no answer"
    length = next(
        int(line.partition(":")[2]) for line in head.split("\r\n") if line.lower().startswith("content-length:")
    )
    while len(text) < length and (piece := connection.recv(BLOCK)):
        text += piece
    return text.decode("latin-1")


def warm_up(port: int) -> None:
    with connect(port) as connection:
        for _ in range(WARM_UP):
            connection.sendall(request("GET", "/small"))
            if (text := short_answer(connection)) != "small":
                raise Broken(f"answered a small request with {text!r}")


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def down(port: int, size: int, slowness: Slowness) -> str:
    with connect(port) as connection:
        connection.sendall(request("GET", "/body"))
        head, begun = receive_head(connection)
        if not head.startswith("HTTP/1.1 200"):
            return head.partition("\r\n")[0] or "no answer"
        try:
            receive_body(connection, begun, size, slowness)
        except Broken as broken:
            return str(broken)
    return "intact"


def up(port: int, size: int) -> str:
    with connect(port) as connection:
        connection.sendall(request("POST", "/body", size))
        send_body(connection, size)
        return short_answer(connection)


def transfer(direction: str, port: int, size: int, slowness: Slowness) -> dict[str, object]:
    began = time.monotonic()
    try:
        outcome = down(port, size, slowness) if direction == "down" else up(port, size)
    except OSError as error:
        outcome = str(error)
    return {"outcome": outcome, "seconds_to_pass": time.monotonic() - began}


if __name__ == "__main__":
    DIRECTION, *MIBS = sys.argv[1:]
    SIZE = int(MIBS[0] if MIBS else 1024) * MIB
    print(Backend(SIZE, Slowness()).port, flush=True)
    PROXY = int(sys.stdin.readline())
    warm_up(PROXY)
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(transfer(DIRECTION, PROXY, SIZE, Slowness())), flush=True)
