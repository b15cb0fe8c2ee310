# SPDX-License-Identifier: GPL-2.0-or-later
"""What a datagram costs a real Kamailio: CPU time of its one UDP worker, by the kernel's own accounting.

One Kamailio for each route is up at the same time; within a repeat the same flood goes to one after the other.
"""
import os
import socket
import subprocess
import sys
import time

BENCH = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(BENCH)), "scripts"))

import proxies  # noqa: E402

ROUTES = ("noop", "get", "inc", "idiom", "pike", "check", "early")
# The same two where each source was banned by counting his failures, not by an operator.
COUNTED = ("check_counted", "early_counted")
OURS = ("check", "early", *COUNTED)
# What nothing can do without: the system call; and the module that drops everything.
FLOORS = ("recvfrom", "recvmsg", "floor")
# -x fm: Kamailio's fast allocators; none: the one that the distribution builds in (qm).
ALLOCATORS = {"fm": ("-x", "fm", "-X", "fm"), "default": ()}
LISTED, UNLISTED = "127.16.0.0", "127.64.0.0"
SOURCES = 100_000
STEP = 80  # between two sources that were counted: no network of theirs comes under watch
RATE = 20_000
WARM_UP_RATE = 50_000
# A worker that waited for its processor longer than this part of its own time is measured again.
DISTURBED = 0.15
TRIES = 3
SPARE = {False: 40.0, True: 5.0}  # seconds for all repetitions with one allocator; True: short


class Flood:
    """Who sends: name, first address, how many addresses, datagrams of a run, which routes, addresses' distance."""

    def __init__(self, name, first, sources, datagrams, routes=ROUTES, step=1):
        self.name, self.first, self.sources = name, first, sources
        self.datagrams, self.routes, self.step = datagrams, routes, step


