"""The load generator: wrk on its own core, h2load for HTTP/2, forebay-resume for sessions that are taken up again."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from processes import Dead, Process
from rows import Row

#: The fields of a browser's request, as in the script for wrk.
BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "Accept-Language": "en-GB,en;q=0.5",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Cookie": "session=1f0c7a5e9b2d4c68a3e5f7091b2c3d4e; theme=dark; consent=yes",
}
#: Those of a client of gRPC.
CALLER = {
    "content-type": "application/grpc",
    "te": "trailers",
    "user-agent": "grpc-python/1.85.1 grpc-c/54.0.0 (linux; chttp2)",
    "grpc-accept-encoding": "identity, deflate, gzip",
}
#: What is called with: a message of 32 bytes, behind its byte for compression and its length.
CALL = b"\0\0\0\0\x20" + b"x" * 32
CALL_FILE = "call.bin"
#: A message of 128 bytes, as it comes back.
ANSWERED = 5 + 128
SCRIPT = Path(__file__).with_name("load.lua")
TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or Path(__file__).resolve().parent.parent / "target")
RESUME = TARGET / "release/forebay-resume"
#: What each of its connections asks.
REQUEST_FILE = "request"


@dataclass(frozen=True)
class Load:
    """What wrk saw."""

    requests: int
    seconds: float
    #: Kinds of errors that happened, with their counts. Empty is what it must be.
    errors: dict[str, int]


def command(row: Row, port: int | str, seconds: float) -> list[str]:
    scheme = "https" if row.tls else "http"
    url = f"{scheme}://127.0.0.1:{port}{row.path}"
    if row.streams:
        return [
            "h2load", "--threads=1", f"--clients={row.connections}", f"--max-concurrent-streams={row.streams}",
            f"--duration={seconds:g}", *asked(row), url,
        ]
    if row.resumed:
        return [str(RESUME), f"127.0.0.1:{port}", str(row.connections), f"{seconds:g}", REQUEST_FILE]
    return [
        "wrk", "--threads", "1", "--connections", str(row.connections), "--duration", f"{seconds:g}s",
        "--timeout", "10s", "--script", str(SCRIPT), url, "--", str(row.upload), *(["close"] if row.one_each else []),
    ]


def browser_request(path: str, more: dict[str, str]) -> bytes:
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in {"Host": "localhost", **BROWSER, **more}.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def asked(row: Row) -> list[str]:
    """What one request has, for h2load and nghttp alike."""
    fields = [f"--header={name}: {value}" for name, value in (CALLER if row.grpc else BROWSER).items()]
    return [*fields, *([f"--data={CALL_FILE}"] if row.grpc else [])]


def lay_out(row: Row, folder: Path) -> None:
    """The files that the generators read."""
    if row.grpc:
        (folder / CALL_FILE).write_bytes(CALL)
    if row.resumed:
        (folder / REQUEST_FILE).write_bytes(browser_request(row.path, {"Connection": "close"}))


def check_call(row: Row, port: int, core: int, folder: Path) -> None:
    """One call by itself: load over a proxy that loses trailers, or that answers them itself, would say nothing."""
    lay_out(row, folder)
    command = ["nghttp", "--verbose", *asked(row), f"https://127.0.0.1:{port}{row.path}"]
    with Process(command, core, folder, "nghttp") as call:
        call.wait(20)
        said = call.stdout.read_bytes().decode(errors="replace")
    if not has_trailers(said):
        raise Dead(f"a call was not answered with a message and grpc-status 0: {said.strip()[-300:] or call.last_words()}")


def has_trailers(said: str) -> bool:
    """Whether nghttp saw a message of the backend, and behind it the status."""
    _, _, behind = re.sub(r"\x1b\[[0-9;]*m", "", said).partition(f"recv DATA frame <length={ANSWERED},")
    return re.search(r"recv \(stream_id=\d+\) grpc-status: 0$", behind, re.M) is not None


def run(row: Row, port: int, seconds: float, core: int, folder: Path, watch: Callable[[], None] | None = None) -> Load:
    """Runs wrk to its end; `watch` is called again and again meanwhile."""
    lay_out(row, folder)
    with Process(command(row, port, seconds), core, folder, "wrk") as wrk:
        try:
            if watch:
                while wrk.is_alive():
                    watch()
                    wrk.wait(0.1)
            wrk.child.wait(seconds + 60)
        except subprocess.TimeoutExpired:
            raise Dead(f"the load did not end within {seconds + 60:g} s") from None
        if wrk.child.returncode != 0:
            raise Dead(f"the load ended with {wrk.child.returncode}: {wrk.last_words()}")
        said = wrk.stdout.read_text()
        return parse_h2load(said, seconds, ANSWERED if row.grpc else 0) if row.streams else parse(said)


def parse_h2load(text: str, seconds: float, size: int = 0) -> Load:
    """The counts in h2load's own report. Answers had to have `size` bytes: errors of gRPC have status 200, and none."""
    totals = re.search(r"^requests: \d+ total.* (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", text, re.M)
    statuses = re.search(r"^status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", text, re.M)
    traffic = re.search(r"^traffic: .* \((\d+)\) data$", text, re.M)
    if not (totals and statuses and traffic):
        raise Dead(f"h2load printed no result: {text.strip()[-200:]}")
    succeeded, failed, errored, timeouts = map(int, totals.groups())
    good, moved, refused, broken = map(int, statuses.groups())
    empty = max(0, succeeded - int(traffic[1]) // size) if size else 0
    errors = {"failed": failed, "errored": errored, "timeout": timeouts, "status": refused + broken, "empty": empty}
    return Load(good + moved, seconds, {kind: count for kind, count in errors.items() if count})


def parse(text: str) -> Load:
    """The line load.lua prints, somewhere in wrk's own report."""
    lines = [line for line in text.splitlines() if line.startswith("{")]
    if not lines:
        raise Dead(f"wrk printed no result: {text.strip()[-200:]}")
    seen = json.loads(lines[-1])
    requests, seconds = seen.pop("requests"), seen.pop("seconds")
    return Load(requests, seconds, {kind: count for kind, count in seen.items() if count})
