# SPDX-License-Identifier: GPL-2.0-or-later
"""Instructions of a real Kamailio's UDP worker for one datagram, by callgrind: the same on a noisy machine.

Kamailio runs in valgrind, a flood of N and a flood of 4 N datagrams in runs of their own; the difference is what
3 N datagrams need, without the start. The kernel's part is not in it.
"""
import concurrent.futures
import glob
import os
import re
import shutil
import time

import proxy
import register

proxies = proxy.proxies
ROUTES = {"fm": ("floor", "noop", "get", "inc", "idiom", "pike", "check", "early", "check_counted", "early_counted"),
          "default": ("noop", "idiom", "pike", "check", "early")}
SOURCES = 2000
DATAGRAMS = 1000  # N
RATE = 1000
PHONES, PHONE_RATE = 100, 80
ALLOCATORS = ("fm", "default")
AT_ONCE = 2
START_SECONDS = 90


class InCallgrind:
    """Before a kind of Server."""

    def wrap(self):
        self.command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=%s/cg.%%p" % self.folder,
                        "--log-file=%s/valgrind.%%p" % self.folder, *self.command]

    def ready(self, processor):
        proxies.wait_until(lambda: not self.process.alive() or proxies.rpc_answers(self.rpc_socket), START_SECONDS,
                           self.route + " answers in callgrind")
        super().ready(processor)

    def drain(self):
        proxies.wait_until(lambda: self._socket()[0] == 0, 60, self.route + " has read everything")
        self.idle(30, 0.2)

    def instructions(self):
        """All that the worker has needed; ends it."""
        self.process.stop(60)
        found = glob.glob("%s/cg.%d" % (self.folder, self.worker))
        proxies.wait_until(lambda: found and os.path.getsize(found[0]), 10, "callgrind's file")
        with open(found[0], encoding="utf-8", errors="replace") as text:
            return int(re.search(r"(?m)^(?:summary|totals): (\d+)", text.read()).group(1))


class Counted(InCallgrind, proxy.Server):
    """A Kamailio with one of proxy.cfg's routes."""

    def __init__(self, route, allocator, module):
        super().__init__(route, allocator, module, fill=SOURCES)
        self.wrap()


class CountedRegistrar(InCallgrind, register.Registrar):
    """The distribution's configuration, that turns away wrong passwords."""

    def __init__(self, route, allocator, module):
        super().__init__(route, allocator, module, "stock")
        self.wrap()


def _run(build, route, allocator, module, datagrams, processor):
    """(instructions, how many datagrams it took)."""
    server = Counted(route, allocator, module)
    step = proxy.STEP if route in proxy.COUNTED else 1
    flood = proxy.Flood("listed", proxy.LISTED, SOURCES, datagrams, step=step)
    sender = proxy.Sender(build, processor)
    try:
        server.start()
        server.ready(processor)
        sender.blast(server, flood, datagrams, RATE)
        server.drain()
        handled = datagrams - server.drops()
        if route in proxy.OURS and server.blocked() < handled:
            raise proxies.StartError("%s dropped %d of %d in callgrind" % (route, server.blocked(), handled))
        time.sleep(0.2)
        return server.instructions(), handled
    finally:
        server.close()


def of_route(build, route, allocator, module, processor):
    """Instructions a datagram."""
    (once, few), (more, many) = (_run(build, route, allocator, module, n, processor) for n in (DATAGRAMS, 4 * DATAGRAMS))
    if many - few < DATAGRAMS:
        raise proxies.StartError("%s took %d of %d datagrams in callgrind" % (route, many, 4 * DATAGRAMS))
    return (more - once) / (many - few)


def _attempts(route, allocator, module, rounds, processor):
    """(instructions, how many wrong passwords)."""
    server = CountedRegistrar(route, allocator, module)
    try:
        server.start()
        server.ready(processor)
        members = register.phones(server, PHONES, PHONE_RATE)
        asked = 0
        for _ in range(rounds):
            asked += members[0].crowd.ask(members, rate=PHONE_RATE, quiet=5).count(401)
        server.drain()
        return server.instructions(), asked
    finally:
        server.close()


def of_registration(route, allocator, module, processor):
    """Instructions of the worker for a wrong password and the next challenge."""
    (once, few), (more, many) = (_attempts(route, allocator, module, n, processor) for n in (1, 4))
    if many <= few:
        raise proxies.StartError("%s answers nobody in callgrind" % route)
    return (more - once) / (many - few)


def registrations(module, say):
    """{allocator: {route: instructions of a failed registration}}; None: valgrind is missing."""
    if not shutil.which("valgrind"):
        return None
    say("instructions of a failed registration")
    processors = sorted(os.sched_getaffinity(0))
    result = {}
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for allocator in ALLOCATORS:
            waiting = {route: pool.submit(of_registration, route, allocator, module, processors[n % len(processors)])
                       for n, route in enumerate(register.ROUTES)}
            result[allocator] = {route: future.result() for route, future in waiting.items()}
    return result


def measure(build, module, say):
    """{allocator: {route: instructions a datagram of one of SOURCES listed sources}}; None: valgrind is missing."""
    if not shutil.which("valgrind"):
        return None
    processors = sorted(os.sched_getaffinity(0))
    result = {}
    for allocator, routes in ROUTES.items():
        say("instructions of the whole proxy, %s allocator" % allocator)
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            waiting = {route: pool.submit(of_route, build, route, allocator, module, processors[n % len(processors)])
                       for n, route in enumerate(routes)}
            result[allocator] = {route: future.result() for route, future in waiting.items()}
    return result
