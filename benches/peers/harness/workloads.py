"""The workloads. Pure."""
import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Workload:
    name: str  # its number first: `--workloads 2` means all that begin with it
    title: str
    needs: frozenset  # of a contender
    path: str = "/1k"
    port: str = "h1"
    origin: str = "responder"
    connections: int = 64
    streams: int = 0
    fresh: bool = False
    most: int = 300_000  # requests a run
    hosts: int = 0
    per_host: int = 0  # requests for each of the hosts
    shuffled: bool = False
    slow_hosts: int = 0  # of the hosts; their requests take a second

    @property
    def scheme(self):
        return "https" if self.port.startswith("tls") else "http"

    @property
    def listed(self):
        return self.hosts > 0

    def urls(self, port, tenth=False, slow=False):
        """What is asked for; of many hosts the first tenth only, with the slow ones or without."""
        if not self.listed:
            return (f"{self.scheme}://127.0.0.1:{port}{self.path}",)
        hosts = max(1, self.hosts // 10) if tenth else self.hosts
        # Slow hosts stand among the others, at equal distances.
        step = self.hosts // self.slow_hosts if self.slow_hosts else 0
        is_slow = lambda host: step and host % step == step // 2
        urls = [
            f"http://{address(host)}:{port}{'/slow' if is_slow(host) else self.path}"
            for host in range(hosts)
            if slow or not is_slow(host)
            for _ in range(self.per_host)
        ]
        if self.shuffled:
            random.Random(1).shuffle(urls)
        return tuple(urls)


def address(host):
    """One of 127/8, never the same for two hosts."""
    return f"127.{1 + host // 62_500}.{1 + host // 250 % 250}.{1 + host % 250}"


def every(quick):
    """All of them; `quick`: so small that they only show that everything works."""
    needs = frozenset
    thousand, ten_thousand, each = (20, 100, 5) if quick else (1_000, 10_000, 50)
    slow_of = 100 if quick else 1_000
    lists = [
        Workload(f"2.{key}.{order}", f"{hosts:,} hosts, {each} requests each, {order} input, 64 at once", needs({"h1", "list"}),
                 hosts=hosts, per_host=each, shuffled=order == "shuffled")
        for key, hosts in (("1k", thousand), ("10k", ten_thousand))
        for order in ("sorted", "shuffled")
    ]
    bodies = [
        Workload(f"6.{path[1:]}", f"64 connections, bodies of {title}", needs({"h1"}), path=path, most=most)
        for path, title, most in (
            ("/64k", "64 KiB", 100_000), ("/64k.gz", "64 KiB, gzip", 100_000),
            ("/1m", "1 MiB", 10_000), ("/1m.gz", "1 MiB, gzip", 10_000),
        )
    ]
    fresh = dict(path="/close", fresh=True, most=20_000)  # fewer than there are ports
    # A client that keeps a few tickets for each server can resume a few sessions at once.
    few = dict(fresh, connections=4)
    return [
        Workload("1", "One host, 64 kept-alive connections, 1 KiB", needs({"h1"})),
        Workload("1.nginx", "The same from nginx", needs({"h1"}), origin="nginx"),
        *lists,
        Workload("3", "HTTP/2, 4 connections of 100 streams, 1 KiB", needs({"h2"}), port="h2c", connections=4, streams=100),
        Workload("3.nginx", "The same from nginx", needs({"h2"}), port="h2c", origin="nginx", connections=4, streams=100),
        Workload("4", "TLS 1.3, 64 kept-alive connections, 1 KiB", needs({"h1", "tls"}), port="tls"),
        Workload("5.tcp", "A new TCP connection for each request, 64 at once", needs({"h1", "fresh"}), **fresh),
        Workload("5.full", "A new TLS connection for each request, 4 at once, full handshakes", needs({"h1", "fresh-tls"}),
                 port="tls", **few),
        Workload("5.resumed", "A new TLS connection for each request, 4 at once, resumed where the client can",
                 needs({"h1", "fresh-tls"}), port="tls_resumed", **few),
        *bodies,
        Workload("7", f"{slow_of:,} hosts of which 1 % take a second, {each} requests each, shuffled, 256 at once",
                 needs({"h1", "list"}), connections=256, hosts=slow_of, per_host=each, shuffled=True,
                 slow_hosts=slow_of // 100),
    ]
