# httpx: all at once, as far as its client lets them (100 connections by default).
try:
    import httpx
except ImportError:
    missing("httpx")

CONTEXT = trust()


async def gather(this):
    async with httpx.AsyncClient(headers=HEADERS, timeout=TIMEOUT, verify=CONTEXT) as client:

        async def get(url):
            await client.request(METHOD, url, content=BODY)

        await asyncio.gather(*(this.fetch_async(get, url) for url in URLS))


serve(httpx.__version__, lambda this: asyncio.run(gather(this)))
