"""Measurements that are not about cost: memory, idle connections, hostile clients, latency, dead backends.

Each function gives one round's raw numbers of one running proxy, as in `measure.py`.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import load
import steady
from configs import HEAD_SECONDS
from measure import LOAD_CORE, faults
from peers import Running
from processes import Dead, Process, settle_in
from rows import MIB, Row

HERE = Path(__file__).parent

#: The large body, in MiB.
BODY = 1024
#: How often memory is looked at, in seconds.
LOOK = 0.05
#: Clients that never finish a request.
ATTACKERS = 10_000
#: Seconds they may stay beyond what they are given.
GRACE = 2.0
#: How long is waited for those that stay: they may also be slow to notice their end.
PATIENCE = 10.0
#: Seconds in which they all connect.
GATHERING = 3.0
#: Connections that are open before those that are counted: what a process needs once is not theirs.
FEW = 50
#: Memory has settled when it is the same for so long; so long at most is waited for that. Seconds.
STILL, RESTLESS = 1.0, 15.0
#: Share of the measured maximum at which latency is measured.
SHARE = 0.5


@dataclass
class Through:
    """Both ends of a large body: `through.py`, waiting to be told the proxy's port."""

    child: subprocess.Popen
    ports: tuple[int, ...]

    def tell(self, text: str) -> None:
        self.child.stdin.write(text + "\n")
        self.child.stdin.flush()

    def next_line(self) -> str:
        line = self.child.stdout.readline().strip()
        if not line:
            raise Dead(f"the ends of the body failed: {self.child.communicate()[1].strip()[-300:]}")
        return line


@contextmanager
def ends(row: Row) -> Iterator[Through]:
    with conversation("through.py", row.direction, BODY) as child:
        yield Through(child, (int(child.stdout.readline()),))


