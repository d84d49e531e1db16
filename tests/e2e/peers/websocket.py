"""A WebSocket server that says everything back, and a client that checks it: Python's `websockets`.

    python websocket.py server
    python websocket.py client URL
"""

import asyncio
import sys

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed


async def server() -> None:
    async def echo(socket):
        async for message in socket:
            await socket.send(message)

    async with serve(echo, "127.0.0.1", 0, subprotocols=["echo"], max_size=None) as listening:
        print("listening at", listening.sockets[0].getsockname()[1], flush=True)
        await listening.serve_forever()


async def client(url: str) -> None:
    async with connect(url, subprotocols=["echo"], max_size=None) as socket:
        print("subprotocol", socket.subprotocol)
        extensions = [extension.name for extension in socket.protocol.extensions]
        print("extensions", *extensions)
        messages = ["short", "ü" * 70_000, b"\0\xff" * 500_000, ""]
        for message in messages:
            await socket.send(message)
        for message in messages:
            assert await socket.recv() == message
        # In pieces, with a ping in between.
        await socket.send(["in ", "pie", "ces"])
        await (await socket.ping())
        assert await socket.recv() == "in pieces"
        print("echoed", flush=True)
        try:
            await asyncio.wait_for(socket.recv(), 20)
        except ConnectionClosed as closed:
            print("closed", closed.rcvd.code if closed.rcvd else None)


asyncio.run(server() if sys.argv[1] == "server" else client(sys.argv[2]))
