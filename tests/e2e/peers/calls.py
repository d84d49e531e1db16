"""A gRPC server and a client that checks what comes of its calls: Python's `grpcio`.

    python calls.py server plain | server CHAIN KEY
    python calls.py client ADDRESS plain|AUTHORITY CALL...
"""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc

MIB = 1 << 20
# What a client of a richer status gets (google.rpc.Status), as bytes.
DETAILS = bytes(range(256))
MESSAGE = "not yet: 50% of it, ü\n and a line"


def read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


# The server


def echo(request: bytes, call) -> bytes:
    seen = dict(call.invocation_metadata())
    call.send_initial_metadata([("x-seen", seen.get("x-sent", "")), ("x-seen-bin", seen.get("x-sent-bin", b""))])
    call.set_trailing_metadata([("x-after", "all"), ("x-after-bin", DETAILS)])
    return request


def left(_request: bytes, call) -> bytes:
    return str(call.time_remaining()).encode()


def count(request: bytes, _call):
    for i in range(int(request)):
        yield b"%d " % i * (i % 100 + 1)


def add(requests, _call) -> bytes:
    sizes = [len(request) for request in requests]
    return b"%d messages, %d bytes" % (len(sizes), sum(sizes))


def chat(requests, _call):
    for request in requests:
        yield b"heard " + request


def refuse(call) -> None:
    call.set_trailing_metadata([("grpc-status-details-bin", DETAILS)])
    call.abort(grpc.StatusCode.FAILED_PRECONDITION, MESSAGE)


def fail(_request: bytes, call):
    refuse(call)


def fail_late(_request: bytes, call):
    yield b"first"
    yield b"second"
    refuse(call)


def hang(_request: bytes, call):
    gone = threading.Event()

    def leaves() -> None:
        print("gone", flush=True)
        gone.set()

    # A call that is over by now may not come back from `yield`.
    call.add_callback(leaves)
    yield b"begun"
    gone.wait(20)


def healthy(_request: bytes, _call) -> bytes:
    return b"\x08\x01"


def server(credentials: list[str]) -> None:
    unary, down, up, both = (
        grpc.unary_unary_rpc_method_handler,
        grpc.unary_stream_rpc_method_handler,
        grpc.stream_unary_rpc_method_handler,
        grpc.stream_stream_rpc_method_handler,
    )
    calls = {
        "Echo": unary(echo),
        "Left": unary(left),
        "Count": down(count),
        "Add": up(add),
        "Chat": both(chat),
        "Fail": unary(fail),
        "FailLate": down(fail_late),
        "Hang": down(hang),
    }
    services = [
        grpc.method_handlers_generic_handler("test.Calls", calls),
        grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": unary(healthy)}),
    ]
    listening = grpc.server(ThreadPoolExecutor(32), handlers=services)
    if credentials == ["plain"]:
        port = listening.add_insecure_port("127.0.0.1:0")
    else:
        chain, key = (read(path) for path in credentials)
        port = listening.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, chain)]))
    listening.start()
    print("listening at", port, flush=True)
    listening.wait_for_termination()


# The client


