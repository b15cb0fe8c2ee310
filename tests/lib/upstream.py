# SPDX-License-Identifier: GPL-2.0-or-later
"""A registrar behind proxies that check no password themselves (tests/sip/upstream.cfg)."""
import contextlib
import os

from . import ROOT
from .lan import PROXY
from .registrar import Registrar

CONFIG = os.path.join(ROOT, "tests", "sip", "upstream.cfg")
THRESHOLD = 5


class Site:
    """`with Site(lan) as site: proxy = site.proxy(); site.registrar.life = 1; site.told("what")`.

    Proxies with the same settings are one. new_test(): the registrar is as at its start, and all
    numbers of now() and told() begin at 0.
    """

    def __init__(self, lan):
        self.lan, self.stack, self.proxies, self.before = lan, contextlib.ExitStack(), {}, {}
        self.registrar = Registrar((PROXY, 0), netns=lan.net["proxy"])
        self.other = Registrar((PROXY, 0), netns=lan.net["proxy"])

    def __enter__(self):
        self.stack.enter_context(self.registrar)
        self.stack.enter_context(self.other)
        return self

    def __exit__(self, *_):
        self.stack.close()

    def proxy(self, new=False, settings=None, **defines):
        """new: one that no other test has."""
        key = None if new else repr(sorted(defines.items()))
        if key not in self.proxies or new:
            made = self.lan.proxy(settings=dict({"config": CONFIG}, **(settings or {})), **dict(
                {"UPSTREAM": self.registrar.uri, "AB_THRESHOLD": THRESHOLD}, **defines))
            self.proxies[key] = made
        proxy = self.proxies[key]
        self.before[proxy] = proxy.authban()
        return proxy

    def new_test(self):
        self.registrar.reset()
        self.other.reset()
        return self

    def now(self, proxy):
        """The counters since the test asked for the proxy."""
        return {name: value - self.before[proxy][name] for name, value in proxy.authban().items()}

    def told(self, proxy, what):
        now = self.now(proxy)
        print("\nupstream %s: evaluated=%d accepted=%d %s" % (
            what, self.registrar.evaluated, self.registrar.accepted, " ".join("%s=%d" % (name, now[name]) for name in (
                "failures", "successes", "unproven", "expired_nonces", "entries", "banned"))))
        return now
