# SPDX-License-Identifier: GPL-2.0-or-later
"""Proxies that reach their Redis over a network that the test can cut, slow down or lose packets in."""
import contextlib

from .fleet import make_proxy, wait_connected
from .redis import Redis
from .slow import SlowNet

REDIS, OTHER = "10.79.0.100", "10.79.0.200"
PREFIX = "/24"


def address(number):
    """Of the host of node-NUMBER."""
    return "10.79.0.%d" % number


class Far:
    """`with Far(2) as far: far.redis, far.nodes, far.cut("redis")`.

    Each proxy has a namespace and listens on its loopback, so phones and attackers, who are there too, never
    use the network to Redis: only the sync process does. host: "redis", 1, 2, ... of the proxies, or "other",
    where nobody is yet.
    """

    def __init__(self, count=2, hosts=None, **settings):
        hosts = {str(number): [address(number) + PREFIX] for number in range(1, (hosts or count) + 1)}
        self.net = SlowNet(dict(hosts, redis=[REDIS + PREFIX], other=[OTHER + PREFIX]))
        self.count, self.settings, self.stack = count, settings, contextlib.ExitStack()
        self.nodes = []

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.net)
            self.redis = stack.enter_context(Redis(password="of-the-test", netns=self.net["redis"], host=REDIS))
            self.nodes = [stack.enter_context(self.proxy(number)) for number in range(1, self.count + 1)]
            for node in self.nodes:
                wait_connected(node)
            self.stack = stack.pop_all()
        return self

    def proxy(self, number, host=None, **more):
        """Not started; on the host of that number."""
        settings = dict(self.settings, **more)
        return make_proxy(self.redis, number, netns=self.net[str(host or number)], **settings)

    def slow(self, host, **rule):
        """What leaves this host: see SlowNet.rule()."""
        self.net.rule(str(host), **rule)

    def cut(self, *hosts):
        """Nothing leaves these hosts, and nobody is told."""
        for host in hosts:
            self.slow(host, loss=1.0)

    def heal(self, *hosts):
        for host in hosts:
            self.slow(host)

    def __exit__(self, *_):
        self.stack.close()