class Client:
    def __init__(self, channel: grpc.Channel):
        self.channel = channel

    def unary(self, name: str, service: str = "test.Calls"):
        return self.channel.unary_unary(f"/{service}/{name}")

    def down(self, name: str):
        return self.channel.unary_stream(f"/test.Calls/{name}")

    def echoes(self) -> None:
        sent = [("x-sent", "as it is"), ("x-sent-bin", DETAILS)]
        answer, call = self.unary("Echo").with_call(b"message", metadata=sent)
        assert answer == b"message", answer
        first = dict(call.initial_metadata())
        assert (first["x-seen"], first["x-seen-bin"]) == ("as it is", DETAILS), first
        last = dict(call.trailing_metadata())
        assert (last["x-after"], last["x-after-bin"]) == ("all", DETAILS), last
        assert self.unary("Echo")(b"") == b""

    def large(self) -> None:
        message = bytes(i & 255 ^ i >> 9 & 255 for i in range(3 * MIB))
        for compression in (grpc.Compression.NoCompression, grpc.Compression.Gzip):
            assert self.unary("Echo")(message, compression=compression) == message

    def many(self) -> None:
        asked = [(b"%d" % i, self.unary("Echo").future(b"%d" % i)) for i in range(300)]
        for sent, answer in asked:
            assert answer.result(20) == sent

    def streams_down(self) -> None:
        messages = list(self.down("Count")(b"1000"))
        assert messages == [b"%d " % i * (i % 100 + 1) for i in range(1000)]
        assert list(self.down("Count")(b"0")) == []

    def streams_up(self) -> None:
        add = self.channel.stream_unary("/test.Calls/Add")
        assert add(bytes(i) for i in range(1000)) == b"1000 messages, 499500 bytes"
        assert add(iter([])) == b"0 messages, 0 bytes"
        assert add(bytes(MIB) for _ in range(8)) == b"8 messages, 8388608 bytes"

    def chats(self) -> None:
        heard = threading.Semaphore(1)
        count = 50

        def says():
            # Each message waits for what is said to the one before.
            for i in range(count):
                assert heard.acquire(timeout=10)
                yield b"%d" % i

        answers = self.channel.stream_stream("/test.Calls/Chat")(says())
        for i, answer in enumerate(answers):
            assert answer == b"heard %d" % i
            heard.release()
        assert i == count - 1

    def fails(self) -> None:
        def check(error: grpc.RpcError) -> None:
            assert error.code() == grpc.StatusCode.FAILED_PRECONDITION, error
            assert error.details() == MESSAGE, error
            assert dict(error.trailing_metadata())["grpc-status-details-bin"] == DETAILS

        check(failure(lambda: self.unary("Fail")(b"")))
        messages = []
        check(failure(lambda: messages.extend(self.down("FailLate")(b""))))
        call = self.down("FailLate")(b"")
        assert (next(call), next(call)) == (b"first", b"second")
        check(failure(lambda: next(call)))
        unknown = failure(lambda: self.unary("Unknown")(b""))
        assert unknown.code() == grpc.StatusCode.UNIMPLEMENTED, unknown

    def deadlines(self) -> None:
        remaining = float(self.unary("Left")(b"", timeout=30))
        assert 10 < remaining < 31, remaining
        late = failure(lambda: list(self.down("Hang")(b"", timeout=0.3)))
        assert late.code() == grpc.StatusCode.DEADLINE_EXCEEDED, late

    def cancels(self) -> None:
        call = self.down("Hang")(b"")
        assert next(call) == b"begun"
        call.cancel()
        cancelled = failure(lambda: next(call))
        assert cancelled.code() == grpc.StatusCode.CANCELLED, cancelled

    def is_refused(self) -> None:
        """Forebay itself answers."""
        nobody = failure(lambda: self.unary("Echo", "dead.Calls")(b""))
        assert nobody.code() == grpc.StatusCode.UNAVAILABLE, nobody
        assert nobody.details().endswith("(connection_refused)"), nobody
        nowhere = failure(lambda: self.unary("Echo", "none.Calls")(b""))
        assert nowhere.code() == grpc.StatusCode.UNIMPLEMENTED, nowhere
        assert nowhere.details().endswith("(no_route)"), nowhere
        # The connection has not suffered from it.
        assert self.unary("Echo")(b"still") == b"still"


def failure(call) -> grpc.RpcError:
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise AssertionError("it has not failed")


def client(address: str, authority: str, calls: list[str]) -> None:
    options = [("grpc.enable_http_proxy", 0)]
    if authority == "plain":
        channel = grpc.insecure_channel(address, options)
    else:
        channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(read(authority)), options)
    with channel:
        for call in calls:
            getattr(Client(channel), call)()
            print(call, flush=True)


if sys.argv[1] == "server":
    server(sys.argv[2:])
else:
    client(sys.argv[2], sys.argv[3], sys.argv[4:])
