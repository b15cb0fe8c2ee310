# SPDX-License-Identifier: GPL-2.0-or-later
"""What a failed registration costs a real Kamailio with a user database: CPU time of its one UDP worker.

Three Kamailios are up at the same time and take the same wrong passwords in turns: without any defence, with
htable's counter, with authban's six lines and everything on. Every source has a /24 and a user of its own, so
nothing comes under watch and each attempt is evaluated.
"""
import os
import sys

import proxy

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, TESTS)

from lib.crowd import Crowd  # noqa: E402

proxies = proxy.proxies
ROUTES = ("plain", "htable", "authban")
SOURCES, ROUNDS, RATE = 400, 5, 1500
REALM = "sip.test"
ALLOCATORS = proxy.ALLOCATORS


class Registrar(proxy.Server):
    """A Kamailio that knows one user for each source."""

    def __init__(self, route, allocator, module):
        super().__init__(route, allocator, module)
        database = proxies.make_users(os.path.join(self.folder, "users.sqlite"),
                                      [("user%d" % n, "right") for n in range(SOURCES)], REALM)
        defines = {"LISTEN_UDP": "udp:127.0.0.1:%d" % self.port, "RPC_SOCKET": self.rpc_socket,
                   "AB_MODULE": module, "DBURL": "sqlite://" + str(database), "ROUTE_" + route.upper(): True}
        self.command = proxies.kamailio_command(
            os.path.join(proxy.BENCH, "register.cfg"), defines, ["-m", "256", "-M", "16", *ALLOCATORS[allocator]])

    def verify_fill(self):
        """Nobody is banned here."""


def attempts(server, members):
    """CPU nanoseconds of the worker for one wrong password, each followed by a new challenge."""
    server.idle(10)
    crowd = members[0].crowd
    before, asked = server.cpu_ns(), 0
    for _ in range(ROUNDS):
        statuses = crowd.ask(members, rate=RATE)
        if statuses.count(401) < 0.99 * len(members):
            raise proxies.StartError("%s answered %d of %d" % (server.route, statuses.count(401), len(members)))
        asked += len(members)
    server.idle(10)
    return (server.cpu_ns() - before) / asked


def phones(server):
    crowd = Crowd(("127.0.0.1", server.port))
    members = [crowd.member("127.%d.%d.9" % (100 + n // 250, n % 250), "user%d" % n, "wrong", domain=REALM)
               for n in range(SOURCES)]
    for member in members:
        member.crowd = crowd
    crowd.ask(members, rate=RATE)  # the first challenges
    return members


def measure(module, repeats, say):
    """{allocator: {route: {repeat: ns}}}"""
    result = {}
    processor = max(os.sched_getaffinity(0))
    for allocator in ALLOCATORS:
        servers = [Registrar(route, allocator, module) for route in ROUTES]
        try:
            for server in servers:
                server.start()
            for server in servers:
                server.ready(processor)
            members = {server.route: phones(server) for server in servers}
            for server in servers:
                attempts(server, members[server.route])  # warm
            costs = result[allocator] = {route: {} for route in ROUTES}
            for repeat in range(repeats):
                turn = repeat % len(servers)
                for server in servers[turn:] + servers[:turn]:
                    costs[server.route][repeat] = attempts(server, members[server.route])
            say("registrations: %s allocator" % allocator)
        finally:
            for server in servers:
                server.close()
    return result
