"""One run of one command: bounded in time, its processor time told by the system."""
import os
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Run:
    cpu: float  # seconds, user and system, of the command and those it waited for
    wall: float
    stdout: str
    stderr: str


class Failed(Exception):
    """The run did not do what it was asked for."""


def pin(core):
    """What this process starts from now on runs on this core only."""
    os.sched_setaffinity(0, {core})


def run(command, environment, limit):
    """Runs it, for `limit` seconds at most, and waits for its end."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        start = time.monotonic()
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment, start_new_session=True
        )
        killer = threading.Timer(limit, os.killpg, [child.pid, signal.SIGKILL])
        killer.start()
        try:
            _, status, usage = os.wait4(child.pid, 0)
        finally:
            killer.cancel()
        wall = time.monotonic() - start
        child.returncode = os.waitstatus_to_exitcode(status)  # or Popen would wait for it once more
        out.seek(0), err.seek(0)
        stdout, stderr = out.read(), err.read()
    if child.returncode == -signal.SIGKILL and wall >= limit:
        raise Failed(f"not done after {limit:.0f} s")
    if child.returncode:
        raise Failed(f"exit code {child.returncode}: {first_line(stderr or stdout)}")
    return Run(usage.ru_utime + usage.ru_stime, wall, stdout, stderr)


def first_line(text):
    return text.strip().split("\n")[0][:200]
