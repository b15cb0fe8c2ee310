# SPDX-License-Identifier: GPL-2.0-or-later
"""A Redis and several proxies on it, and what the tests of the cluster ask them."""
import contextlib
import os
import time

from .kamailio import Proxy
from .redis import Redis
from .wait import wait_for
import proxies as tools

THRESHOLD = 5


def cluster_key(redis):
    """A key file in Redis's private folder."""
    path = os.path.join(redis.folder, "cluster-key")
    return path if os.path.exists(path) else tools.write_secret(path)


def make_proxy(redis, number, threshold=THRESHOLD, key=True, url=None, **settings):
    """node-NUMBER, not started; url: instead of Redis's own, "": stand alone."""
    defines = dict({"AB_THRESHOLD": threshold}, **settings.pop("defines", {}))
    return Proxy(node="node-%d" % number, redis=redis.url if url is None else url, defines=defines,
                 key_file=cluster_key(redis) if key else None, **settings)


@contextlib.contextmanager
def fleet(count=2, redis=None, **settings):
    """`with fleet(3) as (redis, proxies)`: all connected; everything ends with the block."""
    with contextlib.ExitStack() as stack:
        if redis is None:
            redis = stack.enter_context(Redis(password="of-the-test"))
        nodes = [stack.enter_context(make_proxy(redis, number, **settings)) for number in range(1, count + 1)]
        for node in nodes:
            wait_connected(node)
        yield redis, nodes


def status(node):
    return node.rpc("authban.status")


def wait_connected(node, timeout=5.0):
    """Seconds until authban.status says so."""
    begin = time.monotonic()
    wait_for(lambda: status(node)["redis"] == "connected", timeout, node.node + " is connected")
    return time.monotonic() - begin


def wait_disconnected(node, timeout=5.0):
    begin = time.monotonic()
    wait_for(lambda: status(node)["redis"] == "disconnected", timeout, node.node + " notices the fault")
    return time.monotonic() - begin


def known(node, source):
    """authban.get, or None when nothing is known."""
    try:
        return node.rpc("authban.get", source)
    except tools.RpcFault as fault:
        if fault.code != 404:
            raise
        return None


def state(node, source):
    row = known(node, source)
    return row["state"] if row else "none"


def banned(node, source):
    return state(node, source) == "banned"


def wait_banned(nodes, source, timeout=1.0, pause=0.002):
    """Seconds until all of them have the ban."""
    begin = time.monotonic()
    for node in nodes:
        wait_for(lambda: banned(node, source), timeout, "%s bans %s" % (node.node, source), pause)
    return time.monotonic() - begin


def wait_lifted(nodes, source, timeout=1.0):
    """Seconds until none of them has the ban."""
    begin = time.monotonic()
    for node in nodes:
        wait_for(lambda: not banned(node, source), timeout, "%s lifts %s" % (node.node, source), 0.002)
    return time.monotonic() - begin


def ban_lines(node, source, event="ban"):
    """Lines of the log about one source."""
    return node.log_lines(r"ip=%s event=%s\b" % (source.replace(".", r"\."), event))


def pid_of(node, description):
    """The pid of one process by its description in core.psx."""
    return next(pid for pid, text in node.pids().items() if text == description)


def cpu_seconds(pid):
    """User and system time of a process so far."""
    with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as text:
        fields = text.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
