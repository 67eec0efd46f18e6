"""The contenders: how each is found, what it can do, how it is asked, and what it tells. Pure but for finding."""
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

HERE = Path(__file__).resolve().parent.parent
ROOT = HERE.parent.parent
RELEASE = HERE / "target/release"
GO = HERE / "target/go"
# haul built by benches/pgo/run.
PGO = ROOT / "target/pgo/haul"

# What a workload may need.
ALL = {"h1", "h2", "tls", "list", "fresh", "fresh-tls"}
H1 = {"h1", "tls", "fresh", "fresh-tls"}
LISTS = H1 | {"list"}


@dataclass(frozen=True)
class Contender:
    name: str
    can: set
    program: Path | str  # looked up in PATH where it is a bare name
    how: str  # to get it
    command: Callable  # Ask → what follows the program
    told: Callable = lambda stdout, stderr: int(stdout.split()[-1])  # how many 200s it says it read; None: it doesn't
    version: list | str = field(default_factory=lambda: ["--version"])  # what makes it tell; or the version itself
    timed: bool = False  # runs for a time, not a number of requests
    decodes: bool = False  # asks for gzip and decodes it
    slow: bool = False  # to start or to go on: a quick run asks it in workload 1 only

    def find(self):
        """Where it is and its version; nothing when it is missing."""
        path = shutil.which(str(self.program))
        if not path:
            return None
        if isinstance(self.version, str):
            return path, self.version
        ran = subprocess.run([path, *self.version], capture_output=True, text=True, timeout=30)
        told = (ran.stdout + ran.stderr).strip()
        number = re.search(r"\d+\.\d+(\.\d+)?", told.splitlines()[0] if told else "")
        # A script that can't import its package says so by its exit code; wrk's -v has one of 1.
        if not number or "Error" in told:
            return None
        return path, number[0]


def haul_trust(ask):
    return ["--cacert", ask.ca] if ask.url.startswith("https") else []


def haul_bench(ask):
    where = ["-i", ask.url_file] if ask.listed else [ask.url]
    h2 = ["--streams", str(ask.streams)] if ask.streams else []
    fresh = ["--no-reuse"] if ask.fresh else []
    load = ["-c", str(ask.connections), "-n", str(ask.count), "--shards", "1"]
    return ["bench", "-q", "--json", *where, *load, *h2, *fresh, *haul_trust(ask)]


def haul_bench_told(stdout, stderr):
    return json.loads(stdout)["status"].get("200", 0)


def haul_get(ask):
    h2 = ["--http2-prior-knowledge"] if ask.streams else []
    fresh = ["--no-reuse"] if ask.fresh else []
    limits = ["-c", str(ask.at_once), "--per-host", str(ask.per_host), "--shards", "1"]
    output = ["-q", "--summary", "json", "-o", "/dev/null"]
    return ["get", "-i", ask.url_file, *output, *limits, *h2, *fresh, *haul_trust(ask)]


def haul_get_told(stdout, stderr):
    return json.loads(stderr.splitlines()[-1])["status"].get("2xx", 0)


def wrk_told(stdout, stderr):
    if "Non-2xx" in stdout:
        raise ValueError(stdout)
    return int(re.search(r"(\d+) requests in", stdout)[1])


def h2load(ask):
    protocol = ["-m", str(ask.streams)] if ask.streams else ["--h1"]
    return [*protocol, "-t1", "-n", str(ask.count), "-c", str(ask.connections), ask.url]


def oha(ask):
    h2 = ["--http2", "-p", str(ask.streams)] if ask.streams else []
    fresh = ["--disable-keepalive"] if ask.fresh else []
    trust = ["--cacert", ask.ca] if ask.url.startswith("https") else []
    load = ["-n", str(ask.count), "-c", str(ask.connections)]
    return ["--no-tui", "--output-format", "json", *load, *h2, *fresh, *trust, ask.url]


def ab(ask):
    keep = [] if ask.fresh else ["-k"]
    return ["-q", *keep, "-n", str(ask.count), "-c", str(ask.connections), ask.url]


def ab_told(stdout, stderr):
    number = lambda name: int((re.search(rf"{name}:\s+(\d+)", stdout) or [0, 0])[1])
    return number("Complete requests") - number("Failed requests") - number("Non-2xx responses")


def curl(ask):
    lines = (line for url in ask.every() for line in (f'url="{url}"', 'output="/dev/null"'))
    at_once = ["-Z", "--parallel-immediate", "--parallel-max", str(ask.connections)]
    return ["-sS", "--fail", "--compressed", "-w", "%{http_code}\\n", *at_once, "-K", ask.file("curl", lines)]


def aria2(ask):
    lines = (line for n, url in enumerate(ask.every()) for line in (url, f" out={n % 1000}"))
    files = ["--file-allocation=none", "--allow-overwrite=true", "-d", str(ask.scratch / "aria2-files")]
    load = ["-q", "-j", str(ask.connections), "-x1", "-s1", "--http-accept-gzip=true", "--ca-certificate", ask.ca]
    return [*load, *files, "-i", ask.file("aria2", lines)]


