# requests: one by one, with a session, and in a pool of threads.
try:
    import requests
except ImportError:
    missing("requests")

from concurrent.futures import ThreadPoolExecutor, as_completed

NAMED = dict(headers=HEADERS, data=BODY, timeout=TIMEOUT, allow_redirects=False)
NAMED["verify"] = False if INSECURE else CA_FILE or True
if INSECURE:
    requests.packages.urllib3.disable_warnings()


def one_by_one(this):
    for url in URLS:
        this.fetch(lambda url: requests.request(METHOD, url, **NAMED).content, url)


def with_session(this):
    with requests.Session() as session:
        for url in URLS:
            this.fetch(lambda url: session.request(METHOD, url, **NAMED).content, url)


def with_threads(this):
    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        get = lambda url: requests.request(METHOD, url, **NAMED).content
        for done in as_completed([pool.submit(this.fetch, get, url) for url in URLS]):
            done.result()


WAYS = {"requests": one_by_one, "requests-session": with_session, "requests-threads": with_threads}
serve(requests.__version__, WAYS[TASK["way"]])
