"""CPU per token of Weir's transport against httpx's stock one, reading bytes, in one run.

Run by hand: python tests/bench/bench_transport.py [streams] [tokens]. Prints ratios; machines differ, those less.
"""

import asyncio
import contextlib
import sys
import time
from multiprocessing import get_context
from multiprocessing.connection import Connection

import httpx

from tui.engine.transport import MeasuringTransport, raise_file_limit

EVENT = b"data: " + b"x" * 290 + b"\n\n"
CHUNK = b"%x\r\n%s\r\n" % (len(EVENT), EVENT)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
STREAMS_A_CLIENT = 20


def serve(pipe: Connection, tokens: int, gap_s: float) -> None:
    """A byte server that writes one chunk per token and does nothing else."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
                )
                await reader.readexactly(length)
                writer.write(HEAD)
                for _ in range(tokens):
                    writer.write(CHUNK)
                    await asyncio.sleep(gap_s)
                writer.write(b"0\r\n\r\n")
        writer.close()

    async def main() -> None:
        raise_file_limit()
        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=4096)
        pipe.send(server.sockets[0].getsockname()[1])
        await asyncio.Event().wait()

    asyncio.run(main())


async def own(url: str, streams: int, rounds: int) -> int:
    """Reads through `receive`, as the engine does."""
    reads = 0

    async def one(client: httpx.AsyncClient) -> None:
        nonlocal reads
        for _ in range(rounds):
            async with client.stream("POST", url, json={"stream": True}) as response:
                body = response.extensions["weir.body"]
                while await body.receive() is not None:
                    reads += 1

    async with httpx.AsyncClient(transport=MeasuringTransport(), timeout=60) as client:
        await asyncio.gather(*(one(client) for _ in range(streams)))
    return reads


async def stock(url: str, streams: int, rounds: int) -> int:
    """Reads through `aiter_raw`, in clients of 20 streams each, which is kind to httpcore."""
    reads = 0

    async def one(client: httpx.AsyncClient) -> None:
        nonlocal reads
        for _ in range(rounds):
            async with client.stream("POST", url, json={"stream": True}) as response:
                async for _ in response.aiter_raw():
                    reads += 1

    async with contextlib.AsyncExitStack() as stack:
        context = httpx.create_ssl_context()
        count = -(-streams // STREAMS_A_CLIENT)
        clients = [
            await stack.enter_async_context(httpx.AsyncClient(verify=context, trust_env=False, timeout=60))
            for _ in range(count)
        ]
        await asyncio.gather(*(one(clients[i % count]) for i in range(streams)))
    return reads


def main(streams: int = 100, tokens: int = 100, rounds: int = 3) -> None:
    raise_file_limit()
    spawn = get_context("spawn")
    here, there = spawn.Pipe()
    server = spawn.Process(target=serve, args=(there, tokens, 0.02), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{here.recv()}/"
    cost: dict[str, float] = {}
    for read in (stock, own, stock, own):
        asyncio.run(read(url, 2, 1))  # imports and the server's own first steps
        began = time.process_time()
        reads = asyncio.run(read(url, streams, rounds))
        spent_us = (time.process_time() - began) * 1e6
        per_token = spent_us / (streams * rounds * tokens)
        cost[read.__name__] = min(per_token, cost.get(read.__name__, per_token))
        print(f"{read.__name__:>6}: {per_token:6.1f} µs CPU a token, {reads} reads")
    server.terminate()
    print(f"own / stock: {cost['own'] / cost['stock']:.2f}x")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
