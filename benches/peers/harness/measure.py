"""Measures the contenders of a workload in turns, and verifies every run against the origin's own count."""
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness.ask import Ask
from harness.contenders import environment
from harness.figures import Sample, SlowSample
from harness.origin import settled
from harness.running import Failed, first_line, run

LIMIT = 60  # seconds a run may take
LONGEST = 20  # seconds that a run over a list, whose length is given, may be expected to take
QUICK = 64  # requests of a quick run at least
SHORTEST = 256  # requests that the search for the right number begins with


@dataclass(frozen=True)
class Settings:
    seconds: float  # that a run should take
    quick: bool
    scratch: Path


@dataclass(frozen=True)
class Seen:
    """A run that did what it was asked for."""

    requests: int
    cpu: float
    wall: float
    counts: dict  # what the origin counted meanwhile


class Bench:
    """One workload against its origin."""

    def __init__(self, workload, origin, settings):
        self.workload, self.origin, self.settings = workload, origin, settings
        self.port = origin.ports[workload.port]
        self.urls = workload.urls(self.port)
        self.tenth = workload.urls(self.port, tenth=True)
        self.most = len(self.urls) if workload.listed else workload.most
        self.at_once = workload.connections * (workload.streams or 1)

    def once(self, contender, path, urls, count, seconds=1):
        """Runs it. Failed, if the origin saw anything but what was asked for."""
        with tempfile.TemporaryDirectory(dir=self.settings.scratch) as scratch:
            load = self.workload
            ask = Ask(urls, count, load.connections, Path(scratch), load.streams, load.fresh, seconds, self.origin.ca)
            command = [path, *contender.command(ask)]
            before = settled(self.origin)
            self.origin.forget_times()
            ran = run(command, environment(self.origin.ca), LIMIT)
            counts = difference(settled(self.origin), before)
        try:
            told = contender.told(ran.stdout, ran.stderr)
        except (ValueError, LookupError, TypeError) as error:
            raise Failed(f"it told nothing of use: {first_line(ran.stderr or ran.stdout) or error}") from error
        count = told if contender.timed else count
        check(contender, count, told, counts, load)
        return Seen(count, ran.cpu, ran.wall, counts)

    def right_count(self, contender, path):
        """How many requests take about as long as a run should; of a list, all of them, or it is left out."""
        if contender.timed:
            return 0
        count = max(SHORTEST, 2 * self.at_once)
        if self.settings.quick:
            return len(self.urls) if self.workload.listed else max(QUICK, 2 * self.at_once)
        first = last = self.some(contender, path, min(count, self.most))
        while last.wall - first.wall < self.settings.seconds / 4 and last.requests < self.most:
            last = self.some(contender, path, min(8 * last.requests, self.most))
        each = max((last.wall - first.wall) / max(last.requests - first.requests, 1), 1e-7)
        if self.workload.listed:
            if LONGEST / 2 < each * self.most and each * len(self.tenth) < LIMIT / 2:
                # The first lines of a shuffled list are mostly new connections: a tenth of the hosts tells more.
                tenth = self.once(contender, path, self.tenth, len(self.tenth))
                each = tenth.wall / tenth.requests
            if each * self.most > LONGEST:
                raise Failed(f"left out: {self.most:,} requests would take about {each * self.most:.0f} s")
            return self.most
        return min(max(math.ceil(self.settings.seconds / each), 2 * count), self.most)

    def some(self, contender, path, count):
        return self.once(contender, path, self.urls[:count] if self.workload.listed else self.urls, count)

    def sample(self, contender, path, count, rng):
        """A long run less a short one, so that the cost of starting is not in it."""
        if self.workload.slow_hosts:
            return self.slow_sample(contender, path)
        if self.settings.quick:
            return self.difference(self.once(contender, path, self.urls, count), Seen(0, 0.0, 0.0, {}))
        runs = [(self.urls, count, 2), (self.tenth, self.short(count), 1)]
        seen = {}
        for urls, requests, seconds in rng.sample(runs, 2):
            seen[seconds] = self.once(contender, path, urls, requests, seconds)
        return self.difference(seen[2], seen[1])

    def short(self, count):
        if self.workload.listed:
            return len(self.tenth)
        return max(count // 10, min(self.at_once, count // 2))

    def difference(self, long, short):
        requests = long.requests - short.requests
        handshakes = long.counts.get("full_handshakes", 0) + long.counts.get("resumed_handshakes", 0)
        origin_cpu = long.counts.get("cpu_us", 0) - short.counts.get("cpu_us", 0)
        return Sample(
            cpu_us=(long.cpu - short.cpu) / requests * 1e6,
            per_second=requests / max(long.wall - short.wall, 1e-9),
            requests=long.requests,
            connections=long.counts["connections"],
            resumed=long.counts["resumed_handshakes"] / handshakes if handshakes else None,
            origin_cpu_us=origin_cpu / requests,
        )

    def slow_sample(self, contender, path):
        """How many of the quick requests a second are answered without slow hosts among them, and with."""
        rates = []
        for urls in (self.urls, self.workload.urls(self.port, slow=True)):
            seen = self.once(contender, path, urls, len(urls))
            rates.append(len(self.urls) / max(seen.counts["answered_for_us"] / 1e6, 1e-6))
        return SlowSample(alone=rates[0], beside=rates[1])


def difference(after, before):
    # The time is since it was last forgotten.
    return {name: value - (0 if name == "answered_for_us" else before[name]) for name, value in after.items()}


def check(contender, count, told, counts, workload):
    """That the origin saw each request once, and on connections as the workload wants them."""
    requests, connections = counts["requests"], counts["connections"]
    # Who stops at a time leaves a request on each connection.
    over = workload.connections if contender.timed else 0
    if not count <= requests <= count + over:
        raise Failed(f"{count} requests wanted, the origin counted {requests}")
    if told is not None and told != count:
        raise Failed(f"{count} requests wanted, {told} answered with 200")
    if workload.fresh and connections < requests:
        raise Failed(f"a connection for each request wanted, {connections} of {requests} seen")


def rounds(bench, contenders, count, rng, say):
    """Samples by contender, and what went wrong by contender: in turns, in another order each round."""
    samples, wrong, counts = {}, {}, {}
    for contender, path in contenders:
        attempt(contender, wrong, lambda: counts.update({contender.name: bench.right_count(contender, path)}))
    for number in range(count):
        say(f"{bench.workload.name}: round {number + 1} of {count}")
        able = [entry for entry in contenders if entry[0].name not in wrong]
        for contender, path in rng.sample(able, len(able)):
            sample = lambda: bench.sample(contender, path, counts[contender.name], rng)
            attempt(contender, wrong, lambda: samples.setdefault(contender.name, []).append(sample()))
    return {name: all_of_it for name, all_of_it in samples.items() if name not in wrong}, wrong


def attempt(contender, wrong, step):
    try:
        step()
    except Failed as error:
        wrong[contender.name] = str(error)
