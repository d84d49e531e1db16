"""Changes while it runs: reloads or upgrades under a mixed load, and what they cost.

    python3 bench/live.py reloads [--seconds 60] [--rate 10]
    python3 bench/live.py upgrades [--seconds 120] [--rate 0.167]

200 connections: 160 with short requests one after another, 20 downloads that are read slowly, 20 streams of
server-sent events that last to the end. Meanwhile the configuration changes: routes, groups, weights and one
listener each time. Every answer is checked to its last byte. Prints one line of JSON; fails if anything did.

  failed     short requests without a whole, right answer
  cut        downloads and event streams that ended early, or with a gap
  rss        resident memory in MiB, after warming up and at the end
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
SHORT, DOWNLOADS, STREAMS = 160, 20, 20
#: Bytes of a download, in pieces of this many, and seconds between two pieces.
DOWNLOAD, PIECE, PAUSE = 8 << 20, 256 << 10, 0.1
#: Seconds between two events.
EVERY = 0.2
#: Seconds before the first change, in which memory comes to what the load needs.
WARM_UP = 20


class Backend:
    """Answers `/short/N`, `/download` and `/events`."""

    async def start(self) -> str:
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=1024)
        port = server.sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                target = head.split(b" ", 2)[1]
                if target.startswith(b"/short"):
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(target), target))
                elif target.startswith(b"/download"):
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % DOWNLOAD)
                    for _ in range(DOWNLOAD // PIECE):
                        writer.write(b"d" * PIECE)
                        await writer.drain()
                else:
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
                    number = 0
                    while True:
                        text = b"data: %d\n\n" % number
                        writer.write(b"%x\r\n%s\r\n" % (len(text), text))
                        await writer.drain()
                        number += 1
                        await asyncio.sleep(EVERY)
                await writer.drain()
        writer.close()


class Load:
    def __init__(self, port: int, until: float):
        self.port = port
        self.until = until
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []

    async def run(self) -> None:
        workers = [self.short(number) for number in range(SHORT)]
        workers += [self.download() for _ in range(DOWNLOADS)]
        workers += [self.events() for _ in range(STREAMS)]
        await asyncio.gather(*workers)

    def fault(self, kind: str, what: object) -> None:
        self.counts[kind] += 1
        if len(self.faults) < 10:
            self.faults.append(f"{kind}: {what!r}")

    def is_on(self) -> bool:
        return time.monotonic() < self.until

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port, limit=PIECE)

    async def short(self, number: int) -> None:
        connection = None
        asked = 0
        while self.is_on():
            # A moment in between, so that the load leaves the core some time.
            await asyncio.sleep(0.02)
            asked += 1
            target = b"/short/%d/%d" % (number, asked)
            try:
                reader, writer = connection = connection or await self.connect()
                writer.write(b"GET %s HTTP/1.1\r\nHost: live\r\n\r\n" % target)
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                body = await reader.readexactly(length)
            except (OSError, asyncio.IncompleteReadError, IndexError) as error:
                self.fault("failed", error)
                connection = None
                continue
            if not head.startswith(b"HTTP/1.1 200") or body != target:
                self.fault("failed", head[:60])
            self.counts["answered"] += 1
            if b"connection: close" in head.lower():
                writer.close()
                connection = None
                self.counts["told to reconnect"] += 1
        if connection:
            connection[1].close()

    async def download(self) -> None:
        while self.is_on():
            reader, writer = await self.connect()
            try:
                writer.write(b"GET /download HTTP/1.1\r\nHost: live\r\nConnection: close\r\n\r\n")
                head = await reader.readuntil(b"\r\n\r\n")
                got = 0
                while piece := await reader.read(PIECE):
                    got += len(piece)
                    await asyncio.sleep(PAUSE)
            except (OSError, asyncio.IncompleteReadError) as error:
                self.fault("cut", error)
                continue
            if got != DOWNLOAD or b" 200 " not in head:
                self.fault("cut", (head[:40], got))
            self.counts["downloads"] += 1
            writer.close()

    async def events(self) -> None:
        reader, writer = await self.connect()
        expected = 0
        try:
            writer.write(b"GET /events HTTP/1.1\r\nHost: live\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            while self.is_on():
                text = await asyncio.wait_for(reader.readuntil(b"\n\n\r\n"), 5)
                if b"data: %d\n" % expected not in text:
                    self.fault("cut", text)
                expected += 1
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            self.fault("cut", error)
        self.counts["events"] += expected
        writer.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def configuration(port: int, others: list[int], backends: list[str], step: int) -> str:
    """Each step has other routes, another group, other weights and another second listener."""
    listed = "\n".join(
        f'      - {{ url: "{url}", weight: {(step + at) % 5 + 1} }}' for at, url in enumerate(backends)
    )
    return f"""
