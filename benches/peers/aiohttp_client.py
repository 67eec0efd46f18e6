"""URL COUNT CONCURRENCY: aiohttp with a semaphore, on uvloop where there is one."""
import asyncio
import sys

import aiohttp


async def main(url, count, concurrency):
    turns = asyncio.Semaphore(concurrency)
    connector = aiohttp.TCPConnector(limit=concurrency)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def fetch():
            async with turns, session.get(url) as response:
                await response.read()

        await asyncio.gather(*[fetch() for _ in range(count)])


try:
    import uvloop

    run = uvloop.run
except ImportError:
    run = asyncio.run
run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
