"""Connections that have had one answer each, and then wait.

    python3 idle.py PORT h1|h2 FEW MANY

All are over TLS. It opens FEW, prints `open`, waits for a line, opens MANY more, prints `open`, waits for a line, and
prints as JSON how many of all are still there: a proxy that has closed them spends no memory on them.
"""

import json
import resource
import socket
import ssl
import sys
from collections.abc import Callable

import load

PATH = "/128?page=2&sort=name"
DATA, HEADERS, SETTINGS = 0, 1, 4
END_STREAM, END_HEADERS, ACK = 1, 4, 1
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def context(protocol: str) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    made.set_alpn_protocols(["h2" if protocol == "h2" else "http/1.1"])
    return made


def h1_request() -> bytes:
    return load.browser_request(PATH, {})


def h2_request() -> bytes:
    """As a browser writes it, all fields go to the dynamic table (RFC 7541), which the proxy then keeps."""
    # GET, https; then `:path` and `:authority`, whose names the static table has.
    fields = b"\x82\x87" + b"\x44" + text(PATH) + b"\x41" + text("localhost")
    fields += b"".join(b"\x40" + text(name.lower()) + text(value) for name, value in load.BROWSER.items())
    return PREFACE + frame(SETTINGS, 0, 0, b"") + frame(HEADERS, END_STREAM | END_HEADERS, 1, fields)


def text(value: str) -> bytes:
    """Without Huffman's code; a length of 127 and above takes more than the one byte."""
    raw, length = value.encode(), len(value)
    if length < 127:
        return bytes([length]) + raw
    length -= 127
    return b"\x7f" + (bytes([length]) if length < 128 else bytes([length % 128 + 128, length // 128])) + raw


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def read_h1(connection: ssl.SSLSocket) -> None:
    """Up to the end of the body, whose length is known."""
    with connection.makefile("rb", buffering=0) as answer:
        if not answer.readline().startswith(b"HTTP/1.1 200 "):
            raise ConnectionError("not answered with 200")
        while answer.readline() != b"\r\n":
            pass
        exactly(connection, 128)


def read_h2(connection: ssl.SSLSocket) -> None:
    """Up to the frame that ends the answer; the other side's settings are taken."""
    length = 0
    while True:
        head = exactly(connection, 9)
        payload = exactly(connection, int.from_bytes(head[:3], "big"))
        kind, flags = head[3], head[4]
        if kind == SETTINGS and not flags & ACK:
            connection.sendall(frame(SETTINGS, ACK, 0, b""))
        length += len(payload) if kind == DATA else 0
        if kind in (DATA, HEADERS) and flags & END_STREAM:
            if length != 128:
                raise ConnectionError(f"an answer of {length} bytes")
            return


def exactly(connection: ssl.SSLSocket, count: int) -> bytes:
    received = b""
    while len(received) < count:
        piece = connection.recv(count - len(received))
        if not piece:
            raise ConnectionError("closed within an answer")
        received += piece
    return received


SPOKEN: dict[str, tuple[Callable[[], bytes], Callable[[ssl.SSLSocket], None]]] = {
    "h1": (h1_request, read_h1),
    "h2": (h2_request, read_h2),
}


def open_one(port: int, tls: ssl.SSLContext, protocol: str) -> ssl.SSLSocket:
    request, read = SPOKEN[protocol]
    plain = socket.create_connection(("127.0.0.1", port), timeout=10)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection = tls.wrap_socket(plain)
    connection.sendall(request())
    read(connection)
    return connection


def is_there(connection: ssl.SSLSocket) -> bool:
    """Whether the other side has said no end, whatever else it may have said."""
    connection.setblocking(False)
    try:
        while connection.recv(65536):
            pass
    except ssl.SSLWantReadError:
        return True
    except OSError:
        pass
    return False


def main(port: int, protocol: str, *counts: int) -> None:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    tls, connections = context(protocol), []
    for count in counts:
        connections += [open_one(port, tls, protocol) for _ in range(count)]
        print("open", flush=True)
        sys.stdin.readline()
    print(json.dumps({"there": sum(map(is_there, connections)), "opened": len(connections)}), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:]))
