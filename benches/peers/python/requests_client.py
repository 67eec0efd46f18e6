"""requests in a pool of threads, a session each."""
import threading
from concurrent.futures import ThreadPoolExecutor

import requests

from asked import asked

urls, connections, _ = asked()
own = threading.local()


def fetch(url):
    if not hasattr(own, "session"):
        own.session = requests.Session()
    response = own.session.get(url)
    return response.status_code == 200 and len(response.content) > 0


with ThreadPoolExecutor(connections) as pool:
    print(sum(pool.map(fetch, urls)))
