"""requests as its users write it for many URLs: 8 threads, a session with urllib3's Retry; a line of JSON for each URL."""
import json
import sys
from concurrent.futures import ThreadPoolExecutor

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

session = requests.Session()
retry = Retry(total=2, backoff_factor=0.5, status_forcelist=[429, 502, 503, 504], raise_on_status=False)
session.mount("http://", HTTPAdapter(max_retries=retry, pool_maxsize=8))


def fetch(url):
    try:
        return session.get(url, timeout=30).status_code
    except requests.RequestException:
        return 0


with ThreadPoolExecutor(8) as pool:
    for status in pool.map(fetch, open(sys.argv[1]).read().split()):
        print(json.dumps({"status": status}), flush=True)
