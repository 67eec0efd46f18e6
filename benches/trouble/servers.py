"""The servers: nginx, unbound, sockets that nobody reads, hosts that drop every packet, a name server that takes its time."""
import contextlib
import heapq
import os
import socket
import subprocess
import threading
import time
from dataclasses import dataclass

NGINX = """
daemon off; worker_processes 1; pid {scratch}/nginx.pid; error_log {scratch}/nginx.log crit;
events {{ worker_connections 8192; }}
http {{
    access_log off; default_type text/plain; reset_timedout_connection on; keepalive_requests 1000000;
    client_body_temp_path {scratch}/t1; proxy_temp_path {scratch}/t2; fastcgi_temp_path {scratch}/t3;
    uwsgi_temp_path {scratch}/t4; scgi_temp_path {scratch}/t5;
    split_clients $request_id $chance {{ 10% 500; 5% 503; 5% 444; * 200; }}
    limit_req_zone $server_port zone=one:1m rate=1r/s;
    limit_req_zone $server_port zone=two:1m rate=2r/s;
    limit_req_zone $server_port zone=twenty:1m rate=20r/s;
    limit_req_zone $server_port zone=bursts:1m rate=20r/s;
    limit_req_zone $server_port zone=told:1m rate=20r/s;
    server {{
        listen {port} backlog=4096;
        location /page/ {{ return 200 "a page\\n"; }}
        location /bad/503/ {{ return 503; }}
        location /bad/502/ {{ return 502; }}
        location /bad/reset/ {{ return 444; }}
        location /one/ {{ limit_req zone=one; try_files /none @page; }}
        location /two/ {{ limit_req zone=two; try_files /none @page; }}
        location /twenty/ {{ limit_req zone=twenty; try_files /none @page; }}
        location /bursts/ {{ limit_req zone=bursts burst=20 nodelay; try_files /none @page; }}
        location /told/ {{ limit_req zone=told; limit_req_status 429; try_files /none @page; }}
        location @page {{ return 200 "a page\\n"; }}
        location /chance/ {{
            if ($chance = 500) {{ return 500; }}
            if ($chance = 503) {{ return 503; }}
            if ($chance = 444) {{ return 444; }}
            return 200 "a page\\n";
        }}
    }}
}}
"""

UNBOUND = """
server:
    directory: "{scratch}"
    chroot: ""
    username: ""
    pidfile: ""
    use-syslog: no
    logfile: "{scratch}/unbound.log"
    do-daemonize: no
    interface: 127.0.0.1@{port}
    access-control: 127.0.0.0/8 allow
    local-zone: "test." redirect
    local-data: "test. 60 IN A 127.0.0.1"
"""

PORTS = {"nginx": 8080, "silent": 8081, "unbound": 5300, "slow_dns": 5301}
HOLES = "127.66.0.0/16"
SLOW_NAMES = 6  # seconds


@dataclass
class Ports:
    nginx: int
    silent: int
    unbound: int
    slow_dns: int


@contextlib.contextmanager
def all_of_them(scratch):
    run("ip", "link", "set", "lo", "up")
    run("iptables", "-A", "INPUT", "-d", HOLES, "-j", "DROP")
    ports = Ports(**PORTS)
    os.chmod(scratch, 0o755)
    (scratch / "nginx.conf").write_text(NGINX.format(scratch=scratch, port=ports.nginx))
    (scratch / "unbound.conf").write_text(UNBOUND.format(scratch=scratch, port=ports.unbound))
    started = [
        spawn("nginx", "-c", scratch / "nginx.conf", "-e", scratch / "nginx.log"),
        spawn("unbound", "-c", scratch / "unbound.conf"),
    ]
    silent = socket.create_server(("0.0.0.0", ports.silent), backlog=4096)
    threading.Thread(target=answer_names_late, args=(ports.slow_dns,), daemon=True).start()
    try:
        wait_for(ports.nginx)
        yield ports
    finally:
        silent.close()
        for process in started:
            process.terminate()
            process.wait(10)


def run(*command):
    subprocess.run(command, check=True, env=with_sbin())


def spawn(*command):
    return subprocess.Popen([str(word) for word in command], env=with_sbin(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def with_sbin():
    return os.environ | {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}


def wait_for(port):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise SystemExit(f"nothing listens on port {port}")


def answer_names_late(port):
    """Says 127.0.0.1 of every name, so many seconds after it was asked."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", port))
    due = []
    while True:
        server.settimeout(max(0.001, due[0][0] - time.monotonic()) if due else None)
        with contextlib.suppress(TimeoutError):
            question, client = server.recvfrom(4096)
            heapq.heappush(due, (time.monotonic() + SLOW_NAMES, question, client))
        while due and due[0][0] <= time.monotonic():
            _, question, client = heapq.heappop(due)
            server.sendto(answer(question), client)


def answer(question):
    end = question.index(b"\0", 12) + 5  # behind the name, its type and its class
    is_ipv4 = question[end - 4:end - 2] == b"\0\1"
    head = question[:2] + b"\x81\x80" + b"\0\1" + (b"\0\1" if is_ipv4 else b"\0\0") + b"\0\0\0\0"
    record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + bytes([127, 0, 0, 1])
    return head + question[12:end] + (record if is_ipv4 else b"")
