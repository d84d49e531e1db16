"""Clients of HTTP/2 that check what comes of their requests: Python's `httpx`, and its `h2` for what no client does of itself.

    python streams.py PORT AUTHORITY CHECK...
"""

import asyncio
import socket
import ssl
import sys

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings
import httpx

LARGE = bytes(i & 255 ^ i >> 9 & 255 for i in range(1 << 20))


# httpx


async def asks(port: int, trust: ssl.SSLContext) -> None:
    base = f"https://localhost:{port}"
    limits = httpx.Limits(max_connections=1)
    async with httpx.AsyncClient(
        http1=False, http2=True, verify=trust, base_url=base, limits=limits, trust_env=False, timeout=20
    ) as client:
        answer = await client.get("/small")
        assert (answer.http_version, answer.status_code, answer.text) == ("HTTP/2", 200, "GET /small"), answer
        answer = await client.get("/large")
        assert answer.content == LARGE

        async def pieces():
            for at in range(0, len(LARGE), 50_000):
                yield LARGE[at : at + 50_000]

        for body in (LARGE, pieces()):
            answer = await client.post("/back", content=body)
            assert answer.content == LARGE
        # None is answered before all of them are here.
        answers = await asyncio.gather(*(client.get(f"/together/{i}") for i in range(100)))
        assert [answer.text for answer in answers] == [f"GET /together/{i}" for i in range(100)]


# h2


class Connection:
    """One connection on which the client's side is h2, which refuses what breaks the rules."""

    def __init__(self, port: int, trust: ssl.SSLContext):
        trust.set_alpn_protocols(["h2"])
        plain = socket.create_connection(("localhost", port), 20)
        self.socket = trust.wrap_socket(plain, server_hostname="localhost")
        assert self.socket.selected_alpn_protocol() == "h2"
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.events = []

    def begin(self, **settings: int) -> None:
        names = h2.settings.SettingCodes
        first = {names[name.upper()]: value for name, value in settings.items()}
        self.h2.local_settings = h2.settings.Settings(client=True, initial_values=first)
        self.h2.initiate_connection()

    def get(self, path: str) -> int:
        stream = self.h2.get_next_available_stream_id()
        head = [(":method", "GET"), (":scheme", "https"), (":path", path), (":authority", "localhost")]
        self.h2.send_headers(stream, head, end_stream=True)
        return stream

    def wait(self, kind: type, stream: int | None = None):
        """The next event of this kind, of this stream if it is one of a stream's."""
        while True:
            for i, event in enumerate(self.events):
                if type(event) is kind and (stream is None or event.stream_id == stream):
                    return self.events.pop(i)
            self.socket.sendall(self.h2.data_to_send())
            received = self.socket.recv(65536)
            assert received, "the connection ended"
            self.events += self.h2.receive_data(received)

    def rest(self, stream: int) -> bytes:
        """The rest of the body, of which all that comes is acknowledged at once."""
        body = b""
        while True:
            data = self.wait(h2.events.DataReceived, stream)
            body += data.data
            self.h2.acknowledge_received_data(data.flow_controlled_length, stream)
            if data.stream_ended:
                return body

    def close(self) -> None:
        self.h2.close_connection()
        self.socket.sendall(self.h2.data_to_send())
        self.socket.close()


def byte_by_byte(connection: Connection) -> None:
    """A window that opens by one byte at a time."""
    connection.begin(initial_window_size=0)
    stream = connection.get("/letters")
    connection.wait(h2.events.ResponseReceived, stream)
    body = b""
    while True:
        # What comes beyond a window is an error of h2's.
        connection.h2.increment_flow_control_window(1, stream)
        data = connection.wait(h2.events.DataReceived, stream)
        assert len(data.data) <= 1, data
        body += data.data
        if len(body) == 300:
            break
    assert body == b"x" * 300
    if not data.stream_ended:
        connection.wait(h2.events.StreamEnded, stream)


def shrinks(connection: Connection) -> None:
    """Settings change while an answer is on its way: a smaller window, larger frames, and no table for names."""
    connection.begin()
    stream = connection.get("/large")
    first = connection.wait(h2.events.DataReceived, stream)
    names = h2.settings.SettingCodes
    changed = {names.INITIAL_WINDOW_SIZE: 10, names.MAX_FRAME_SIZE: 1 << 20, names.HEADER_TABLE_SIZE: 0}
    connection.h2.update_settings(changed)
    connection.h2.acknowledge_received_data(first.flow_controlled_length, stream)
    while names.MAX_FRAME_SIZE not in connection.wait(h2.events.SettingsAcknowledged).changed_settings:
        pass  # the first ones
    connection.h2.increment_flow_control_window(1 << 21, stream)
    assert first.data + connection.rest(stream) == LARGE
    for _ in range(3):
        stream = connection.get("/small")
        head = dict(connection.wait(h2.events.ResponseReceived, stream).headers)
        assert head[":status"] == "200", head
        assert connection.wait(h2.events.DataReceived, stream).data == b"GET /small"


def resets(connection: Connection) -> None:
    """The client cancels within an answer; what was on its way is no error, and the connection goes on."""
    connection.begin()
    for _ in range(5):
        stream = connection.get("/large")
        data = connection.wait(h2.events.DataReceived, stream)
        connection.h2.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
        connection.h2.increment_flow_control_window(data.flow_controlled_length)
    stream = connection.get("/large")
    assert connection.rest(stream) == LARGE


def pings(connection: Connection) -> None:
    """Answered while another answer is on its way."""
    connection.begin()
    stream = connection.get("/large")
    for i in range(10):
        connection.h2.ping(b"ping %3d" % i)
        assert connection.wait(h2.events.PingAckReceived).ping_data == b"ping %3d" % i
    assert connection.rest(stream) == LARGE


def trailers(connection: Connection) -> None:
    connection.begin()
    stream = connection.get("/trailers")
    assert connection.wait(h2.events.DataReceived, stream).data == b"body"
    came = dict(connection.wait(h2.events.TrailersReceived, stream).headers)
    assert came == {"x-after": "all"}, came
    connection.wait(h2.events.StreamEnded, stream)


def main(port: int, authority: str, checks: list[str]) -> None:
    for check in checks:
        trust = ssl.create_default_context(cafile=authority)
        if check == "asks":
            asyncio.run(asks(port, trust))
        else:
            connection = Connection(port, trust)
            globals()[check](connection)
            connection.close()
        print(check, flush=True)


main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
