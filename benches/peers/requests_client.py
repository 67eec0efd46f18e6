"""URL COUNT CONCURRENCY: requests in a pool of threads, a session each."""
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import requests

url, count, concurrency = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
own = threading.local()


def fetch(_):
    if not hasattr(own, "session"):
        own.session = requests.Session()
    return len(own.session.get(url).content)


with ThreadPoolExecutor(concurrency) as pool:
    list(pool.map(fetch, range(count)))
