"""Plain TCP: echo, a large stream and a crowd, beside HAProxy.

    python3 bench/tunnels.py [--rounds 3] [--seconds 4] [--also NAME=PATH] [--ahead]

`echo` is messages of 128 bytes, each sent when the one before has come back, over 64 connections; `stream` is 1 GiB from the backend to
one client. Each is processor time of the proxy, as in `run.py`: proxy on core 0, one worker, both ends on core 1, rounds in turn,
medians. HAProxy is there as it comes and with `option splice-auto`. `crowd` is 9,500 connections at once, each used in turn at 2,000
messages a second in all; latency is counted from when a message was to be sent. Fails where a bar is missed:

  echo, stream   Forebay needs no more than the cheapest HAProxy
  crowd          every message of every connection comes back; less than 500 MB resident; p99 below 10 ms
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from processes import PRECEDENCE, Process, free_port, settle_in

REPOSITORY = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
CROWD = 9_500


def forebay(port: int, to: int) -> str:
    return f"""\
workers: 1
listeners: [{{id: front, address: "127.0.0.1:{port}", protocol: tcp, group: origin}}]
backend_groups: [{{id: origin, backends: ["tcp://127.0.0.1:{to}"]}}]
telemetry: {{access_log: {{output: "off"}}, metrics: {{enabled: true, port: 0}}}}
"""


def haproxy(port: int, to: int, option: str = "") -> str:
    return f"""\
global
    nbthread 1
    maxconn 9700
    maxpipes 64
defaults
    mode tcp
    timeout connect 5s
    timeout client 600s
    timeout server 600s
    {option}
frontend front
    bind 127.0.0.1:{port} backlog 4096
    default_backend origin
backend origin
    server origin 127.0.0.1:{to}
"""


class Contender:
    def __init__(self, name: str, program: Path | str, is_ours: bool, option: str = ""):
        self.name, self.program, self.is_ours, self.option = name, str(program), is_ours, option

    def start(self, to: int, folder: Path) -> tuple[Process, int]:
        port = free_port()
        file = folder / f"{self.name}.conf"
        file.write_text(forebay(port, to) if self.is_ours else haproxy(port, to, self.option))
        command = ["run", "-c", str(file)] if self.is_ours else ["-db", "-f", str(file)]
        process = Process([self.program, *command], 0, folder, self.name)
        process.wait_until_listening(port)
        return process, port


def client(*words: object) -> dict[str, float]:
    command = ["taskset", "-c", "1", str(TARGET / "release/forebay-tunnels"), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300, preexec_fn=settle_in)
    return json.loads(done.stdout.splitlines()[-1])


def cost(process: Process, work: callable) -> tuple[float, dict[str, float]]:
    before = process.cpu_seconds()
    result = work()
    return process.cpu_seconds() - before, result


def echo(process: Process, port: int, seconds: int) -> float:
    spent, result = cost(process, lambda: client("echo", f"127.0.0.1:{port}", 64, seconds))
    return spent / result["messages"] * 1e6


def stream(process: Process, port: int, _: int) -> float:
    # Ticks of the clock are coarse: eight in a row.
    spent, _ = cost(process, lambda: [client("stream", f"127.0.0.1:{port}", 1024) for _ in range(8)])
    return spent / 8 * 1e3


def compare(contenders: list[Contender], to: int, options: argparse.Namespace, folder: Path) -> dict:
    rows = {"echo, us a message": echo, "stream, ms a GiB": stream}
    costs = {row: {c.name: [] for c in contenders} for row in rows}
    for number in range(options.rounds + 1):
        turn = number % len(contenders)
        for contender in contenders[turn:] + contenders[:turn]:
            with (started := contender.start(to, folder))[0] as process:
                for row, measure in rows.items():
                    figure = measure(process, started[1], options.seconds)
                    if number > 0:
                        costs[row][contender.name].append(round(figure, 3))
    return costs


def crowd(contender: Contender, to: int, folder: Path) -> dict:
    process, port = contender.start(to, folder)
    with process:
        before = process.rss_bytes()
        figures = client("crowd", f"127.0.0.1:{port}", CROWD, 2_000, 15)
        return {
            **figures,
            "rss_mb": process.peak_rss_bytes() / 1e6,
            "grew_by_mb": (process.peak_rss_bytes() - before) / 1e6,
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--forebay", type=Path, default=TARGET / "release/forebay")
    parser.add_argument("--also", action="append", default=[], metavar="NAME=PATH", help="another build of forebay")
    parser.add_argument("--ahead", action="store_true", help="run before whatever others do, as in run.py")
    options = parser.parse_args()
    PRECEDENCE.wanted = options.ahead
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    subprocess.run(["cargo", "build", "-q", "--release", "-p", "forebay-origin"], cwd=REPOSITORY, check=True)
    contenders = [
        Contender("forebay", options.forebay, True),
        *(Contender(name, path, True) for name, path in (also.split("=", 1) for also in options.also)),
        Contender("haproxy", "haproxy", False),
        Contender("haproxy-splice", "haproxy", False, "option splice-auto"),
    ]
    failed = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Process([str(TARGET / "release/forebay-tunnels"), "serve"], 1, folder, "origin") as origin:
            to = int(origin.first_line())
            costs = compare(contenders, to, options, folder)
            for row, of in costs.items():
                medians = {name: statistics.median(figures) for name, figures in of.items()}
                ratio = medians["forebay"] / min(medians["haproxy"], medians["haproxy-splice"])
                print(row, {name: round(figure, 2) for name, figure in medians.items()}, f"ratio {ratio:.2f}", of)
                if ratio > 1.0:
                    failed.append(row)
            for contender in (contenders[0], contenders[-2]):
                figures = crowd(contender, to, folder)
                print("crowd", contender.name, figures)
                is_live = figures["late"] == 0 and figures["answered"] == 30_000
                if contender.is_ours and not (is_live and figures["rss_mb"] < 500 and figures["p99_us"] < 10_000):
                    failed.append("crowd")
    if failed:
        print("missed:", ", ".join(failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
