"""What is measured: one row per kind of work."""

from dataclasses import dataclass, field

UPLOAD = 1024 * 1024
MIB = 1024 * 1024


@dataclass(frozen=True)
class Row:
    name: str
    title: str
    #: load, memory, idle, drain, body, slowloris, latency or kill.
    kind: str = "load"
    path: str = "/128?page=2&sort=name"
    connections: int = 64
    upload: int = 0
    #: The format of Forebay's access log: combined or json. The others have one of their own.
    access_log: str = ""
    #: Which way a large body goes: up or down.
    direction: str = ""
    #: Clients come over TLS.
    tls: bool = False
    #: Over HTTP/2, with so many requests at a time on each connection.
    streams: int = 0
    #: Every request has a connection of its own.
    one_each: bool = False
    #: That connection takes up the TLS session of one before.
    resumed: bool = False
    #: Unary gRPC calls, and HTTP/2 without TLS to the backend.
    grpc: bool = False
    #: Requests per second, for a load that does not wait for answers.
    rate: int = 0
    #: What forebay may cost at most, as shares of what peers cost.
    aims: dict[str, float] = field(default_factory=dict)
    #: What forebay's headline figure may be at most, in its own unit.
    limit: float | None = None
    #: Who takes part; everyone, when empty.
    only: tuple[str, ...] = ()


#: Everybody who can be had.
EACH_OF = ("nginx", "haproxy", "envoy", "caddy")

ROWS = [
    Row("small", "128 B answers, 64 connections", aims={"nginx": 0.75, "haproxy": 0.75}),
    Row("large", "64 KiB answers, 64 connections", path="/64k?page=2&sort=name", aims={"haproxy": 0.55}),
    Row("many", "128 B answers, 1,000 connections", connections=1000, aims={"nginx": 0.75}),
    Row("log", "128 B answers, 64 connections, access log to a file, nginx and Forebay in the combined format",
        access_log="combined", aims={"nginx": 0.80}),
    Row("log-json", "the same, Forebay in its default format of JSON", access_log="json"),
    Row("upload", "1 MiB uploads, 16 connections", path="/upload?part=1", connections=16, upload=UPLOAD),
    Row("tls-small", "128 B answers over TLS 1.3, 64 connections", tls=True, aims=dict.fromkeys(EACH_OF, 0.80)),
    Row("tls-large", "64 KiB answers over TLS 1.3, 64 connections", path="/64k?page=2&sort=name", tls=True,
        aims=dict.fromkeys(EACH_OF, 0.90)),
    Row("tls-handshakes", "128 B answers over TLS 1.3, a connection and a full handshake (P-256) for each", tls=True,
        one_each=True, aims=dict.fromkeys(EACH_OF, 1.0)),
    Row("tls-resumed", "128 B answers over TLS 1.3, a connection for each that takes up the session of one before", tls=True,
        connections=32, one_each=True, resumed=True, aims=dict.fromkeys(EACH_OF, 1.0)),
    Row("h2-small", "128 B answers over HTTP/2 and TLS 1.3, 10 connections with 32 requests each", connections=10, tls=True,
        streams=32, aims=dict.fromkeys(EACH_OF, 0.90)),
    Row("grpc", "unary gRPC calls of 128 B over HTTP/2 and TLS 1.3, 10 connections with 32 each, to a backend of HTTP/2 without TLS",
        path="/bench.Calls/Unary", connections=10, tls=True, streams=32, grpc=True, aims=dict.fromkeys(EACH_OF, 0.90)),
    Row("rss", "resident memory of a fresh process", kind="memory"),
    Row("idle-memory-h1", "2,000 idle connections of HTTP/1.1 over TLS 1.3", kind="idle", connections=2000, tls=True,
        aims=dict.fromkeys(EACH_OF, 1.0)),
    Row("idle-memory-h2", "2,000 idle connections of HTTP/2 over TLS 1.3", kind="idle", connections=2000, tls=True, streams=1,
        aims=dict.fromkeys(EACH_OF, 1.0)),
    Row("drain", "told to stop under load of 200 connections", kind="drain", connections=200, limit=0),
    Row("body-1g-down", "1 GiB to a client that pauses", kind="body", direction="down", limit=2 * MIB),
    Row("body-1g-up", "1 GiB to a backend that pauses", kind="body", direction="up", limit=2 * MIB),
    Row("slowloris", "50 good clients among 10,000 that never finish a request", kind="slowloris",
        connections=50, rate=2000, limit=3.0),
    Row("added-latency", "128 B answers, 1,000 connections, half of what the slowest can", kind="latency",
        connections=1000, only=("forebay", "floor", "nginx", "haproxy")),
    Row("kill-backends", "two of three backends killed under load", kind="kill", limit=0),
]
