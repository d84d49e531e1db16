#!/usr/bin/env python3
"""Measures Forebay beside nginx, HAProxy, Envoy and Caddy. See README.md in this folder."""

import argparse
import json
import os
import platform
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import load
import measure
import peers
import pictures
import report
from contest import REPOSITORY, Contest, Programs, say, shown
from peers import Absent, Contender
from processes import PRECEDENCE, Process, read
from rows import ROWS, Row

TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or REPOSITORY / "target")
OURS = "forebay"
FLOOR = TARGET / "release/forebay-floor"
STEADY = TARGET / "release/forebay-steady"
PUBLISHED = REPOSITORY / "docs/bench"
QUICK_ROWS = "small,large,many"


def main() -> None:
    options = arguments()
    if not {measure.PROXY_CORE, measure.LOAD_CORE} <= os.sched_getaffinity(0):
        sys.exit("two cores are needed: one for the proxy, one for the load")
    # An end from outside unwinds like Ctrl-C, so that everything started is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    PRECEDENCE.wanted = options.ahead
    # Proxies inherit it, and some take 2,000 connections only if it is raised for them.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if options.install:
        install_tools()
    if not shutil.which("wrk"):
        sys.exit("wrk is missing; install it with: apt-get install wrk (or run with --install)")
    origin_program = build_origin(options.origin)
    contenders, absent = find(options)
    for missing in absent:
        say(f"{missing.name} is absent: {missing.reason}")
    if not contenders:
        sys.exit("nothing to measure")
    results = describe(options, contenders, absent)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="forebay-bench-")))
        origin = stack.enter_context(
            Process([str(origin_program), "--listen", "127.0.0.1:0"], measure.LOAD_CORE, folder, "origin")
        )
        contest = Contest(options, contenders, Programs(origin_program, STEADY), origin, folder)
        try:
            for row in options.rows:
                results["rows"].append(contest.run(row))
        finally:
            # Rows that are done are kept, whatever became of the rest; without any, the last results are.
            results["configs"] = contest.configs
            if results["rows"]:
                write(results, options.out)
                if options.publish:
                    pictures.write(results, PUBLISHED)
    sys.stdout.reconfigure(encoding="utf-8")
    print(report.markdown(results))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/run.py", description=__doc__)
    parser.add_argument("--rows", default="all", help=f"which, by comma: {', '.join(row.name for row in ROWS)}")
    parser.add_argument("--only", help="which proxies, by comma; the --also ones are always in")
    parser.add_argument("--quick", action="store_true",
                        help="forebay, nginx and haproxy; 1 s of warm-up, 3 rounds of 2 s, rows small, large, many unless --rows is given")
    parser.add_argument("--seconds", type=float, help="length of a round (4)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds that count (3)")
    parser.add_argument("--forebay", type=Path, default=TARGET / "release/forebay", metavar="PATH")
    parser.add_argument("--also", action="append", default=[], metavar="NAME=PATH", help="another build of forebay")
    parser.add_argument("--origin", type=Path, metavar="PATH", help="the backend, if already built")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "bench/out", metavar="FOLDER")
    parser.add_argument("--patient", type=float, default=0, metavar="MINUTES",
                        help="wait so long for others to pause before each round, and make rounds they spoil again")
    parser.add_argument("--ahead", action="store_true", help="go before what others do on the machine (root; SCHED_RR)")
    parser.add_argument("--publish", action="store_true", help="draw the pictures in docs/bench as well")
    parser.add_argument("--install", action="store_true", help="install what is missing (apt-get, pip)")
    options = parser.parse_args()
    options.seconds = whole_seconds(parser, options.seconds or (2.0 if options.quick else 4.0))
    options.warm_ups, options.warm_up_seconds = 1, 1.0 if options.quick else options.seconds
    if options.rounds < 1:
        parser.error("--rounds: at least 1")
    options.rows = chosen_rows(parser, QUICK_ROWS if options.quick and options.rows == "all" else options.rows)
    if options.quick and not options.only:
        options.only = f"{OURS},nginx,haproxy"
    options.only = options.only and options.only.split(",")
    options.also = [tuple(pair.split("=", 1)) for pair in options.also]
    if any(len(pair) != 2 for pair in options.also):
        parser.error("--also: NAME=PATH")
    known = {OURS, "floor", *(peer.name for peer in peers.PEERS)}
    if unknown := set(options.only or []) - known:
        parser.error(f"--only: no such proxy: {', '.join(sorted(unknown))}")
    if taken := known & {name for name, _ in options.also}:
        parser.error(f"--also: {', '.join(taken)} is the name of another")
    return options


