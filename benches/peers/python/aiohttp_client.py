"""aiohttp: one session, as many workers as connections. A fourth argument `uvloop` runs it on that."""
import asyncio
import sys

import aiohttp

from asked import asked


async def main():
    urls, connections, per_host = asked()
    done = 0
    connector = aiohttp.TCPConnector(limit=connections, limit_per_host=per_host)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def work():
            nonlocal done
            for url in urls:
                async with session.get(url) as response:
                    await response.read()
                    done += response.status == 200

        await asyncio.gather(*[work() for _ in range(connections)])
    print(done)


if sys.argv[4:] == ["uvloop"]:
    import uvloop

    uvloop.run(main())
else:
    asyncio.run(main())
