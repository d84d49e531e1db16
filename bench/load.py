"""The load generator: wrk on its own core."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from processes import Dead, Process
from rows import Row

SCRIPT = Path(__file__).with_name("load.lua")


@dataclass(frozen=True)
class Load:
    """What wrk saw."""

    requests: int
    seconds: float
    #: Kinds of errors that happened, with their counts. Empty is what it must be.
    errors: dict[str, int]


def command(row: Row, port: int | str, seconds: float) -> list[str]:
    return [
        "wrk", "--threads", "1", "--connections", str(row.connections), "--duration", f"{seconds:g}s",
        "--timeout", "10s", "--script", str(SCRIPT), f"http://127.0.0.1:{port}{row.path}", "--", str(row.upload),
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
            raise Dead(f"wrk did not end within {seconds + 60:g} s") from None
        if wrk.child.returncode != 0:
            raise Dead(f"wrk ended with {wrk.child.returncode}: {wrk.last_words()}")
        return parse(wrk.stdout.read_text())


def parse(text: str) -> Load:
    """The line load.lua prints, somewhere in wrk's own report."""
    lines = [line for line in text.splitlines() if line.startswith("{")]
    if not lines:
        raise Dead(f"wrk printed no result: {text.strip()[-200:]}")
    seen = json.loads(lines[-1])
    requests, seconds = seen.pop("requests"), seen.pop("seconds")
    return Load(requests, seconds, {kind: count for kind, count in seen.items() if count})