def whole_seconds(parser: argparse.ArgumentParser, seconds: float) -> float:
    if seconds < 1 or seconds != int(seconds):
        parser.error("--seconds: a whole number, as wrk wants it")
    return seconds


def chosen_rows(parser: argparse.ArgumentParser, names: str) -> list[Row]:
    known = {row.name: row for row in ROWS}
    if names == "all":
        return ROWS
    if unknown := set(names.split(",")) - set(known):
        parser.error(f"--rows: no such row: {', '.join(sorted(unknown))}")
    return [known[name] for name in names.split(",")]


def find(options: argparse.Namespace) -> tuple[list[Contender], list[Absent]]:
    builds = [(OURS, options.forebay), *((name, Path(path)) for name, path in options.also)]
    wanted = [peers.forebay(name, path) for name, path in builds] + [peers.floor(FLOOR), *peers.PEERS]
    extra = {name for name, _ in options.also}
    if options.only:
        wanted = [proxy for proxy in wanted if proxy.name in extra or proxy.name in options.only]
    found = [peers.locate(proxy, options.install) for proxy in wanted]
    return ([one for one in found if isinstance(one, Contender)], [one for one in found if isinstance(one, Absent)])


def install_tools() -> None:
    for program, package in (("wrk", "wrk"), ("h2load", "nghttp2-client"), ("openssl", "openssl")):
        if not shutil.which(program) and (trouble := peers.run_install(peers.apt(package))):
            sys.exit(trouble)


def build_origin(given: Path | None) -> Path:
    """The backend's program; it, the floor and the generators are built now if one is missing."""
    program = given or TARGET / "release/forebay-origin"
    if given and not program.exists():
        sys.exit(f"no such file: {given}")
    if not all(one.exists() for one in (program, FLOOR, STEADY, load.RESUME)):
        subprocess.run(["cargo", "build", "--release", "-p", "forebay-origin"], cwd=REPOSITORY, check=True)
    return program.resolve()


def describe(options: argparse.Namespace, contenders: list[Contender], absent: list[Absent]) -> dict:
    """Everything a reader needs to judge the numbers, and to get them again."""
    return {
        "when": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "commit": commit(),
        "command": shlex.join(["python3", "bench/run.py", *sys.argv[1:]]),
        "machine": {
            "processor": processor(),
            "cores": os.cpu_count(),
            "kernel": f"{platform.system()} {platform.release()}",
            "load_average": read("/proc/loadavg").split()[0],
        },
        "tools": {"wrk": peers.version_of("wrk", ["-v"]), "python": platform.python_version()},
        "rounds": options.rounds,
        "seconds": options.seconds,
        "warm_ups": options.warm_ups,
        "warm_up_seconds": options.warm_up_seconds,
        "ours": OURS,
        "peers": [peer.name for peer in peers.PEERS],
        "contenders": [{"name": one.name, "version": one.version, "program": shown(one.program)} for one in contenders],
        "absent": [{"name": one.name, "reason": one.reason} for one in absent],
        "rows": [],
    }


def commit() -> str:
    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=REPOSITORY, capture_output=True, text=True).stdout.strip()

    return (git("rev-parse", "--short", "HEAD") or "none") + (" with changes" if git("status", "--porcelain") else "")


def processor() -> str:
    lines = read("/proc/cpuinfo").splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def write(results: dict, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (out / "results.md").write_text(report.markdown(results), encoding="utf-8")
    pictures.write(results, out)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
