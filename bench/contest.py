"""Runs rows: every proxy in turn, round after round."""

import argparse
import shlex
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path

import load
import measure
import peers
import steady
import trials
from neighbours import SPOILT, Neighbours, wait_for_quiet
from configs import Certificate
from peers import Contender, Running
from processes import Dead, Process
from rows import Row

REPOSITORY = Path(__file__).resolve().parent.parent
#: The backend alone, in the row about latency.
DIRECT = "direct"
#: How the note begins that others spoilt a round.
OTHERS = "others used"
#: How often a round that others spoil is made, for those who are patient.
TRIES = 6


@dataclass(frozen=True)
class Programs:
    """What stands before and behind the proxies."""

    origin: Path
    steady: Path


Backends = trials.Through | trials.Backends | None


class Contest:
    """Runs rows, one after the other."""

    def __init__(
        self, options: argparse.Namespace, contenders: list[Contender], programs: Programs, origin: Process, folder: Path
    ):
        self.options = options
        self.contenders = contenders
        self.programs = programs
        #: The backend of all, which says where it listens.
        self.origin = origin
        self.origin_port = int(origin.first_line().rpartition(":")[2])
        self.folder = folder
        #: The configuration each proxy got, as written in the last row.
        self.configs: dict[str, str] = {}

    def run(self, row: Row) -> dict:
        say(f"== {row.name}: {row.title}")
        contenders = [one for one in self.contenders if self.takes_part(one, row)]
        cells = {one.name: {"rounds": []} for one in contenders}
        done = {"name": row.name, "title": row.title, "kind": row.kind, "aims": row.aims, "limit": row.limit}
        match row.kind:
            case "load":
                self.run_load(row, contenders, cells)
            case "latency":
                cells = {DIRECT: {"rounds": []}, **cells}
                done |= self.run_latency(row, contenders, cells)
            case _:
                self.run_fresh(row, contenders, cells)
        return {**done, "command": self.command(row), "cells": cells}

    def takes_part(self, contender: Contender, row: Row) -> bool:
        """The floor is no proxy: it can do nothing but relay. Other builds of forebay take part where it does."""
        if row.kind == "drain":
            return contender.proxy.drain_signal is not None
        if contender.name == "floor":
            return row.kind in ("load", "latency", "memory") and not (row.access_log or row.tls)
        is_peer = contender.name in {peer.name for peer in peers.PEERS}
        return not (row.only and is_peer) or contender.name in row.only

    def command(self, row: Row) -> str:
        seconds = self.options.seconds
        match row.kind:
            case "drain":
                return ""
            case "body":
                words = ["python3", "bench/through.py", row.direction, str(trials.BODY)]
            case "idle":
                words = ["python3", "bench/idle.py", "PORT", trials.protocol(row), str(trials.FEW), str(row.connections)]
            case "slowloris":
                words = ["python3", "bench/slowloris.py", "PORT", str(trials.ATTACKERS), "PATIENCE"]
            case "latency":
                words = steady.command(self.programs.steady.name, "PORT", "RATE", seconds, row.connections, row.path)
            case "kill":
                words = load.command(row, "PORT", 3 * seconds)
            case _:
                words = load.command(row, "PORT", seconds)
        return shown(shlex.join(["taskset", "-c", str(measure.LOAD_CORE), *words]))

    def run_load(self, row: Row, contenders: list[Contender], cells: dict) -> None:
        """All are started first, then measured in turn, round after round."""
        with ExitStack() as stack:
            started = [one for one in (self.try_start(one, row, cells, stack) for one in contenders) if one]
            for number in range(self.options.warm_ups + self.options.rounds):
                warm_up = number < self.options.warm_ups
                seconds = self.options.warm_up_seconds if warm_up else self.options.seconds
                # Nobody is always first, or always after the same one.
                turn = number % len(started) if started else 0
                for running in started[turn:] + started[:turn]:
                    entry = self.patiently(
                        lambda: self.watched(running, lambda: measure.loaded(running, row, seconds, self.folder))
                    )
                    record(cells, running.name, entry, warm_up)

    def run_latency(self, row: Row, contenders: list[Contender], cells: dict) -> dict:
        """All at one rate that even the slowest can bear, in turn with the backend alone."""
        seconds = self.options.seconds
        with ExitStack() as stack:
            started = [one for one in (self.try_start(one, row, cells, stack) for one in contenders) if one]
            maxima = {one.name: self.maximum(one, row) for one in started}
            rate = trials.rate_for(list(maxima.values()))
            say(f"  at most {', '.join(f'{name} {most:,.0f}' for name, most in maxima.items())}: {rate:,} requests/s")
            for number in range(self.options.warm_ups + self.options.rounds):
                warm_up = number < self.options.warm_ups
                turn = number % len(started)
                direct = None
                for running in [None, *started[turn:], *started[:turn]]:
                    port = running.site.port if running else self.origin_port
                    entry = self.patiently(lambda: self.watched(
                        running,
                        lambda: trials.punctual(running, port, row, rate, seconds, self.folder, self.programs.steady),
                    ))
                    direct = direct or entry
                    if "died" not in entry and "died" not in direct:
                        entry["added_us"] = trials.added(entry, direct)
                    record(cells, running.name if running else DIRECT, entry, warm_up)
        return {"rate": rate, "maxima": maxima}

    def maximum(self, running: Running, row: Row) -> float:
        """Requests per second under full load: the better of two, as a bad moment only makes it less."""
        def once() -> dict:
            seen = load.run(row, running.site.port, self.options.seconds, measure.LOAD_CORE, self.folder)
            return {"most": seen.requests / seen.seconds}

        return max(self.patiently(lambda: self.watched(running, once)).get("most", 0.0) for _ in range(2))

    def run_fresh(self, row: Row, contenders: list[Contender], cells: dict) -> None:
        """Every round starts a process of its own."""
        for _ in range(self.options.rounds):
            for contender in contenders:
                record(cells, contender.name, self.patiently(lambda: self.once(contender, row)), warm_up=False)

    def once(self, contender: Contender, row: Row) -> dict:
        """A round from the start of the process to its end."""
        with ExitStack() as stack:
            backends = stack.enter_context(self.backends(row))
            ports = backends.ports if backends else (self.origin_port,)
            try:
                running = self.start(contender, row, stack, ports)
            except (Dead, OSError) as error:
                return {"died": f"did not start: {error}"}
            return self.watched(running, lambda: self.fresh(running, row, backends), backends)

    def watched(self, running: Running | None, work: Callable[[], dict], backends: Backends = None) -> dict:
        """A round's numbers, with a note if they are worth little because others were at work."""
        ours = [self.origin, *([running.process] if running else []), *(getattr(backends, "processes", []))]
        others = Neighbours(ours)
        entry = attempt(work)
        entry["others"] = others.share()
        if entry["others"] > SPOILT and not self.options.ahead:
            entry.setdefault("notes", []).append(f"{OTHERS} {entry['others']:.0%} of a core")
        return entry

    def patiently(self, work: Callable[[], dict]) -> dict:
        """Waits for its moment, and does it again when it was spoilt; all that only when asked to."""
        patience = self.options.patient
        for left in reversed(range(TRIES if patience else 1)):
            if patience and not wait_for_quiet(patience * 60):
                say(f"  others work on after {patience:g} minutes")
            entry = work()
            trouble = [note for note in entry.get("notes", []) if note == steady.LATE or note.startswith(OTHERS)]
            if not trouble:
                break
            if left:
                say(f"  once more: {'; '.join(trouble)}")
        return entry

    def backends(self, row: Row) -> AbstractContextManager:
        """What stands behind the proxy for this round, where that is not the one backend of all."""
        match row.kind:
            case "body":
                return trials.ends(row)
            case "kill":
                return trials.three_origins(self.programs.origin, self.folder)
            case _:
                return nullcontext()

    def fresh(self, running: Running, row: Row, backends: Backends) -> dict:
        seconds, folder = self.options.seconds, self.folder
        match row.kind:
            case "drain":
                return measure.drained(running, row, seconds)
            case "body":
                return trials.body(running, backends)
            case "kill":
                return trials.bereft(running, row, seconds, folder, backends)
            case "idle":
                return trials.idle(running, row)
            case "slowloris":
                return trials.besieged(running, row, seconds, folder, self.programs.steady)
            case _:
                return measure.remembered(running, row, seconds, folder)

    def certificate(self) -> Certificate:
        """One for all, made when it is first wanted; ECDSA with P-256."""
        shown = Certificate(*(self.folder / name for name in ("front.crt", "front.key", "front.pem")))
        if not shown.both.exists():
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                 "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                 "-out", shown.chain, "-keyout", shown.key],
                check=True, capture_output=True,
            )
            # Some of the peers run as another user.
            shown.key.chmod(0o644)
            shown.both.write_text(shown.chain.read_text() + shown.key.read_text())
        return shown

    def try_start(self, contender: Contender, row: Row, cells: dict, stack: ExitStack) -> Running | None:
        try:
            return self.start(contender, row, stack, (self.origin_port,))
        except (Dead, OSError) as error:
            record(cells, contender.name, {"died": f"did not start: {error}"}, warm_up=False)
            return None

    def start(self, contender: Contender, row: Row, stack: ExitStack, ports: tuple[int, ...]) -> Running:
        shown = self.certificate() if row.tls else None
        crowd = row.kind == "slowloris"
        running = contender.start(ports, self.folder, measure.PROXY_CORE, row.access_log, crowd, shown, row.grpc)
        stack.callback(running.stop)
        proxy = contender.proxy
        file = running.site.folder / proxy.config_file
        self.configs[contender.name] = f"# {shlex.join(running.process.command)}\n{file.read_text()}"
        return running


def attempt(work: Callable[[], dict]) -> dict:
    """The round's numbers, or how it died: one proxy's trouble is not the others'."""
    try:
        return work()
    except (Dead, OSError) as error:
        return {"died": str(error)}


def record(cells: dict, name: str, entry: dict, warm_up: bool) -> None:
    cells[name]["rounds"].append({"warm_up": warm_up, **entry})
    if "us_per_request" in entry:
        shown = f"{entry['us_per_request']:7.2f} us/request  {entry['requests_per_second']:9,.0f} requests/s"
    else:
        shown = ", ".join(f"{key} {value}" for key, value in entry.items() if key not in ("notes", "others"))
    notes = "  ".join(["", *entry.get("notes", []), *(["(warm-up)"] if warm_up else [])])
    say(f"  {name:12} {shown}{notes}")


def shown(text: str) -> str:
    """Paths within the repository as seen from its top, as a reader would type them."""
    return text.replace(f"{REPOSITORY}/", "")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
