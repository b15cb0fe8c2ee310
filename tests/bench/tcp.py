# SPDX-License-Identifier: GPL-2.0-or-later
"""What a banned source's connections cost a real Kamailio: CPU time of all its processes, by the kernel's accounting.

A stream connection is accepted by Kamailio's main TCP process and read by a worker, before any script can look at
it. Connections of banned sources come one after the other; what differs is what the script does with a request.
"""
import os
import subprocess
import time

import proxy

proxies = proxy.proxies
ROUTES = ("noop", "idiom", "pike", "check")
OURS = ("check",)
RATE = 1000
TIMERS_NS = 200_000
# Requests in each connection: one, and as many as an attacker gets in until it is closed.
PATTERNS = {"one request": 1, "20 requests": 20}


class StreamServer(proxy.Server):
    """A Kamailio that takes TCP too, with one worker for it."""

    def __init__(self, route, allocator, module):
        super().__init__(route, allocator, module)
        self.port = proxies.free_port()
        defines = {"LISTEN_UDP": "udp:127.0.0.1:%d" % self.port, "LISTEN_TCP": "tcp:127.0.0.1:%d" % self.port,
                   "RPC_SOCKET": self.rpc_socket, "AB_MODULE": module, "FILL": proxy.SOURCES,
                   "ROUTE_" + route.upper(): True, "WITH_TCP": True}
        self.command = proxies.kamailio_command(
            os.path.join(proxy.BENCH, "proxy.cfg"), defines,
            ["-m", "512", "-M", "16", *proxy.ALLOCATORS[allocator]])
        self.all = []

    def ready(self, processor):
        super().ready(processor)
        rows = proxies.rpc_call(self.rpc_socket, "core.psx")
        self.all = [row["PID"] for row in rows]
        # the others have timers of their own and do not come to rest
        self.streams = [row["PID"] for row in rows if row["DSC"].startswith("tcp")]
        for pid in self.streams:
            os.sched_setaffinity(pid, {processor})

    def verify_fill(self):
        if self.route in OURS:
            banned = proxies.rpc_call(self.rpc_socket, "authban.status", timeout=10)["banned"]
            if banned < 0.999 * proxy.SOURCES:
                raise proxies.StartError("%s: %d sources are banned" % (self.route, banned))

    def schedstat(self):
        """Of all processes, as soon as there is more than the UDP worker."""
        if not self.all:
            return super().schedstat()
        return sum_of(self.all)

    def cpu_ns(self):
        return sum_of(self.streams)[0] if self.all else super().cpu_ns()

    def blocked(self):
        if self.route not in OURS:
            return 0
        return int(proxies.rpc_call(self.rpc_socket, "cnt.grp_get_all", ["authban"])["blocked"])

    def idle(self, seconds, pause=0.1):
        """The main TCP process never rests altogether: its timers are not waited for."""
        deadline, last = time.monotonic() + seconds, 0
        while self.cpu_ns() - last > TIMERS_NS:
            last = self.cpu_ns()
            if time.monotonic() > deadline:
                raise proxies.StartError(self.route + " does not come to rest")
            time.sleep(pause)


def sum_of(pids):
    """Nanoseconds (on a processor, waiting for one)."""
    total = [0, 0]
    for pid in pids:
        with open("/proc/%d/schedstat" % pid, encoding="ascii") as text:
            for n, word in enumerate(text.read().split()[:2]):
                total[n] += int(word)
    return total


class Knocker:
    """Connections to servers in turn, each source once before any comes again."""

    def __init__(self, build):
        self.program, self.sent = os.path.join(build, "knock"), {}
        self.processor = max(os.sched_getaffinity(0))

    def knock(self, server, requests, count):
        """(connections, requests) that there were."""
        begin = self.sent.get(server.route, 0)
        self.sent[server.route] = begin + count
        arguments = [server.port, proxy.LISTED, proxy.SOURCES, begin, count, RATE, self.processor, requests]
        done = subprocess.run([self.program, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=120, check=True)
        return tuple(map(int, done.stdout.split()))

    def cost(self, server, requests, count):
        """CPU nanoseconds a connection, of all processes, and how many requests each got rid of."""
        server.idle(20, 0.05)
        before, blocked = server.schedstat(), server.blocked()
        connected, sent = self.knock(server, requests, count)
        server.idle(20, 0.05)
        cpu = server.schedstat()[0] - before[0]
        if connected < count:
            raise proxies.StartError("%s: %d of %d connections" % (server.route, connected, count))
        if server.route in OURS and server.blocked() - blocked < 0.99 * count:
            raise proxies.StartError("%s blocked %d of %d" % (server.route, server.blocked() - blocked, count))
        return cpu / count, sent / count


def measure_one(build, allocator, module, repeats, count):
    """{pattern: {route: {repeat: (ns, requests)}}} of one allocator."""
    servers = [StreamServer(route, allocator, module) for route in ROUTES]
    costs = {pattern: {route: {} for route in ROUTES} for pattern in PATTERNS}
    knocker = Knocker(build)
    try:
        for server in servers:
            server.start()
        for server in servers:
            server.ready(min(os.sched_getaffinity(0)))
            knocker.knock(server, 1, 100)
        for repeat in range(repeats):
            turn = repeat % len(servers)
            for pattern, requests in PATTERNS.items():
                for server in servers[turn:] + servers[:turn]:
                    some = count if requests == 1 else count // 10
                    costs[pattern][server.route][repeat] = knocker.cost(server, requests, some)
    finally:
        for server in servers:
            server.close()
    return costs


def measure(build, module, repeats, short, say):
    """{allocator: {pattern: {route: {repeat: (ns, requests)}}}}"""
    result = {}
    for allocator in ("fm",) if short else proxy.ALLOCATORS:
        say("tcp: %s allocator" % allocator)
        result[allocator] = measure_one(build, allocator, module, repeats, 300 if short else 500)
    return result
