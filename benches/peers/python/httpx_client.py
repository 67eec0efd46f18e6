"""httpx: one AsyncClient, as many workers as connections."""
import asyncio

import httpx

from asked import asked


async def main():
    urls, connections, _ = asked()
    done = 0
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    async with httpx.AsyncClient(limits=limits, timeout=60) as client:

        async def work():
            nonlocal done
            for url in urls:
                response = await client.get(url)
                done += response.status_code == 200

        await asyncio.gather(*[work() for _ in range(connections)])
    print(done)


asyncio.run(main())
