"""A careful client: knows for every request whether its failure was the proxy's.

    python3 client.py PORT CONNECTIONS [REQUESTS]

With REQUESTS it sends that many short ones and ends. Without, it keeps all connections busy until its
standard input closes; a line on standard input marks the moment at which the proxy is told to stop. It
prints `busy` once every connection has had an answer (or `stuck` when that takes too long), and at the
end its counts as JSON.

What counts as what, while a proxy stops:

  answered     a complete answer with status 200
  refused      the connection was not accepted: as it should be
  parted       the connection was closed between two requests, visibly before the next was sent: fine
  backlog      a connection made after the mark, closed without a byte of answer to its first request:
               the kernel had queued it, the proxy never took it
  cut          an answer begun but not finished
  unanswered   a request sent on an accepted connection that got no byte of answer
  status       a complete answer with a status other than 200
  hung         no end of the answer within the patience

`in_flight` is how many requests were sent and not yet fully answered at the mark.
"""

import asyncio
import json
import re
import socket
import sys
from collections import Counter

PATIENCE = 20.0
FAILURES = ("cut", "unanswered", "status", "hung")
REQUEST = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: forebay-bench\r\nAccept: */*\r\n"
    "Cookie: session=1f0c7a5e9b2d4c68a3e5f7091b2c3d4e\r\n\r\n"
)
SHORT = ("/128?page=2", "/64k?page=2")
# Every tenth asks for more than the kernel's buffers take: these are always in flight, and can be cut.
LONG = "/bytes/16777216?page=2"


class Cut(Exception):
    """The connection ended within or before an answer."""

    def __init__(self, received: int):
        self.received = received


class Client:
    def __init__(self, port: int, connections: int, requests: int | None):
        self.port = port
        self.connections = connections
        self.left = requests
        self.counts: Counter[str] = Counter()
        self.marked = False
        self.stopping = False
        self.begun = 0
        self.all_begun = asyncio.Event()
        self.in_flight = 0

    async def run(self) -> dict[str, int]:
        workers = [self.worker(self.path_of(number)) for number in range(self.connections)]
        # Held in a variable: a task that nothing refers to may be collected.
        aside = [] if self.left is not None else [self.announce(), self.obey_stdin()]
        aside = [asyncio.create_task(task) for task in aside]
        await asyncio.gather(*workers)
        for task in aside:
            task.cancel()
        return {"failed": sum(self.counts[kind] for kind in FAILURES), **self.counts}

    async def announce(self) -> None:
        try:
            await asyncio.wait_for(self.all_begun.wait(), PATIENCE)
            print("busy", flush=True)
        except TimeoutError:
            print("stuck", flush=True)

    def path_of(self, number: int) -> str:
        return LONG if self.left is None and number % 10 == 0 else SHORT[number % 2]

    async def obey_stdin(self) -> None:
        loop = asyncio.get_running_loop()
        while await loop.run_in_executor(None, sys.stdin.readline):
            self.marked = True
            self.counts["in_flight"] = self.in_flight
        self.stopping = True

    def wants_more(self) -> bool:
        return not self.stopping and (self.left is None or self.left > 0)

    async def worker(self, path: str) -> None:
        request = REQUEST.format(path=path).encode()
        while self.wants_more():
            with socket.socket() as connection:
                connection.setblocking(False)
                late = self.marked
                try:
                    await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", self.port))
                except OSError:
                    self.counts["refused"] += 1
                    await asyncio.sleep(0.02)
                    continue
                self.counts["connected"] += 1
                await self.converse(connection, request, late)

    async def converse(self, connection: socket.socket, request: bytes, late: bool) -> None:
        """Request after request on one connection, until it ends."""
        first = True
        while self.wants_more():
            # Lets the kernel show an end that came with the last answer.
            await asyncio.sleep(0)
            if has_ended(connection):
                self.counts["parted"] += 1
                return
            if not self.claim():
                return
            self.in_flight += 1
            outcome, goes_on = await exchange(connection, request)
            self.in_flight -= 1
            if outcome == "unanswered" and first and late:
                outcome = "backlog"
            self.counts[outcome] += 1
            if first:
                self.begun += 1
                if self.begun == self.connections:
                    self.all_begun.set()
            if not goes_on:
                return
            first = False

    def claim(self) -> bool:
        """Takes one request from those that are left."""
        if self.left is not None:
            self.left -= 1
            return self.left >= 0
        return True


async def exchange(connection: socket.socket, request: bytes) -> tuple[str, bool]:
    """One request: what became of it, and whether the connection goes on."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(PATIENCE):
            await loop.sock_sendall(connection, request)
            status, goes_on = await answer(connection)
    except TimeoutError:
        return "hung", False
    except Cut as cut:
        return ("cut" if cut.received else "unanswered"), False
    except OSError:
        return "unanswered", False
    return ("answered" if status == 200 else "status"), goes_on


def has_ended(connection: socket.socket) -> bool:
    """Whether the other side has closed, as far as can be known at this moment."""
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


async def answer(connection: socket.socket) -> tuple[int, bool]:
    """Reads one answer: its status, and whether the connection goes on."""
    received = await more(connection, b"")
    while (end := received.find(b"\r\n\r\n")) < 0:
        received = await more(connection, received)
    head = received[:end].decode("latin-1").lower()
    missing = length_of(head) - (len(received) - end - 4)
    while missing > 0:
        missing -= len(await more(connection, b"", begun=True))
    return int(head.split(" ", 2)[1]), not re.search(r"\r\nconnection: *close", head)


def length_of(head: str) -> int:
    found = re.search(r"\r\ncontent-length: *(\d+)", head)
    return int(found.group(1)) if found else 0


async def more(connection: socket.socket, received: bytes, begun: bool = False) -> bytes:
    try:
        piece = await asyncio.get_running_loop().sock_recv(connection, 256 * 1024)
    except OSError:
        piece = b""
    if not piece:
        raise Cut(len(received) + begun)
    return received + piece


if __name__ == "__main__":
    PORT, CONNECTIONS, *REQUESTS = map(int, sys.argv[1:])
    print(json.dumps(asyncio.run(Client(PORT, CONNECTIONS, REQUESTS[0] if REQUESTS else None).run())), flush=True)
