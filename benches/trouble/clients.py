"""The clients: each fetches the URLs of a case; when the last good record came, and when it ended."""
import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Run:
    good: int = 0
    last_good: float = 0
    end: float = 0


class Haul:
    name = "haul"

    def __init__(self, program):
        self.program = program

    def run(self, case, scratch):
        return timed([self.program, "get", "-q", *case.flags, "-i"], case, scratch)


class Requests:
    name = "requests"

    def __init__(self, interpreter):
        self.command = [interpreter, str(Path(__file__).with_name("with_requests.py"))]

    def run(self, case, scratch):
        return timed(self.command, case, scratch)


def timed(command, case, scratch):
    urls = scratch / "urls"
    urls.write_text("\n".join(case.urls) + "\n")
    run, begin = Run(), time.monotonic()
    with subprocess.Popen([*command, str(urls)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        for line in process.stdout:
            if json.loads(line).get("status") == 200:
                run.good += 1
                run.last_good = time.monotonic() - begin
    run.end = time.monotonic() - begin
    return run
