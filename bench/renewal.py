"""A certificate that is renewed on disk again and again while clients connect: whether any handshake fails.

    python3 bench/renewal.py [--seconds 20] [--rate 200] [--every 3] [--forebay PATH]

Key and certificate are written beside the old ones and renamed over them, one after the other, as ACME clients do it: for
a moment they do not belong together. Clients come at a constant rate, whatever became of those before, each with a full
handshake and a request. Prints one line of JSON; fails if anything was wrong.

  handshakes   clients that were to be served
  failed       those that were not: no connection, no handshake, no answer with status 200 within ten seconds
  renewals     new pairs on disk
  unseen       pairs that no client was shown before the next one came
  stale        clients that were shown a pair although one before them had been shown a later one
  slowest      seconds from the second rename to the first client that was shown the new pair, at most

Forebay looks at the files every second and takes them when they have stayed as they are for one, so that `--every 2` may
replace a pair before anybody was shown it.
"""

import argparse
import asyncio
import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from live import REPOSITORY, free_port

PATIENCE = 10.0
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


class Pairs:
    """Certificates of one name, and which of them is live."""

    def __init__(self, folder: Path, count: int):
        self.folder = folder
        self.live = (folder / "live.crt", folder / "live.key")
        self.made = [self.make(number) for number in range(count)]
        #: When each came to be live.
        self.since: list[float] = []
        self.numbers = {ssl.PEM_cert_to_DER_cert(chain.read_text()): number for number, (chain, _) in enumerate(self.made)}

    def make(self, number: int) -> tuple[Path, Path]:
        chain, key = self.folder / f"{number}.crt", self.folder / f"{number}.key"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-out", chain, "-keyout", key],
            check=True, capture_output=True,
        )
        return chain, key

    def renew(self) -> None:
        chain, key = self.made[len(self.since)]
        key.replace(self.live[1])
        chain.replace(self.live[0])
        self.since.append(time.monotonic())


class Clients:
    def __init__(self, port: int, pairs: Pairs):
        self.port, self.pairs = port, pairs
        self.tls = ssl.create_default_context()
        self.tls.check_hostname = False
        self.tls.verify_mode = ssl.CERT_NONE
        self.seen: Counter[str] = Counter()
        #: When each pair was shown first.
        self.first: dict[int, float] = {}

    async def come(self) -> None:
        self.seen["handshakes"] += 1
        latest = max(self.first, default=0)
        try:
            async with asyncio.timeout(PATIENCE):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.tls)
                number = self.pairs.numbers[writer.get_extra_info("ssl_object").getpeercert(binary_form=True)]
                self.first.setdefault(number, time.monotonic())
                self.seen["stale"] += number < latest
                writer.write(REQUEST)
                if not (await reader.read()).startswith(b"HTTP/1.1 200 "):
                    raise ConnectionError("no answer with status 200")
                writer.close()
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            self.seen["failed"] += 1
            print("failed:", repr(error), file=sys.stderr)


def configuration(port: int, backend: int, pairs: Pairs) -> str:
    chain, key = pairs.live
    return f"""
server: {{ address: "127.0.0.1:{port}", cert_file: "{chain}", key_file: "{key}" }}
routes: [ {{ id: all, backend_group: app }} ]
backend_groups: [ {{ id: app, backends: [ {{ url: "http://127.0.0.1:{backend}" }} ] }} ]
telemetry: {{ access_log: {{ output: "off" }} }}
"""


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(ANSWER)
    except (ConnectionError, asyncio.IncompleteReadError):
        writer.close()


async def load(clients: Clients, pairs: Pairs, options: argparse.Namespace) -> None:
    """Each client at its own time. Every pair is live for `every` seconds, the last at least."""
    began, coming = time.monotonic(), set()
    for number in range(int(options.seconds * options.rate)):
        at = number / options.rate
        await asyncio.sleep(max(0, began + at - time.monotonic()))
        if len(pairs.since) < len(pairs.made) and at >= len(pairs.since) * options.every:
            pairs.renew()
        coming.add(client := asyncio.create_task(clients.come()))
        client.add_done_callback(coming.discard)
    await asyncio.gather(*coming)


async def run(options: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="forebay-renewal-") as name:
        folder = Path(name)
        # Each is live for so long, the one at the start and the last as well.
        pairs = Pairs(folder, int(options.seconds / options.every))
        pairs.renew()
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port, file, log = free_port(), folder / "forebay.yaml", folder / "log"
        file.write_text(configuration(port, server.sockets[0].getsockname()[1], pairs))
        with log.open("w") as out:
            process = await asyncio.create_subprocess_exec(str(options.forebay), "run", "-c", str(file), stdout=out, stderr=out)
        try:
            while " ready" not in log.read_text():
                if process.returncode is not None:
                    sys.exit(log.read_text())
                await asyncio.sleep(0.05)
            clients = Clients(port, pairs)
            await load(clients, pairs, options)
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
    result = judged(pairs.since, clients.first, clients.seen)
    print(json.dumps(result))
    return 1 if result["failed"] or result["unseen"] or result["stale"] or not result["renewals"] else 0


def judged(since: list[float], first: dict[int, float], seen: Counter[str]) -> dict:
    """Of each pair but the one at the start: whether it was shown before the next came, and how soon."""
    ends = [*since[1:], float("inf")]
    waits = {number: first[number] - since[number] for number in range(1, len(since)) if number in first}
    unseen = [number for number in range(1, len(since)) if first.get(number, float("inf")) >= ends[number]]
    return {
        "handshakes": seen["handshakes"],
        "failed": seen["failed"],
        "renewals": len(since) - 1,
        "unseen": len(unseen),
        "stale": seen["stale"],
        "slowest": round(max(waits.values(), default=0.0), 2),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rate", type=float, default=200, help="clients a second")
    parser.add_argument("--every", type=float, default=3, help="seconds from one renewal to the next")
    parser.add_argument("--forebay", type=Path, default=REPOSITORY / "target/release/forebay", metavar="PATH")
    return asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
