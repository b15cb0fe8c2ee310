# SPDX-License-Identifier: GPL-2.0-or-later
"""What a failed registration costs a real Kamailio with a user database: CPU time of its one UDP worker.

Three Kamailios are up at the same time and take the same wrong passwords in turns: without any defence, with
htable's counter, with authban's six lines and everything on; the distribution's own kamailio.cfg with WITH_AUTH
(`stock`), and the shortest route that authenticates (`short`). Every source has a /24 and a user of its own, so
nothing comes under watch and each attempt is evaluated.
"""
import os
import sys

import proxy

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, TESTS)

from lib import stock  # noqa: E402
from lib.crowd import Crowd  # noqa: E402

proxies = proxy.proxies
ROUTES = ("plain", "htable", "authban")
CONFIGS = ("stock", "short")
# Many short turns: the machine is noisy, and neighbours in time see the same noise.
SOURCES, ROUNDS, RATE, TURNS = 400, 2, 1500, 2
REALM = "sip.test"
ALLOCATORS = proxy.ALLOCATORS


HTABLE_SETTINGS = """
loadmodule "htable.so"
modparam("htable", "htable", "ipban=>size=17;initval=0;autoexpire=600;")
"""
HTABLE_FIRST = """
	if ($sht(ipban=>$si) > 1000000) { exit; }
"""
HTABLE_AUTH = """
		if (!auth_check("$fd", "subscriber", "1")) {
			if ($rc == -2 || $rc == -3) { $var(count) = $shtinc(ipban=>$si); }
			auth_challenge("$fd", "0");
			exit;
		}
"""
MANY = 10000  # nobody is to be banned: it is the counting that is measured


def stock_config(route):
    text = stock.stock_text()
    if route == "authban":
        text = stock.with_authban(text)
    if route == "htable":
        text = stock.first_in_route(stock.behind_modparams(text, HTABLE_SETTINGS), HTABLE_FIRST)
        text = stock.instead_of_check(text, HTABLE_AUTH)
    return text + stock.SOCKETS


class Registrar(proxy.Server):
    """A Kamailio that knows one user for each source."""

    def __init__(self, route, allocator, module, config="short"):
        super().__init__(route, allocator, module, fill=0)
        database = proxies.make_users(os.path.join(self.folder, "users.sqlite"),
                                      [("user%d" % n, "right") for n in range(SOURCES)], REALM)
        defines = {"LISTEN_UDP": "udp:127.0.0.1:%d" % self.port, "RPC_SOCKET": self.rpc_socket}
        path = os.path.join(proxy.BENCH, "register.cfg")
        if config == "stock":
            path = self.write_stock(route, module, "sqlite://" + str(database))
            defines.update(CTL_SOCKET="unix:" + os.path.join(self.folder, "ctl"), ALIAS=REALM)
        else:
            defines.update({"AB_MODULE": module, "DBURL": "sqlite://" + str(database),
                            "ROUTE_" + route.upper(): True})
        self.command = proxies.kamailio_command(
            path, defines, ["-n", "1", "-m", "256", "-M", "16", *ALLOCATORS[allocator]])

    def write_stock(self, route, module, database):
        # it stores hashes, as most sites do
        more = 'modparam("auth_db", "password_column", "ha1")'
        text = stock.substitute(r'modparam\("auth_db", "calculate_ha1", yes\)\n', lambda _: "", stock_config(route))
        text = stock.substitute(r'modparam\("auth_db", "password_column", "password"\)\n', lambda _: more + "\n", text)
        self.write("kamailio-local.cfg", stock.LOCAL % {"url": database, "more": ""})
        self.write("authban.cfg", stock.substitute(r'"threshold", 8', lambda _: '"threshold", %d' % MANY,
                                                   stock.include_text(module)))
        return self.write("kamailio.cfg", text)

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


def phones(server, count=SOURCES, rate=RATE):
    """Attackers with a challenge each."""
    crowd = Crowd(("127.0.0.1", server.port))
    members = [crowd.member("127.%d.%d.9" % (100 + n // 250, n % 250), "user%d" % n, "wrong", domain=REALM)
               for n in range(count)]
    for member in members:
        member.crowd = crowd
    crowd.ask(members, rate=rate, quiet=5)  # the first challenges
    return members


def measure_one(config, allocator, module, repeats):
    """{route: {repeat: ns}} of one configuration with one allocator."""
    servers = [Registrar(route, allocator, module, config) for route in ROUTES]
    costs = {route: {} for route in ROUTES}
    try:
        for server in servers:
            server.start()
        for server in servers:
            server.ready(max(os.sched_getaffinity(0)))
        members = {server.route: phones(server) for server in servers}
        for server in servers:
            attempts(server, members[server.route])  # warm
        for repeat in range(repeats * TURNS):
            turn = repeat % len(servers)
            for server in servers[turn:] + servers[:turn]:
                costs[server.route][repeat] = attempts(server, members[server.route])
    finally:
        for server in servers:
            server.close()
    return costs


def measure(module, repeats, say):
    """{(config, allocator): {route: {repeat: ns}}}"""
    result = {}
    for config in CONFIGS:
        for allocator in ALLOCATORS:
            result[config, allocator] = measure_one(config, allocator, module, repeats)
            say("registrations: %s configuration, %s allocator" % (config, allocator))
    return result
