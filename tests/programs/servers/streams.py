"""python3 streams.py DIRECTORY: answers that take their time, by aiohttp as its documentation has it; see streams.js. Ports 8080
and, with TLS, 8443; DIRECTORY has key.pem and cert.pem."""
import asyncio, os, ssl, sys
from aiohttp import WSMsgType, web

ME = "pid %d\n" % os.getpid()
routes = web.RouteTableDef()


def pause(request):
    return asyncio.sleep(int(request.query["ms"]) / 1000)


@routes.get("/")
@routes.get("/fast")
async def fast(_):
    return web.Response(text=ME)


@routes.get("/slow")
async def slow(request):
    await pause(request)
    return web.Response(text=ME)


@routes.get("/poll")
async def poll(request):
    answer = web.StreamResponse()
    await answer.prepare(request)
    await pause(request)
    await answer.write(ME.encode())
    return answer


@routes.get("/drip")
async def drip(request):
    answer = web.StreamResponse(headers={"Content-Length": "10"})
    await answer.prepare(request)
    await answer.write(b"01234")
    await pause(request)
    await answer.write(b"56789")
    return answer


@routes.get("/events")
async def events(request):
    answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await answer.prepare(request)
    for i in range(3):
        if i:
            await pause(request)
        await answer.write(b"data: %d\n\n" % i)
    return answer


@routes.post("/echo")
async def echo(request):
    return web.Response(body=await request.read())


@routes.get("/ws")
async def ws(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type == WSMsgType.TEXT:
            await socket.send_str(message.data)
        elif message.type == WSMsgType.BINARY:
            await socket.send_bytes(message.data)
    return socket


async def main():
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, handle_signals=True)
    await runner.setup()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(os.path.join(sys.argv[1], "cert.pem"), os.path.join(sys.argv[1], "key.pem"))
    await web.TCPSite(runner, "127.0.0.1", 8080).start()
    await web.TCPSite(runner, "127.0.0.1", 8443, ssl_context=context).start()
    try:
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


try:
    asyncio.run(main())
except web.GracefulExit:
    pass
