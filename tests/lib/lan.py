# SPDX-License-Identifier: GPL-2.0-or-later
"""A small network of the test's own: one host for proxies, one for attackers, one for phones."""
import contextlib
import itertools

from .kamailio import Proxy
from .netns import Net
from .sip import Guesser, Phone

PROXY = "10.78.0.1"
FIRST_PORT = 5060


class Lan:
    """`with Lan() as lan: proxy = lan.proxy(AB_THRESHOLD=5); lan.guesser(proxy).guess()`.

    Every guesser and phone gets a source address that nobody had before, so that many tests can share
    one proxy. The addresses are no loopback ones: those may be on an allow-list.
    """

    def __init__(self, attackers=100, phones=50):
        self.attackers = ["10.78.1.%d" % n for n in range(1, attackers + 1)]
        self.phones = ["10.78.2.%d" % n for n in range(1, phones + 1)]
        self.net = Net({"proxy": [PROXY + "/16"], "attacker": [], "phone": []})
        self.ports = itertools.count(FIRST_PORT)
        self.open = []

    def __enter__(self):
        self.net.__enter__()
        self.net.add_addresses("attacker", [address + "/16" for address in self.attackers])
        self.net.add_addresses("phone", [address + "/16" for address in self.phones])
        self.free_attackers, self.free_phones = iter(self.attackers), iter(self.phones)
        return self

    def __exit__(self, *_):
        try:
            with contextlib.ExitStack() as stack:
                for thing in self.open:
                    stack.callback(_end, thing)
        finally:
            self.net.close()

    def keep(self, thing):
        """Closes it at the end."""
        self.open.append(thing)
        return thing

    def proxy(self, start=True, settings=None, **defines):
        """A proxy on a port of its own; defines of the configuration, settings of Proxy."""
        made = Proxy(host=PROXY, port=next(self.ports), netns=self.net["proxy"], defines=defines,
                     **(settings or {}))
        self.keep(made)
        return made.start() if start else made

    def attacker_address(self):
        return next(self.free_attackers)

    def phone_address(self):
        return next(self.free_phones)

    def guesser(self, proxy, user="alice", source=None, **more):
        """An attacker; it waits long for an answer, so silence is meant."""
        more.setdefault("timeout", 1.5)
        return self.keep(Guesser(user, proxy.target, source=source or self.attacker_address(),
                                  netns=self.net["attacker"], **more))

    def phone(self, proxy, user="bob", password=None, source=None, kind=Phone, host="phone", **more):
        """An honest phone; host="attacker" with a guesser's address: the attacker's own account."""
        more.setdefault("timeout", 6.0)
        return self.keep(kind(user, password or user + "-secret", proxy.target,
                               source=source or self.phone_address(), netns=self.net[host], **more))


def _end(thing):
    """A proxy must stop in good order, and does so sooner than when it is killed."""
    try:
        if isinstance(thing, Proxy):
            thing.end()
    finally:
        thing.close()


def address_of(sender):
    """The source address of a guesser or phone."""
    return sender.link.local[0]


def counted(proxy):
    """What an honest phone must never change."""
    now = proxy.authban()
    return {name: now[name] for name in ("failures", "bans", "blocked", "malformed", "entries")}
