"""What people write by hand: httpx, `aiter_lines`, `json.loads`, a semaphore. The bench's yardstick.

Prints JSON: per request the response's id, TTFT (s, from sending to the first content) and tokens.
"""

import asyncio
import json
import sys
import time

import httpx


async def main(base_url: str, model: str, requests: int, concurrency: int) -> None:
    gate = asyncio.Semaphore(concurrency)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    rows: list[dict[str, object]] = []

    async with httpx.AsyncClient(limits=limits, timeout=120) as client:

        async def one() -> None:
            body = {
                "model": model,
                "messages": [{"role": "user", "content": "Name a river."}],
                "stream": True,
                "stream_options": {"include_usage": True},
            }
            async with gate:
                began, first, request_id, tokens = time.monotonic(), None, None, 0
                async with client.stream("POST", f"{base_url}/chat/completions", json=body) as response:
                    async for line in response.aiter_lines():
                        if not line.startswith("data: ") or line == "data: [DONE]":
                            continue
                        chunk = json.loads(line[6:])
                        request_id = chunk["id"]
                        if chunk["choices"] and chunk["choices"][0]["delta"].get("content"):
                            first = first or time.monotonic()
                        if chunk.get("usage"):
                            tokens = chunk["usage"]["completion_tokens"]
                rows.append({"id": request_id, "ttft_s": (first or began) - began, "tokens": tokens})

        await asyncio.gather(*(one() for _ in range(requests)))
    json.dump(rows, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
