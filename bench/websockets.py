"""WebSockets through reloads: whether any is cut, or hears its messages in another order.

    python3 bench/websockets.py [--sockets 1000] [--reloads 10] [--forebay PATH]

Each socket says numbered messages one after another without waiting for their echoes, and checks what comes back. Meanwhile
the configuration changes: routes, and the group's second backend. Prints one line of JSON; fails if anything was wrong.

  cut         sockets that ended, or were silent for ten seconds
  reordered   echoes that were not the next one
  echoed      messages that came back
  rss         resident memory in MiB with all sockets open, before the reloads and after them
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

from live import REPOSITORY, free_port, resident

REQUEST = b"GET / HTTP/1.1\r\nHost: live\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
ANSWER = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n"
#: Seconds between two messages of a socket, and between two reloads.
PAUSE, BETWEEN = 0.1, 1.0


def message(number: int, first: int) -> bytes:
    """A text of eight digits in a frame of a client, whose mask is zero, or of a server."""
    mask = b"\x88\0\0\0\0" if first else b"\x08"
    return b"\x81" + mask + b"%08d" % number


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER)
        while True:
            frame = await reader.readexactly(14)
            writer.write(b"\x81\x08" + frame[6:])
            await writer.drain()
    writer.close()


class Sockets:
    def __init__(self, port: int):
        self.port = port
        self.cut = self.reordered = self.echoed = 0
        self.is_over = False

    async def run(self, opened: asyncio.Semaphore) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(REQUEST)
            head = await reader.readuntil(b"\r\n\r\n")
            opened.release()
            if not head.startswith(b"HTTP/1.1 101"):
                raise ConnectionError(head[:60])
            said = asyncio.create_task(self.say(writer))
            number = 0
            while not (said.done() and number == said.result()):
                frame = await asyncio.wait_for(reader.readexactly(10), 10)
                self.reordered += frame != message(number, 0)
                number += 1
                self.echoed += 1
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            self.cut += 1
            print("cut:", repr(error), file=sys.stderr)
        writer.close()

    async def say(self, writer: asyncio.StreamWriter) -> int:
        """How many messages were sent. It returns with the last: their number is known before its echo can come."""
        number = 0
        while not self.is_over:
            writer.write(message(number, 1))
            number += 1
            await asyncio.sleep(PAUSE)
        writer.write(message(number, 1))
        return number + 1


def configuration(port: int, backends: list[str], step: int) -> str:
    listed = ", ".join(f'{{ url: "{url}" }}' for url in backends[: 1 + (step + 1) % 2])
    return f"""
server: {{ address: "127.0.0.1:{port}" }}
routes: [ {{ id: "all{step}", backend_group: app }} ]
backend_groups:
  - {{ id: app, backends: [ {listed} ], connection_pool: {{ max_connections_per_host: 10000 }} }}
telemetry: {{ access_log: {{ output: "off" }} }}
"""


async def run(options: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="forebay-websockets-") as name:
        servers = [await asyncio.start_server(echo, "127.0.0.1", 0, backlog=1024) for _ in range(2)]
        backends = [f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}" for server in servers]
        port, file, log = free_port(), Path(name) / "forebay.yaml", (Path(name) / "log").open("w+")
        file.write_text(configuration(port, backends, 0))
        process = await asyncio.create_subprocess_exec(str(options.forebay), "run", "-c", str(file), stdout=log, stderr=log)
        said = lambda: Path(log.name).read_text()
        try:
            while " ready" not in said():
                await asyncio.sleep(0.05)
            sockets, opened = Sockets(port), asyncio.Semaphore(0)
            running = [asyncio.create_task(sockets.run(opened)) for _ in range(options.sockets)]
            for _ in range(options.sockets):
                await asyncio.wait_for(opened.acquire(), 30)
            before = resident(process.pid)
            for step in range(1, options.reloads + 1):
                await asyncio.sleep(BETWEEN)
                file.write_text(configuration(port, backends, step))
                os.kill(process.pid, signal.SIGHUP)
            await asyncio.sleep(BETWEEN)
            after = resident(process.pid)
            sockets.is_over = True
            await asyncio.gather(*running)
        finally:
            process.terminate()
            await process.wait()
        taken = said().count("configuration taken up")
    result = {
        "sockets": options.sockets,
        "reloads": taken,
        "echoed": sockets.echoed,
        "cut": sockets.cut,
        "reordered": sockets.reordered,
        "rss": [round(before, 1), round(after, 1)],
    }
    print(json.dumps(result))
    return 1 if sockets.cut or sockets.reordered or taken != options.reloads else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sockets", type=int, default=1000)
    parser.add_argument("--reloads", type=int, default=10)
    parser.add_argument("--forebay", type=Path, default=REPOSITORY / "target/release/forebay", metavar="PATH")
    return asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
