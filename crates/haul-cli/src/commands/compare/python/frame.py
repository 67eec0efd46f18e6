# Carried by `haul compare --python`: reads the task, then fetches its list once for each line of input and writes a line of
# figures each time. What follows this file says with which package.
import asyncio
import base64
import json
import platform
import socket
import ssl
import sys
import time

TASK = json.loads(sys.stdin.readline())
URLS, WORKERS, TIMEOUT = TASK["urls"], TASK["workers"], TASK["timeout_s"]
METHOD, HEADERS = TASK["method"], dict(TASK["headers"])
BODY = base64.b64decode(TASK["body"]) if TASK["body"] else None
CA_FILE, INSECURE = TASK["ca_file"], TASK["insecure"]

# Names under .localhost are this machine (RFC 6761), as haul has it; not every C library knows.
_look_up = socket.getaddrinfo


def _here(host, *rest, **named):
    name = host.decode() if isinstance(host, bytes) else host
    return _look_up("127.0.0.1" if name and name.endswith(".localhost") else host, *rest, **named)


socket.getaddrinfo = _here


def trust():
    """What the package is told of certificates."""
    context = ssl.create_default_context(cafile=CA_FILE)
    if INSECURE:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class Round:
    def __init__(self):
        self.latencies, self.failures = [], {}

    def ended(self, begin, error=None):
        if error is None:
            self.latencies.append(time.perf_counter() - begin)
        else:
            kind = type(error).__name__
            self.failures[kind] = self.failures.get(kind, 0) + 1

    def fetch(self, get, url):
        begin = time.perf_counter()
        try:
            get(url)
        except Exception as error:
            self.ended(begin, error)
        else:
            self.ended(begin)

    async def fetch_async(self, get, url):
        begin = time.perf_counter()
        try:
            await get(url)
        except Exception as error:
            self.ended(begin, error)
        else:
            self.ended(begin)


def tell(**figures):
    print(json.dumps(figures), flush=True)


def missing(package):
    tell(missing=package)
    sys.exit()


def serve(version, fetch_list):
    tell(version=version, python=platform.python_version())
    for _ in sys.stdin:
        this = Round()
        begin, processor = time.perf_counter(), time.process_time()
        fetch_list(this)
        elapsed, processor = time.perf_counter() - begin, time.process_time() - processor
        tell(elapsed_s=elapsed, cpu_s=processor, latencies_s=this.latencies, failures=this.failures)
