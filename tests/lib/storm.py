# SPDX-License-Identifier: GPL-2.0-or-later
"""Thousands of failed registrations a second, and how long honest phones wait meanwhile; storm.c sends them.

Every source has a network and a user of its own, so nothing comes under watch and each attempt is evaluated.
"""
import os
import subprocess
import time

from . import ROOT
from .crowd import Crowd
from .kamailio import Proxy, REALM, peer_config
from .sip import Phone
from .traffic import paced, percentile

SOURCES, MANY = 400, 10000
USERS = [("user%d" % n, "right") for n in range(SOURCES)] + [("bob", "bob-secret")]
RATE, HONEST_RATE = 5000, 100


def build(folder):
    """The program's path."""
    path = os.path.join(folder, "storm")
    subprocess.run([os.environ.get("CC", "cc"), "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-o", path,
                    os.path.join(ROOT, "tests", "lib", "storm.c")], check=True, timeout=60)
    return path


def guarded(**more):
    """A proxy with everything on that bans nobody."""
    return Proxy(users=USERS, defines={"AB_THRESHOLD": MANY}, children=2, memory=(128, 16), **more)


def plain(**more):
    """The same without any guard."""
    return Proxy(config=peer_config("plain"), users=USERS, children=2, memory=(128, 16), **more)


def requests(target):
    """For storm: each source with a challenge of its own."""
    with Crowd(target) as crowd:
        members = [crowd.member("127.%d.%d.9" % (100 + n // 250, n % 250), "user%d" % n, "wrong", domain=REALM)
                   for n in range(SOURCES)]
        assert crowd.ask(members, rate=1000, tries=3).count(401) == SOURCES
        data = b""
        for member in members:
            source, text, _ = member.request()
            data += b"%s %d\n%s" % (source.encode(), len(text), text)
        return data


class Storm:
    """`with Storm(program, proxy, count) as storm: ...`; then storm.sent, storm.refused, storm.others."""

    def __init__(self, program, data, target, count, rate=RATE):
        self.data = data
        self.child = subprocess.Popen([program, str(target[1]), str(rate), str(count)], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE)
        self.sent = self.refused = self.others = 0

    def __enter__(self):
        self.child.stdin.write(self.data)
        self.child.stdin.close()
        return self

    def __exit__(self, *_):
        out = self.child.stdout.read()
        self.child.stdout.close()
        if self.child.wait(10) == 0:
            self.sent, self.refused, self.others = map(int, out.split())


def waits(phone, seconds):
    """Seconds of each registration of an honest phone."""
    took = []
    for _ in paced(int(seconds * HONEST_RATE), HONEST_RATE):
        begin = time.monotonic()
        assert phone.register().status == 200
        took.append(time.monotonic() - begin)
    return took


class Side:
    """One proxy and what it has been through."""

    def __init__(self, node, program):
        self.node, self.program, self.data = node, program, requests(node.target)
        self.phone = Phone("bob", "bob-secret", node.target, source="127.99.1.1")
        self.quiet, self.loaded, self.sent, self.refused = [], [], 0, 0

    def turn(self, seconds, rate=RATE):
        """Quiet for a moment, then the storm."""
        self.quiet += waits(self.phone, seconds / 4)
        with Storm(self.program, self.data, self.node.target, int(seconds * rate), rate) as storm:
            self.loaded += waits(self.phone, seconds)
        self.sent += storm.sent
        self.refused += storm.refused

    def p99(self):
        """Milliseconds of the honest phone: (quiet, in the storm)."""
        return 1e3 * percentile(self.quiet, 0.99), 1e3 * percentile(self.loaded, 0.99)