@contextmanager
def conversation(program: str, *words: object) -> Iterator[subprocess.Popen]:
    """A program of this folder that is spoken with line by line; gone when the block ends."""
    command = ["taskset", "-c", str(LOAD_CORE), sys.executable, str(HERE / program), *map(str, words)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, preexec_fn=settle_in,
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def protocol(row: Row) -> str:
    return "h2" if row.streams else "h1"


def idle(running: Running, row: Row) -> dict:
    """Memory of connections that wait for a second request."""
    with conversation("idle.py", running.site.port, protocol(row), FEW, row.connections) as clients:
        def opened() -> int:
            if clients.stdout.readline().strip() != "open":
                raise Dead(f"not every connection was answered: {clients.communicate()[1].strip()[-300:]}")
            return settled(running.process)

        few = opened()
        clients.stdin.write("more\n")
        clients.stdin.flush()
        many = opened()
        seen = json.loads(clients.communicate("over\n", timeout=60)[0])
    running.process.check_alive()
    gone = seen["opened"] - seen["there"]
    return {
        "rss_before": few,
        "rss_idle": many,
        "bytes_each": (many - few) / row.connections,
        "notes": [f"**{gone} connections were closed**"] if gone else [],
    }


def settled(process: Process) -> int:
    """Resident memory, once it stays as it is."""
    began = since = time.monotonic()
    memory = process.rss_bytes()
    while (now := time.monotonic()) - since < STILL and now - began < RESTLESS:
        time.sleep(LOOK)
        if (latest := process.rss_bytes()) != memory:
            memory, since = latest, time.monotonic()
    return memory


def body(running: Running, through: Through) -> dict:
    """How much a proxy that has served small requests grows while a large body passes."""
    process = running.process
    through.tell(str(running.site.port))
    through.next_line()
    before = process.rss_bytes()
    process.forget_peak()
    through.tell("go")
    highest = before
    # It ends with the transfer, and leaves one line.
    while through.child.poll() is None:
        highest = max(highest, process.rss_bytes())
        time.sleep(LOOK)
    process.check_alive()
    seen = json.loads(through.next_line())
    peak = max(highest, process.peak_rss_bytes())
    good = seen["outcome"] == "intact"
    return {
        "rss_before": before,
        "rss_peak": peak,
        "growth": peak - before,
        "rss_after": process.rss_bytes(),
        "seconds_to_pass": seen["seconds_to_pass"],
        "notes": [] if good else [f"**{seen['outcome']}**"],
    }


def besieged(running: Running, row: Row, seconds: float, folder: Path, program: Path) -> dict:
    """Latency of good clients, alone and then among 10,000 that never finish a request."""
    port = running.site.port

    def good(length: float) -> Process:
        command = steady.command(program, port, row.rate, length, row.connections, row.path)
        return Process(command, LOAD_CORE, folder, "good")

    with good(seconds) as alone:
        quiet = steady.finish(alone, seconds + 30)
    siege = GATHERING + HEAD_SECONDS + GRACE
    patience = HEAD_SECONDS + PATIENCE
    attack = [sys.executable, str(HERE / "slowloris.py"), str(port), str(ATTACKERS), str(patience)]
    memory = running.process.rss_bytes()
    cpu = running.process.cpu_seconds()
    with good(siege) as among, Process(attack, LOAD_CORE, folder, "slowloris") as slow:
        highest = memory
        while slow.is_alive() and among.is_alive():
            highest = max(highest, running.process.rss_bytes())
            time.sleep(LOOK)
        hard = steady.finish(among, siege + 30)
        if slow.wait(siege + 30) != 0:
            raise Dead(f"the attack failed: {slow.last_words()}")
        attackers = json.loads(slow.stdout.read_text())
    running.process.check_alive()
    return {
        "quiet_us": quiet.latency,
        "among_us": hard.latency,
        "p99_ratio": hard.latency["p99"] / quiet.latency["p99"],
        "answered": hard.answered,
        "attackers": attackers,
        "rss_before": memory,
        "rss_peak": highest,
        "bytes_per_attacker": (highest - memory) / max(1, attackers["connected"]),
        "cpu_seconds": running.process.cpu_seconds() - cpu,
        "notes": quiet.faults() + hard.faults() + siege_faults(attackers),
    }


def siege_faults(attackers: dict) -> list[str]:
    """What became of the attackers that should not have."""
    notes = []
    if attackers["connected"] != ATTACKERS:
        notes.append(f"**only {attackers['connected']} attackers connected**")
    if attackers["left"]:
        notes.append(f"**{attackers['left']} attackers still there**")
    if attackers["age"] and attackers["age"][0] < HEAD_SECONDS - 1:
        notes.append(f"cut after {attackers['age'][0]:.1f} s already")
    return notes


def punctual(running: Running | None, port: int, row: Row, rate: int, seconds: float, folder: Path, program: Path) -> dict:
    """Latency at a constant rate, of a proxy or of the backend alone."""
    clock, cpu = time.monotonic(), running.process.cpu_seconds() if running else 0.0
    with Process(steady.command(program, port, rate, seconds, row.connections, row.path), LOAD_CORE, folder, "steady") as sender:
        seen = steady.finish(sender, seconds + 30)
    window = time.monotonic() - clock
    share = ((running.process.cpu_seconds() if running else 0.0) - cpu) / window
    return {
        "latency_us": seen.latency,
        "late_us": seen.late,
        "answered": seen.answered,
        "proxy_share": share,
        "notes": seen.faults(),
    }


def added(through: dict, direct: dict) -> dict[str, float]:
    """What the way through a proxy costs beyond the backend alone, by percentile."""
    return {name: through["latency_us"][name] - direct["latency_us"][name] for name in direct["latency_us"]}


def rate_for(maxima: list[float]) -> int:
    """One rate for all, which even the slowest can bear; in whole hundreds."""
    return int(min(maxima) * SHARE) // 100 * 100


@dataclass
class Backends:
    """Three that can stand in for each other."""

    processes: list[Process]
    ports: tuple[int, ...]


@contextmanager
def three_origins(program: Path, folder: Path) -> Iterator[Backends]:
    with ExitStack() as stack:
        started = [
            stack.enter_context(Process([str(program), "--listen", "127.0.0.1:0"], LOAD_CORE, folder, f"origin{number}"))
            for number in range(3)
        ]
        ports = tuple(int(process.first_line().rpartition(":")[2]) for process in started)
        yield Backends(started, ports)


def bereft(running: Running, row: Row, seconds: float, folder: Path, backends: Backends) -> dict:
    """Kills one backend after a third of the time and another after two thirds."""
    length = 3 * seconds
    began = time.monotonic()
    killed: list[float] = []

    def kill() -> None:
        now = time.monotonic() - began
        if len(killed) < 2 and now > seconds * (len(killed) + 1):
            backends.processes[len(killed)].child.kill()
            killed.append(now)

    seen = load.run(row, running.site.port, length, LOAD_CORE, folder, kill)
    running.process.check_alive()
    notes = faults(seen)
    if len(killed) < 2:
        notes.append("**the load ended too early**")
    return {
        "failed": sum(seen.errors.values()),
        "requests": seen.requests,
        "requests_per_second": seen.requests / seen.seconds,
        "seconds": seen.seconds,
        "killed_at": killed,
        "notes": notes,
    }
