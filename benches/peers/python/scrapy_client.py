"""Scrapy: a spider that only counts; no log, no filter of duplicates, no delay."""
import scrapy
from scrapy.crawler import CrawlerProcess

from asked import asked

urls, connections, per_host = asked()
done = 0


class Spider(scrapy.Spider):
    name = "peer"

    async def start(self):
        for url in urls:
            yield scrapy.Request(url, dont_filter=True)

    def parse(self, response):
        global done
        done += response.status == 200


process = CrawlerProcess(
    settings={
        "CONCURRENT_REQUESTS": connections,
        "CONCURRENT_REQUESTS_PER_DOMAIN": per_host,
        "DOWNLOAD_DELAY": 0,
        "LOG_ENABLED": False,
        "TELNETCONSOLE_ENABLED": False,
    }
)
process.crawl(Spider)
process.start()
print(done)
