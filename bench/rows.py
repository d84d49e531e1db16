"""What is measured: one row per kind of work."""

from dataclasses import dataclass

UPLOAD = 1024 * 1024


@dataclass(frozen=True)
class Row:
    name: str
    title: str
    kind: str = "load"  # or "memory", or "drain"
    path: str = "/128?page=2&sort=name"
    connections: int = 64
    upload: int = 0
    access_log: bool = False


ROWS = [
    Row("small", "128 B answers, 64 connections"),
    Row("large", "64 KiB answers, 64 connections", path="/64k?page=2&sort=name"),
    Row("many", "128 B answers, 1,000 connections", connections=1000),
    Row("log", "128 B answers, 64 connections, access log to a file", access_log=True),
    Row("upload", "1 MiB uploads, 16 connections", path="/upload?part=1", connections=16, upload=UPLOAD),
    Row("rss", "resident memory of a fresh process", kind="memory"),
    Row("drain", "told to stop under load of 200 connections", kind="drain", connections=200),
]