listeners:
  - {{ id: main, address: "127.0.0.1:{port}" }}
  - {{ id: second, address: "127.0.0.1:{others[step % len(others)]}" }}
shutdown_timeout: 5m
routes:
  - {{ id: "short{step % 7}", path: "/short/*", backend_group: app }}
  - {{ id: "new{step}", path: "/new/{step}", respond: {{ body: "{step}" }} }}
  - {{ id: rest, backend_group: app }}
backend_groups:
  - id: app
    strategy: {["weighted", "least_connections"][step % 2]}
    backends:
{listed}
  - {{ id: "group{step % 3}", backends: [ {{ url: "{backends[0]}" }} ] }}
telemetry: {{ access_log: {{ output: "off" }}, metrics: {{ enabled: true, port: 0 }} }}
"""


def resident(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


async def change(options: argparse.Namespace, folder: Path, write, until: float) -> tuple[int, float, float]:
    """Changes at the rate until the end; how often, and the memory before and after."""
    pid_file = folder / "pid"
    pid = int(pid_file.read_text())
    await asyncio.sleep(WARM_UP)
    before = resident(pid)
    made = 0
    pause = 1 / options.rate
    while time.monotonic() < until - 2:
        began = time.monotonic()
        made += 1
        if options.what == "reloads":
            write(made)
            os.kill(pid, signal.SIGHUP)
        else:
            os.kill(pid, signal.SIGUSR2)
            while (new := int(pid_file.read_text() or pid)) == pid and time.monotonic() < began + 30:
                await asyncio.sleep(0.05)
            pid = new
        await asyncio.sleep(max(0.0, pause - (time.monotonic() - began)))
    return made, before, resident(pid)


async def run(options: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="forebay-live-") as name:
        folder = Path(name)
        backends = [await Backend().start() for _ in range(3)]
        port, others = free_port(), [free_port() for _ in range(4)]
        file = folder / "forebay.yaml"

        def write(step: int) -> None:
            new = folder / "new"
            new.write_text(configuration(port, others, backends, step))
            new.rename(file)

        write(0)
        log = (folder / "log").open("w+")
        command = [str(options.forebay), "run", "-c", str(file)]
        command += ["--pid-file", str(folder / "pid")] if options.what == "upgrades" else []
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
        if options.what == "reloads":
            (folder / "pid").write_text(str(process.pid))
        while " ready" not in Path(log.name).read_text() or not (folder / "pid").exists():
            await asyncio.sleep(0.05)
        until = time.monotonic() + WARM_UP + options.seconds + 2
        load = Load(port, until)
        try:
            _, (made, before, after) = await asyncio.gather(load.run(), change(options, folder, write, until))
        finally:
            os.kill(int((folder / "pid").read_text()), signal.SIGTERM)
        said = Path(log.name).read_text()
        result = {
            "what": options.what,
            "changes": made,
            "taken": said.count("configuration taken up") if options.what == "reloads" else made,
            "refused": said.count("is refused"),
            "rss": [round(before, 1), round(after, 1)],
            **load.counts,
            "failed": load.counts["failed"],
            "cut": load.counts["cut"],
            "faults": load.faults,
        }
        print(json.dumps(result))
        if options.log:
            Path(options.log).write_text(said)
        return 1 if result["failed"] or result["cut"] or result["refused"] else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["reloads", "upgrades"])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=float, help="changes per second (10 reloads, one upgrade in 6 s)")
    parser.add_argument("--forebay", type=Path, default=REPOSITORY / "target/release/forebay", metavar="PATH")
    parser.add_argument("--log", help="where to keep the runtime log")
    options = parser.parse_args()
    options.rate = options.rate or {"reloads": 10.0, "upgrades": 1 / 6}[options.what]
    return asyncio.run(run(options))


if __name__ == "__main__":
    sys.exit(main())