def untold(stdout, stderr):
    """It says nothing; the origin's count has to do."""


def ours(name, crate, title, can, decodes=False):
    """A program of ours over that crate."""
    streams = lambda ask: [str(ask.streams)] if ask.streams else []
    command = lambda ask: [*ask.url_or_file, *streams(ask)]
    version = re.search(rf'name = "{crate}"\nversion = "(.*?)"', (HERE / "Cargo.lock").read_text())[1]
    how = "cargo build --release in benches/peers"
    return Contender(title, can, RELEASE / name, how, command, version=f"{crate} {version}", decodes=decodes)


def go(name, title, can, package, decodes=False):
    """A program of ours in Go; its version is that of the Debian package it was built with."""
    how = f"apt-get install golang-go {package}"
    asked = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True)
    version = f"{package} {asked.stdout}"
    return Contender(title, can, GO / f"{name}-client", how, lambda ask: ask.url_or_file, version=version, decodes=decodes)


def python(interpreter, script, title, packages, can, extra=(), decodes=True):
    file = str(HERE / f"python/{script}_client.py")
    versions = "; ".join(f"import {package}" for package in packages)
    version = ["-c", f"{versions}; print({packages[0]}.__version__)"]
    how = f"python3 -m venv benches/peers/target/venv && benches/peers/target/venv/bin/pip install {' '.join(packages)}"
    command = lambda ask: [file, *ask.url_or_file, *extra]
    return Contender(title, can, interpreter, how, command, version=version, decodes=decodes, slow=True)


def every(haul, interpreter):
    """All of them, in the order of the tables."""
    node = lambda ask: [str(HERE / "undici/client.js"), *ask.url_or_file]
    undici = f"import {{createRequire}} from 'module'; console.log(createRequire('{HERE}/undici/')('undici/package.json').version)"
    apt = "apt-get install {}".format
    return [
        ours("floor", "mio", "floor (epoll loop that parses nothing)", {"h1", "fresh"}),
        Contender("wrk", H1, "wrk", apt("wrk"), lambda ask: ["-t1", f"-c{ask.connections}", f"-d{ask.seconds}s", ask.url],
                  wrk_told, ["-v"], timed=True),
        Contender("haul bench", ALL, haul, "cargo build --release", haul_bench, haul_bench_told),
        Contender("haul get", ALL, haul, "cargo build --release", haul_get, haul_get_told, decodes=True),
        Contender("haul bench (PGO)", ALL, PGO, "benches/pgo/run", haul_bench, haul_bench_told),
        Contender("haul get (PGO)", ALL, PGO, "benches/pgo/run", haul_get, haul_get_told, decodes=True),
        ours("by-hand", "hyper", "hyper by hand", {*H1, "h2"}),
        ours("hyper-util-client", "hyper-util", "hyper-util's client", ALL),
        ours("reqwest-client", "reqwest", "reqwest", ALL, decodes=True),
        Contender("h2load", {"h1", "h2", "tls"}, "h2load", apt("nghttp2-client"), h2load,
                  lambda stdout, stderr: int(re.search(r"status codes: (\d+) 2xx", stdout)[1])),
        Contender("oha", {*H1, "h2"}, "oha", "cargo install oha", oha,
                  lambda stdout, stderr: json.loads(stdout)["statusCodeDistribution"].get("200", 0)),
        Contender("ab", H1, "ab", apt("apache2-utils"), ab, ab_told, ["-V"]),
        go("fasthttp", "fasthttp", {"h1", "list", "fresh"}, "golang-github-valyala-fasthttp-dev"),
        go("nethttp", "Go net/http", LISTS, "golang-go", decodes=True),
        Contender("curl -Z", LISTS, "curl", apt("curl"), curl,
                  lambda stdout, stderr: stdout.split().count("200"), decodes=True),
        Contender("undici", LISTS, "node", "apt-get install nodejs npm, then run again", node,
                  version=["--input-type=module", "-e", undici], slow=True),
        python(interpreter, "aiohttp", "aiohttp with uvloop", ["aiohttp", "uvloop"], LISTS, extra=["uvloop"]),
        python(interpreter, "aiohttp", "aiohttp", ["aiohttp"], LISTS),
        python(interpreter, "requests", "requests in threads", ["requests"], LISTS),
        Contender("aria2 (writes files)", {"h1", "list", "tls"}, "aria2c", apt("aria2"), aria2, untold, decodes=True,
                  slow=True),
        python(interpreter, "scrapy", "Scrapy", ["scrapy"], {"h1", "list"}),
        python(interpreter, "httpx", "httpx", ["httpx"], LISTS),
    ]


def environment(ca):
    """For all contenders: whom to trust, where there is TLS, and nothing of a proxy."""
    names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE")
    trust = {name: ca for name in names if ca}
    rest = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return rest | trust
