"""One measurement of one running proxy. Each function gives one round's raw numbers."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import load
from peers import Running
from processes import Dead, core_busy_seconds, settle_in
from rows import Row

PROXY_CORE = 0
LOAD_CORE = 1
CLIENT = Path(__file__).with_name("client.py")

#: Requests a fresh process serves before its memory is read.
FRESH_REQUESTS = 10_000
#: How long a proxy may take to end once told to.
DRAIN_PATIENCE = 15.0
#: Below this share of core 0 the proxy was not the limit: the generator was, or others took a core.
FULL = 0.85
#: Above this share of core 0, other processes disturbed the proxy.
DISTURBED = 0.10


def loaded(running: Running, row: Row, seconds: float, folder: Path) -> dict:
    """CPU time per request under full load."""
    if row.grpc:
        load.check_call(row, running.site.port, LOAD_CORE, folder)
    log_before = running.access_log_size()
    cores, cpu, clock = core_busy_seconds(), running.process.cpu_seconds(), time.monotonic()
    seen = load.run(row, running.site.port, seconds, LOAD_CORE, folder)
    cpu = running.process.cpu_seconds() - cpu
    window = time.monotonic() - clock
    busy = {core: (now - cores[core]) / window for core, now in core_busy_seconds().items()}
    running.process.check_alive()
    if seen.requests == 0:
        raise Dead(f"answered nothing; {seen.errors or 'no errors'}")
    share = cpu / window
    notes = faults(seen)
    if share < FULL:
        notes.append("the load was the limit")
    if busy[PROXY_CORE] - share > DISTURBED:
        notes.append(f"others used core {PROXY_CORE}")
    if row.access_log and running.access_log_size() == log_before:
        notes.append("wrote no access log")
    return {
        "us_per_request": cpu / seen.requests * 1e6,
        "requests_per_second": seen.requests / seen.seconds,
        "requests": seen.requests,
        "seconds": seen.seconds,
        "cpu_seconds": cpu,
        "window_seconds": window,
        "proxy_share": share,
        "core_busy": busy,
        "notes": notes,
    }


def faults(seen: load.Load) -> list[str]:
    """What makes a round worthless: wrk had errors, or answers other than 2xx and 3xx."""
    return [f"**{count} {kind} errors**" for kind, count in seen.errors.items()]


def remembered(running: Running, row: Row, seconds: float, folder: Path) -> dict:
    """Resident memory: at rest, after 10,000 requests, at its highest under load, and after that."""
    rest = running.process.rss_bytes()
    with client(running.site.port, row.connections, FRESH_REQUESTS) as sender:
        counts = finish(sender)
    after = running.process.rss_bytes()
    peak = 0

    def watch() -> None:
        nonlocal peak
        peak = max(peak, running.process.rss_bytes())

    seen = load.run(row, running.site.port, seconds, LOAD_CORE, folder, watch)
    running.process.check_alive()
    notes = faults(seen)
    if counts.get("answered") != FRESH_REQUESTS:
        notes.append(f"of {FRESH_REQUESTS} requests: {counts}")
    return {
        "rss_at_rest": rest,
        "rss_after_requests": after,
        "rss_under_load": peak,
        "rss_after_load": running.process.rss_bytes(),
        "notes": notes,
    }


def drained(running: Running, row: Row, seconds: float) -> dict:
    """Tells a proxy to stop while every connection is busy; counts what became of the requests."""
    how = running.contender.proxy.drain_signal
    if how is None:
        raise Dead("has no signal for it")
    with client(running.site.port, row.connections) as sender:
        word = sender.stdout.readline().strip()
        if word != "busy":
            raise Dead(f"not every connection was answered: the client says {word or 'nothing'!r}")
        time.sleep(min(seconds, 2.0))
        sender.stdin.write("mark\n")
        sender.stdin.flush()
        told = time.monotonic()
        running.process.child.send_signal(how)
        code = running.process.wait(DRAIN_PATIENCE)
        took = time.monotonic() - told
        counts = finish(sender)
    return {
        **counts,
        "signal": how.name,
        "exit_code": code,
        "seconds_to_exit": took,
        "notes": [] if code == 0 else [f"still there after {took:.0f} s" if code is None else f"exit code {code}"],
    }


@contextmanager
def client(port: int, *numbers: int) -> Iterator[subprocess.Popen]:
    """The careful client; gone when the block ends, however it ends."""
    command = ["taskset", "-c", str(LOAD_CORE), sys.executable, str(CLIENT), *map(str, (port, *numbers))]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, preexec_fn=settle_in,
    ) as sender:
        try:
            yield sender
        finally:
            sender.kill()


def finish(sender: subprocess.Popen) -> dict[str, int]:
    """Ends the client by closing its input; its counts."""
    try:
        out, err = sender.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        raise Dead("the client did not end") from None
    lines = out.strip().splitlines()
    if not lines:
        raise Dead(f"the client failed: {err.strip()[-300:]}")
    return json.loads(lines[-1])
