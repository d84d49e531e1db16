"""The load generator: wrk on its own core, or h2load for HTTP/2."""

import json
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
SCRIPT = Path(__file__).with_name("load.lua")


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
            f"--duration={seconds:g}", *(f"--header={name}: {value}" for name, value in BROWSER.items()), url,
        ]
    return [
        "wrk", "--threads", "1", "--connections", str(row.connections), "--duration", f"{seconds:g}s",
        "--timeout", "10s", "--script", str(SCRIPT), url, "--", str(row.upload), *(["close"] if row.one_each else []),
    ]


def run(row: Row, port: int, seconds: float, core: int, folder: Path, watch: Callable[[], None] | None = None) -> Load:
    """Runs wrk to its end; `watch` is called again and again meanwhile."""
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
        return parse_h2load(said, seconds) if row.streams else parse(said)


def parse_h2load(text: str, seconds: float) -> Load:
    """The counts in h2load's own report."""
    totals = re.search(r"^requests: \d+ total.* (\d+) failed, (\d+) errored, (\d+) timeout", text, re.M)
    statuses = re.search(r"^status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", text, re.M)
    if not (totals and statuses):
        raise Dead(f"h2load printed no result: {text.strip()[-200:]}")
    failed, errored, timeouts = map(int, totals.groups())
    good, moved, refused, broken = map(int, statuses.groups())
    errors = {"failed": failed, "errored": errored, "timeout": timeouts, "status": refused + broken}
    return Load(good + moved, seconds, {kind: count for kind, count in errors.items() if count})


def parse(text: str) -> Load:
    """The line load.lua prints, somewhere in wrk's own report."""
    lines = [line for line in text.splitlines() if line.startswith("{")]
    if not lines:
        raise Dead(f"wrk printed no result: {text.strip()[-200:]}")
    seen = json.loads(lines[-1])
    requests, seconds = seen.pop("requests"), seen.pop("seconds")
    return Load(requests, seconds, {kind: count for kind, count in seen.items() if count})
