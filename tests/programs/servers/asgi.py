"""uvicorn asgi:app"""
import os


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    body = b"pid %d\n" % os.getpid()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
