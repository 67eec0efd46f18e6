"""The cases: URLs, how many of them can be fetched, and the time that haul is held to."""
import random
from dataclasses import dataclass, field


@dataclass
class Case:
    name: str
    urls: list
    good: int  # None: chance decides
    within: float = 0  # seconds; 0: no target is stated
    flags: list = field(default_factory=list)
    is_ruled: bool = False  # requests takes part


def every(ports):
    yield from mixes(ports)
    yield failing(ports)
    yield from limits(ports)
    yield in_a_long_list(ports)
    yield black_holes(ports)
    yield silent_hosts(ports)
    yield tenth_silent(ports)
    yield names(ports)
    yield slow_names(ports)


def mixes(ports):
    """Every kth URL of one host always fails; the others take 2 ms."""
    for bad in ("503", "502", "reset"):
        for kth in (50, 10, 4):
            path = lambda n: f"bad/{bad}/{n}" if n % kth == 0 else f"page/{n}"
            urls = [f"http://127.0.0.1:{ports.nginx}/{path(n)}" for n in range(500)]
            yield Case(f"every {kth}th URL: {bad}", urls, 500 - 500 // kth, 5, is_ruled=True)


def failing(ports):
    """As `failing` of haul's test server; the 500 is tried again by nobody."""
    urls = [f"http://127.0.0.1:{ports.nginx}/chance/{n}" for n in range(500)]
    return Case("of 100 attempts 10: 500, 5: 503, 5: reset", urls, None, is_ruled=True)


def limits(ports):
    """nginx's `limit_req`: what is too much is refused."""
    urls = lambda where, count: [f"http://127.0.0.1:{ports.nginx}/{where}/{n}" for n in range(count)]
    yield Case("1 a second, else 503", urls("one", 60), 60, is_ruled=True)
    yield Case("2 a second, else 503", urls("two", 60), 60, is_ruled=True)
    yield Case("20 a second, else 503", urls("twenty", 400), 400, is_ruled=True)
    yield Case("20 a second, bursts of 20, else 503", urls("bursts", 400), 400, is_ruled=True)
    yield Case("20 a second, else 429", urls("told", 400), 400, is_ruled=True)


def in_a_long_list(ports):
    """A host of 50 URLs of which every tenth fails, among 10,000 URLs of 1,000 others."""
    ours = [f"http://127.0.0.1:{ports.nginx}/{'bad/503' if n % 10 == 0 else 'page'}/{n}" for n in range(50)]
    others = [f"http://127.1.{n % 1000 // 250}.{n % 250 + 1}:{ports.nginx}/page/{n}" for n in range(10_000)]
    return Case("50 such URLs among 10,000", shuffled(ours + others), 10_045, 16)


def black_holes(ports):
    """12 hosts that drop every packet, beside 100 that answer."""
    holes = [f"http://127.66.0.{host + 1}/page/{n}" for host in range(12) for n in range(20)]
    others = [f"http://127.1.0.{host + 1}:{ports.nginx}/page/{n}" for host in range(100) for n in range(20)]
    return Case("12 hosts drop every packet", shuffled(holes + others), 2_000, 20.5)


def silent_hosts(ports):
    """40 hosts accept and never answer, and are first in the list."""
    silent = [f"http://127.2.0.{host + 1}:{ports.silent}/page/{n}" for host in range(40) for n in range(20)]
    others = [f"http://127.1.0.{host + 1}:{ports.nginx}/page/{n}" for host in range(100) for n in range(20)]
    return Case("40 hosts never answer", silent + others, 2_000, 3)


def tenth_silent(ports):
    """100 of 1,000 hosts accept and never answer."""
    of = lambda host: (f"127.2.0.{host // 10 + 1}:{ports.silent}" if host % 10 == 0
                       else f"127.1.{host // 250}.{host % 250 + 1}:{ports.nginx}")
    urls = [f"http://{of(host)}/page/{n}" for host in range(1000) for n in range(10)]
    return Case("100 of 1,000 hosts never answer", shuffled(urls), 9_000, 3)


def names(ports):
    """50,000 names with an address each, one name server."""
    urls = [f"http://h{n}.test:{ports.nginx}/page/{n}" for n in range(50_000)]
    return Case("50,000 names, -c 1000", urls, 50_000, 0, ["-c", "1000", "--dns-server", f"127.0.0.1:{ports.unbound}"])


def slow_names(ports):
    """A name server that takes 6 s."""
    urls = [f"http://h{n}.slow.test:{ports.nginx}/page/{n}" for n in range(20)]
    flags = ["--dns-timeout", "20s", "--dns-server", f"127.0.0.1:{ports.slow_dns}"]
    return Case("a name server that takes 6 s, --dns-timeout 20s", urls, 20, 8, flags)


def shuffled(urls):
    random.Random(1).shuffle(urls)
    return urls
