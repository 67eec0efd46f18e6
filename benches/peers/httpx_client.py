"""URL COUNT CONCURRENCY: httpx's AsyncClient with a semaphore."""
import asyncio
import sys

import httpx


async def main(url, count, concurrency):
    turns = asyncio.Semaphore(concurrency)
    limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    async with httpx.AsyncClient(limits=limits, timeout=60) as client:

        async def fetch():
            async with turns:
                await client.get(url)

        await asyncio.gather(*[fetch() for _ in range(count)])


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
