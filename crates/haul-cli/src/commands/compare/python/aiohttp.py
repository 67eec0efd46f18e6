# aiohttp: all at once, as far as its session lets them (100 connections by default).
try:
    import aiohttp
except ImportError:
    missing("aiohttp")

CONTEXT = trust()


async def gather(this):
    timeout = aiohttp.ClientTimeout(total=TIMEOUT)
    async with aiohttp.ClientSession(headers=HEADERS, timeout=timeout) as session:

        async def get(url):
            async with session.request(METHOD, url, data=BODY, allow_redirects=False, ssl=CONTEXT) as answer:
                await answer.read()

        await asyncio.gather(*(this.fetch_async(get, url) for url in URLS))


serve(aiohttp.__version__, lambda this: asyncio.run(gather(this)))
