"""A WebSocket server over HTTP/2 (RFC 8441) that says everything back: Python's `hypercorn`.

    python websocket_h2.py
"""

import asyncio
import socket

from hypercorn.asyncio import serve
from hypercorn.config import Config


async def app(scope, receive, send):
    if scope["type"] != "websocket":
        if scope["type"] == "http":
            text = f"HTTP/{scope['http_version']}".encode()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": text})
        return
    await receive()
    if scope["path"] == "/refused":
        await send({"type": "websocket.close"})
        return
    version = scope["http_version"].encode()
    await send(
        {
            "type": "websocket.accept",
            "subprotocol": next(iter(scope["subprotocols"]), None),
            "headers": [(b"x-version", version)],
        }
    )
    while (event := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": event.get("text"), "bytes": event.get("bytes")})


async def main() -> None:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    config = Config()
    config.bind = [f"fd://{listening.fileno()}"]
    config.websocket_max_message_size = 1 << 24
    print("listening at", listening.getsockname()[1], flush=True)
    await serve(app, config)


asyncio.run(main())
