"""Ten replicas in one process, one of them a hundred times slower than the others.

    replicas.py FAST_MS SLOW_MS

The first line is the ports, the slow one first. Every answer has 128 bytes. At its end, which is that of standard
input, the last line is how many requests each has had.
"""

import asyncio
import json
import sys

COUNT = 10
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 128\r\n\r\n" + b"x" * 128


class Replica:
    def __init__(self, delay: float):
        self.delay = delay
        self.requests = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                self.requests += 1
                await asyncio.sleep(self.delay)
                writer.write(ANSWER)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()


async def main(fast: float, slow: float) -> None:
    replicas = [Replica(slow if number == 0 else fast) for number in range(COUNT)]
    servers = [await asyncio.start_server(replica.serve, "127.0.0.1", 0, backlog=1024) for replica in replicas]
    print(json.dumps([server.sockets[0].getsockname()[1] for server in servers]), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    print(json.dumps([replica.requests for replica in replicas]), flush=True)


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) / 1000, float(sys.argv[2]) / 1000))
