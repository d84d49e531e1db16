"""Services that register themselves: what 10,000 leases and 1,000 watchers cost.

    python3 bench/leases.py [--leases 10000] [--watchers 1000] [--seconds 30]

Every lease is renewed every 5 seconds over 50 kept connections; 100 of the watchers never read. A hundred
services are not renewed, and it is seen when watchers hear of it. Prints one line of JSON:

  core       share of one core that Forebay used, in percent: less than 10 is what it must be
             (what watchers are told is in it, and in the microseconds for each heartbeat)
  late       seconds between the end of a lease and the news of it, the worst of all: at most 1
  rss        resident memory in MiB, with the leases and at the end
"""

import argparse
import asyncio
import contextlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
#: Seconds between two heartbeats of one service, and how long its lease lasts.
BEAT, TTL = 5, 15
CONNECTIONS, SILENT = 50, 100

CONFIGURATION = """
server: { address: "127.0.0.1:0" }
routes: [ { id: all, respond: {} } ]
admin: { address: "127.0.0.1:0" }
telemetry: { access_log: { output: "off" } }
"""


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, method: str, path: str, body: str = "") -> tuple[int, bytes]:
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write((head + body).encode())
    answer = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in answer.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return int(answer.split(b" ", 2)[1]), await reader.readexactly(length)


class Run:
    def __init__(self, port: int, pid: int, options: argparse.Namespace):
        self.port = port
        self.pid = pid
        self.options = options
        self.stopped: dict[str, float] = {}
        self.late: list[float] = []
        self.heard = 0
        self.watching = 0
        self.beats = 0
        self.faults: list[str] = []

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def services(self, number: int, until: float) -> None:
        """Registers its share and renews it, but for two, which are let go."""
        connection = await self.connect()
        mine = [f"s{n}" for n in range(number, self.options.leases, CONNECTIONS)]
        for at, name in enumerate(mine):
            body = json.dumps({"id": name, "name": f"app{at % 20}", "address": f"10.1.{number}.{at % 250 + 1}:80", "ttl": TTL})
            status, text = await ask(*connection, "POST", "/v1/services", body)
            if status != 201:
                self.faults.append(f"register: {status} {text[:80]!r}")
            if at < 2:
                self.stopped[name] = time.monotonic() + TTL
        kept = mine[2:]
        began = time.monotonic()
        beats = 0
        while time.monotonic() < until:
            name = kept[beats % len(kept)]
            status, _ = await ask(*connection, "PUT", f"/v1/services/{name}/heartbeat")
            if status not in (200, 204):
                self.faults.append(f"heartbeat: {status}")
            beats += 1
            self.beats += 1
            # In step with the clock, whatever an answer took.
            await asyncio.sleep(max(0.0, began + beats * BEAT / len(kept) - time.monotonic()))
        connection[1].close()

    async def watcher(self, number: int, until: float) -> None:
        reader, writer = await self.connect()
        writer.write(b"GET /v1/services/watch HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        self.watching += 1
        rest = b""
        while number >= SILENT and time.monotonic() < until:
            with contextlib.suppress(TimeoutError):
                # As much as there is: it is Forebay's time that counts, not this program's.
                read = await asyncio.wait_for(reader.read(1 << 16), 1)
                if not read:
                    self.faults.append("a watcher was cut")
                    return
                *lines, rest = (rest + read).split(b"\n")
                self.heard += sum(line.startswith(b"data:") for line in lines)
                if number == SILENT:
                    self.note_expiries(lines)
        if number < SILENT:
            await asyncio.sleep(max(0.0, until - time.monotonic()))
        writer.close()

    def note_expiries(self, lines: list[bytes]) -> None:
        for line in lines:
            if line.startswith(b"data:") and b'"expired"' in line:
                service = json.loads(line[5:])["service"]["id"]
                if service in self.stopped:
                    self.late.append(time.monotonic() - self.stopped[service])

    def figure(self) -> tuple[float, float]:
        """Processor time in seconds, and resident memory in MiB."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks = int(fields[11]) + int(fields[12])
        pages = int(fields[21])
        return ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)

    async def run(self) -> dict[str, object]:
        until = time.monotonic() + self.options.seconds
        renewing = [asyncio.create_task(self.services(n, until)) for n in range(CONNECTIONS)]
        # Registering has its own price, and so has telling a thousand watchers of it.
        await asyncio.sleep(8)
        watching = [asyncio.create_task(self.watcher(n, until)) for n in range(self.options.watchers)]
        await asyncio.sleep(2)
        (cpu, rss), began, beats = self.figure(), time.monotonic(), self.beats
        await asyncio.gather(*renewing)
        if self.watching < self.options.watchers:
            self.faults.append(f"only {self.watching} watchers were let in")
        used, took, made = self.figure()[0] - cpu, time.monotonic() - began, self.beats - beats
        await asyncio.gather(*watching)
        if self.heard != (expected := 2 * CONNECTIONS * max(0, self.options.watchers - SILENT)):
            self.faults.append(f"watchers heard {self.heard} events, of {expected}")
        return {
            "core": round(100 * used / took, 1),
            "heartbeats per second": round(made / took),
            "microseconds per heartbeat": round(1e6 * used / made, 1),
            "watching": self.watching,
            "late": round(max(self.late), 2) if self.late else None,
            "expired": len(self.late),
            "heard": self.heard,
            "rss": [round(rss, 1), round(self.figure()[1], 1)],
            "faults": self.faults[:10],
        }


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leases", type=int, default=10_000)
    parser.add_argument("--watchers", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--forebay", type=Path, default=REPOSITORY / "target/release/forebay", metavar="PATH")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="forebay-leases-") as folder:
        file, log = Path(folder) / "forebay.yaml", (Path(folder) / "log").open("w+")
        file.write_text(CONFIGURATION)
        process = await asyncio.create_subprocess_exec(str(options.forebay), "run", "-c", str(file), stdout=log, stderr=log)
        try:
            while " ready" not in (said := Path(log.name).read_text()):
                await asyncio.sleep(0.05)
            port = int(said.split("admin API on http://127.0.0.1:")[1].split()[0].strip("/"))
            result = await Run(port, process.pid, options).run()
        finally:
            process.terminate()
            await process.wait()
    print(json.dumps(result))
    is_good = result["core"] < 10 and (result["late"] or 0) <= 1 and not result["faults"]
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
