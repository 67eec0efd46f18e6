#!/usr/bin/env python3
"""Client processor time per request, contenders in turns: medians as a Markdown table.

    cargo build --release
    cargo build --release --manifest-path benches/peers/reqwest/Cargo.toml --target-dir target/peers
    benches/peers/run.py URL [--rounds 3] [--core 1] [--python PYTHON] [NAME …]

URL is a small body on a server of yours, on another core. A contender that is not installed is listed as missing.
"""
import argparse
import pathlib
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CONNECTIONS = 64


def contenders(url, python, scratch):
    """Name → (requests, command)."""

    def listed(name, count, line):
        path = scratch / name
        path.write_text(line * count)
        return str(path)

    def script(name, count):
        return count, [python, str(HERE / f"{name}_client.py"), url, str(count), str(CONNECTIONS)]

    many = 200_000
    haul = [str(ROOT / "target/release/haul"), "get", "-q", "--shards", "1", "--per-host", str(CONNECTIONS)]
    aria = [f"{url}?{n}\n out={n}\n" for n in range(3000)]
    (scratch / "aria").write_text("".join(aria))
    return {
        "wrk": (None, ["wrk", "-t1", f"-c{CONNECTIONS}", "-d5s", url]),
        "haul get": (many, [*haul, "-i", listed("haul", many, f"{url}\n"), "-o", "/dev/null"]),
        "oha": (many, ["oha", "-n", str(many), "-c", str(CONNECTIONS), "--no-tui", url]),
        "reqwest": (100_000, [str(ROOT / "target/peers/release/peer-reqwest"), url, "100000", str(CONNECTIONS)]),
        "curl -Z": (
            20_000,
            ["curl", "-sZ", "--parallel-max", str(CONNECTIONS), "-K"]
            + [listed("curl", 20_000, f'url="{url}"\noutput="/dev/null"\n')],
        ),
        "aria2": (
            3000,
            ["aria2c", "-q", "-j", str(CONNECTIONS), "-x1", "-s1", "--file-allocation=none", "--allow-overwrite=true"]
            + ["-d", str(scratch / "aria-out"), "-i", str(scratch / "aria")],
        ),
        "aiohttp": script("aiohttp", 20_000),
        "requests, threads": script("requests", 3000),
        "Scrapy": script("scrapy", 3000),
        "httpx": script("httpx", 2000),
    }


def measure(count, command, core):
    """Microseconds of processor time per request, and requests per second."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.time()
    ran = subprocess.run(["taskset", "-c", core, *command], capture_output=True, text=True)
    after, took = resource.getrusage(resource.RUSAGE_CHILDREN), time.time() - start
    if ran.returncode:
        sys.exit(f"{command[0]} failed: {ran.stderr[-500:]}")
    if count is None:
        count = int(re.search(r"(\d+) requests in", ran.stdout)[1])
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu / count * 1e6, count / took


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("url")
    options.add_argument("names", nargs="*")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--core", default="1")
    options.add_argument("--python", default=sys.executable)
    options = options.parse_intermixed_args()
    with tempfile.TemporaryDirectory() as scratch:
        every = contenders(options.url, options.python, pathlib.Path(scratch))
        chosen = {name: every[name] for name in options.names or every}
        there = {}
        for name, (count, command) in chosen.items():
            package = re.search(r"(\w+)_client\.py", " ".join(command[:2]))
            probe = [command[0], "-c", f"import {package[1]}"] if package else None
            found = shutil.which(command[0]) and (not probe or subprocess.run(probe, capture_output=True).returncode == 0)
            if found:
                there[name] = (count, command)
        figures = {name: [] for name in there}
        for _ in range(options.rounds):
            for name, (count, command) in there.items():
                figures[name].append(measure(count, command, options.core))
        print("| client | CPU per request | requests/s on one core |\n|---|---:|---:|")
        for name in chosen:
            if name not in figures:
                print(f"| {name} | missing | |")
                continue
            cpu, rate = (statistics.median(column) for column in zip(*figures[name]))
            print(f"| {name} | {cpu:,.1f} µs | {rate:,.0f} |")


main()
