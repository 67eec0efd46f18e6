"""The origins: our responder and nginx. Each is started on the core that this process is pinned to, and tells its counts."""
import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

from harness.contenders import RELEASE
from harness.running import Failed

WITHIN = 10  # seconds that an origin has to start, or to see that a client is gone


class Responder:
    name = "responder"

    def __init__(self, scratch):
        self.ca = str(scratch / "ca.pem")
        command = [str(RELEASE / "responder"), self.ca]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ports = json.loads(self.process.stdout.readline())

    def counts(self):
        """Since its start: connections, requests, handshakes, processor time; and the connections open now."""
        return self.told("")

    def forget_times(self):
        self.told("forget times")

    def told(self, line):
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait(WITHIN)


CONFIGURATION = """
daemon off; worker_processes 1; pid {scratch}/nginx.pid; error_log {scratch}/nginx.log;
events {{ worker_connections 4096; }}
http {{
    access_log off; keepalive_requests 1000000000; open_file_cache max=10; default_type text/plain;
    client_body_temp_path {scratch}/t1; proxy_temp_path {scratch}/t2; fastcgi_temp_path {scratch}/t3;
    uwsgi_temp_path {scratch}/t4; scgi_temp_path {scratch}/t5;
    server {{ listen 127.0.0.1:{h1}; root {scratch}/www; location = /counts {{ stub_status; }} }}
    server {{ listen 127.0.0.1:{h2c} http2; root {scratch}/www; }}
}}
"""


class Nginx:
    name = "nginx"
    ca = ""

    def __init__(self, scratch):
        scratch = scratch / "nginx"
        (scratch / "www").mkdir(parents=True)
        (scratch / "www/1k").write_bytes(b"x" * 1024)
        os.chmod(scratch.parent, 0o755)
        self.ports = {name: free_port() for name in ("h1", "h2c")}
        self.own = 0  # requests of ours, which it counts too
        configuration = scratch / "nginx.conf"
        configuration.write_text(CONFIGURATION.format(scratch=scratch, **self.ports))
        command = [find_nginx(), "-c", str(configuration), "-e", str(scratch / "nginx.log")]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        wait_for(self.ports["h1"])

    def counts(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports['h1']}/counts", timeout=WITHIN) as response:
            text = response.read().decode()
        self.own += 1
        accepted, _, requests = map(int, re.search(r"(\d+) (\d+) (\d+)", text).groups())
        open_now = int(re.search(r"Active connections: (\d+)", text)[1]) - 1
        return {"open": open_now, "connections": accepted - self.own, "requests": requests - self.own}

    def forget_times(self):
        """It knows none."""

    def close(self):
        self.process.terminate()
        self.process.wait(WITHIN)


def settled(origin):
    """The counts once the client before is gone: what it had asked for last may still have to be counted."""
    until = time.monotonic() + WITHIN
    while (counts := origin.counts())["open"] > 0:
        if time.monotonic() > until:
            raise Failed(f"{counts['open']} connections were left open")
        time.sleep(0.001)
    return counts


def find_nginx():
    return shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(port):
    until = time.monotonic() + WITHIN
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise SystemExit(f"nothing listens on port {port} after {WITHIN} s")
