"""The load at a constant rate: forebay-steady on its own core."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from processes import Dead, Process

#: The generator's own lateness beyond which its numbers say little, in microseconds.
PUNCTUAL = 1000.0
#: What is noted then.
LATE = "the generator was late"


@dataclass(frozen=True)
class Steady:
    """What it saw. Times are in microseconds, by percentile."""

    answered: int
    latency: dict[str, float]
    late: dict[str, float]
    #: Kinds of errors that happened, with their counts. Empty is what it must be.
    errors: dict[str, int] = field(default_factory=dict)

    def faults(self) -> list[str]:
        """What makes its numbers worthless."""
        notes = [f"**{count} {kind}**" for kind, count in self.errors.items()]
        return notes + ([LATE] if self.late["p99"] > PUNCTUAL else [])


def command(program: Path | str, port: int | str, rate: int, seconds: float, connections: int, path: str) -> list[str]:
    return [
        str(program), "--to", f"127.0.0.1:{port}", "--rate", str(rate), "--seconds", f"{seconds:g}",
        "--connections", str(connections), "--path", path,
    ]


def finish(process: Process, timeout: float) -> Steady:
    """Waits for its end."""
    code = process.wait(timeout)
    if code != 0:
        raise Dead(f"forebay-steady ended with {code}: {process.last_words()}")
    return parse(process.stdout.read_text())


def parse(text: str) -> Steady:
    seen = json.loads(text)
    errors = {kind: count for kind, count in seen["errors"].items() if count}
    return Steady(seen["answered"], seen["latency_us"], seen["late_us"], errors)