def floods(short, allocator):
    part = 2 if short else 1
    more = FLOORS if allocator == "fm" else ("floor",)
    found = [Flood("one banned", "127.16.0.1", 1, 14_000 // part, ROUTES + more),
             Flood("100k banned", LISTED, SOURCES, 14_000 // part, ROUTES + more),
             Flood("100k banned by failures", LISTED, SOURCES, 14_000 // part, ("noop", *COUNTED), STEP)]
    if not short:
        # pike knows no banned sources, so strangers are what it had before
        found.append(Flood("100k unknown", UNLISTED, SOURCES, 10_000,
                           tuple(route for route in ROUTES if route != "pike")))
    return found


def free_udp_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Server:
    """A Kamailio with one route."""

    def __init__(self, route, allocator, module, fill=SOURCES):
        self.route, self.allocator, self.fill = route, allocator, fill
        self.folder = proxies.private_folder("bench")
        self.rpc_socket = os.path.join(self.folder, "rpc")
        self.port = free_udp_port()
        self.log_path = os.path.join(self.folder, "log")
        defines = {"LISTEN_UDP": "udp:127.0.0.1:%d" % self.port, "RPC_SOCKET": self.rpc_socket,
                   "AB_MODULE": module, "FILL": fill,
                   "FLOOR_MODULE": os.path.join(os.path.dirname(module), "bench", "floor_module.so"),
                   "ROUTE_" + route.upper(): True}
        self.command = proxies.kamailio_command(
            os.path.join(BENCH, "proxy.cfg"), defines, ["-m", "512", "-M", "16", *ALLOCATORS[allocator]])
        self.process = self.worker = None

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return path

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = proxies.Process(self.command, self.route, stdout=log, stderr=log,
                                           folder=self.folder)

    def ready(self, processor):
        """Wait until it answers and its fill is over; pin the worker."""
        proxies.wait_until(lambda: not self.process.alive() or proxies.rpc_answers(self.rpc_socket), 30,
                           self.route + " answers")
        if not self.process.alive():
            raise proxies.StartError("%s ended: %s" % (self.route, self.log()[-1500:]))
        processes = {row["PID"]: row["DSC"] for row in proxies.rpc_call(self.rpc_socket, "core.psx")}
        self.worker = next(pid for pid, name in processes.items() if name.startswith("udp receiver"))
        if self.fill:
            proxies.wait_until(lambda: "sources are listed" in self.log(), 60, self.route + " has its sources")
        self.idle(30)
        self.verify_fill()
        os.sched_setaffinity(self.worker, {processor})

    def idle(self, seconds, pause=0.1):
        """Wait until the worker has nothing to do."""
        deadline, last = time.monotonic() + seconds, -1
        while self.cpu_ns() != last:
            last = self.cpu_ns()
            if time.monotonic() > deadline:
                raise proxies.StartError(self.route + " does not come to rest")
            time.sleep(pause)

    def verify_fill(self):
        if self.route in OURS:
            banned = proxies.rpc_call(self.rpc_socket, "authban.status", timeout=10)["banned"]
            # a few can find no place in a table of buckets; the memory benchmark counts them
            if banned < 0.999 * self.fill:
                raise proxies.StartError("%s: %d of %d sources are banned" % (self.route, banned, self.fill))

    def schedstat(self):
        """Nanoseconds (on a processor, waiting for one)."""
        with open("/proc/%d/schedstat" % self.worker, encoding="ascii") as text:
            return tuple(map(int, text.read().split()[:2]))

    def cpu_ns(self):
        return self.schedstat()[0]

    def _socket(self):
        """(bytes waiting, datagrams dropped) of our socket."""
        place = "0100007F:%04X" % self.port
        with open("/proc/net/udp", encoding="ascii") as text:
            for line in text:
                words = line.split()
                if words[1] == place:
                    return int(words[4].split(":")[1], 16), int(words[-1])
        raise proxies.StartError(self.route + " has no socket")

    def drops(self):
        return self._socket()[1]

    def drain(self):
        proxies.wait_until(lambda: self._socket()[0] == 0, 10, self.route + " has read everything")
        self.idle(5, 0.02)

    def blocked(self):
        """Datagrams that authban dropped so far."""
        if self.route not in OURS:
            return 0
        return int(proxies.rpc_call(self.rpc_socket, "cnt.grp_get_all", ["authban"])["blocked"])

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as text:
            return text.read()

    def close(self):
        if self.process and self.process.alive():
            self.process.stop()
        proxies.remove_folder(self.folder)


class Receiver(Server):
    """receiver.c in the place of a Kamailio: the system call alone."""

    def __init__(self, route, allocator, module):
        super().__init__(route, allocator, module)
        self.command = [os.path.join(os.path.dirname(module), "bench", "receiver"), str(self.port), route]

    def ready(self, processor):
        self.worker = self.process.pid
        proxies.wait_until(self.has_socket, 5, self.route + " has a socket")
        os.sched_setaffinity(self.worker, {processor})

    def has_socket(self):
        try:
            return self.drops() == 0
        except proxies.StartError:
            return False


class Sender:
    """Floods to servers; each goes on where the last one of its name stopped."""

    def __init__(self, build, processor):
        self.program, self.processor, self.sent = os.path.join(build, "blast"), processor, {}

    def blast(self, server, flood, count, rate):
        """Returns how many went out."""
        key = server.route, flood.name
        begin = self.sent.get(key, 0)
        self.sent[key] = (begin + count) % (1 << 29)
        arguments = [server.port, flood.first, flood.sources, begin, count, rate, self.processor, flood.step]
        done = subprocess.run([self.program, *map(str, arguments)], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60, check=True)
        return int(done.stdout.split()[0])


class Bench:
    """All routes with one allocator."""

    def __init__(self, build, allocator, module, spare):
        self.spare = spare
        processors = sorted(os.sched_getaffinity(0))
        self.processor = processors[0]
        self.sender = Sender(build, processors[-1])
        kinds = dict.fromkeys(ROUTES + COUNTED + ("floor",), Server)
        if allocator == "fm":
            kinds.update(recvfrom=Receiver, recvmsg=Receiver)
        self.servers = {route: kind(route, allocator, module) for route, kind in kinds.items()}

    def __enter__(self):
        try:
            for server in self.servers.values():
                server.start()
            for server in self.servers.values():
                server.ready(self.processor)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for server in self.servers.values():
            server.close()

    def warm_up(self, found):
        """What a route keeps of each source is made before it is measured."""
        for flood in found:
            for route in flood.routes:
                count = SOURCES if route in ("inc", "pike") and flood.sources > 1 else 2000
                self.sender.blast(self.servers[route], flood, count, WARM_UP_RATE)
                self.servers[route].drain()

    def run_once(self, server, flood):
        """(CPU nanoseconds a datagram, part of the datagrams that were lost, part of the time that it waited)."""
        (cpu, waited), drops, blocked = server.schedstat(), server.drops(), server.blocked()
        sent = self.sender.blast(server, flood, flood.datagrams, RATE)
        server.drain()
        cpu, waited = (after - before for after, before in zip(server.schedstat(), (cpu, waited)))
        lost = server.drops() - drops
        handled = max(sent - lost, 1)
        if server.route in OURS and "unknown" not in flood.name:
            share = (server.blocked() - blocked) / handled
            if share < 0.99:
                raise proxies.StartError("%s blocked only %.3f of %s" % (server.route, share, flood.name))
        return cpu / handled, lost / max(sent, 1), waited / max(cpu, 1)

    def run(self, server, flood):
        """The least disturbed of a few runs."""
        tried = []
        for _ in range(TRIES):
            begin = time.monotonic()
            tried.append(self.run_once(server, flood))
            if (tried[-1][1] == 0 and tried[-1][2] < DISTURBED) or self.spare < 0:
                break
            self.spare -= time.monotonic() - begin
        return min(tried, key=lambda run: run[1] + run[2])


def measure(build, module, repeats, short, say):
    """{allocator: {flood: {route: {repeat: (ns, lost, waited)}}}}"""
    result = {}
    for allocator in ALLOCATORS:
        found = floods(short, allocator)
        say("proxy: %s allocator" % allocator)
        with Bench(build, allocator, module, SPARE[short]) as bench:
            bench.warm_up(found)
            costs = result[allocator] = {flood.name: {route: {} for route in flood.routes} for flood in found}
            for repeat in range(repeats):
                for flood in found:
                    turn = repeat % len(flood.routes)
                    for route in flood.routes[turn:] + flood.routes[:turn]:
                        costs[flood.name][route][repeat] = bench.run(bench.servers[route], flood)
                say("proxy: %s, repeat %d of %d" % (allocator, repeat + 1, repeats))
    return result
