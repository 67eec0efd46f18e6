"""URL COUNT CONCURRENCY: Scrapy with a spider that does nothing, no log, no filter of duplicates."""
import sys

import scrapy
from scrapy.crawler import CrawlerProcess

url, count, concurrency = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


class Spider(scrapy.Spider):
    name = "peer"

    async def start(self):
        for _ in range(count):
            yield scrapy.Request(url, dont_filter=True)

    def parse(self, response):
        pass


process = CrawlerProcess(
    settings={
        "CONCURRENT_REQUESTS": concurrency,
        "CONCURRENT_REQUESTS_PER_DOMAIN": concurrency,
        "DOWNLOAD_DELAY": 0,
        "LOG_ENABLED": False,
        "TELNETCONSOLE_ENABLED": False,
    }
)
process.crawl(Spider)
process.start()
