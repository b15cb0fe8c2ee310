# SPDX-License-Identifier: GPL-2.0-or-later
"""F13: what a real node of a Redis Cluster says to a URL that does not fit, and while it serves no slots."""
import contextlib

import pytest

from lib import acl, faults
from lib.fleet import make_proxy, status, wait_banned, wait_connected
from lib.topologies import Cluster
from lib.traffic import RoundRobin, failures
from lib.wait import wait_for

SLOTS = 16384


@pytest.fixture
def node():
    """One node of a cluster without slots."""
    with contextlib.ExitStack() as stack:
        cluster = Cluster(masters=0)
        stack.callback(cluster.stack.close)
        yield cluster.add_node()


def errors(node, name):
    lines = [line for line in node.command("INFO", "errorstats").split() if line.startswith("errorstat_%s:" % name)]
    return int(lines[0].split("=")[1]) if lines else 0


def shown(proxy, word):
    return wait_for(lambda: word in status(proxy)["redis_last_error"] and status(proxy)["redis_last_error"], 3,
                    word + " is shown")


def test_f13_clusterdown_and_back(node):
    plain, cluster = ("%s://%s@127.0.0.1:%d" % (scheme, acl.LOGIN, node.port) for scheme in ("redis", "redis+cluster"))
    with make_proxy(node, 1, url=plain) as one, make_proxy(node, 2, url=cluster) as two:
        both, sources = [one, two], ["127.34.1.1", "127.34.1.2"]
        with faults.Load(both) as load:
            said = [shown(one, "CLUSTERDOWN"), shown(two, "CLUSTER SLOTS")]
            for proxy, source in zip(both, sources):
                faults.assert_local_ban(proxy, source)
            node.command("CLUSTER", "ADDSLOTSRANGE", 0, SLOTS - 1)
            took = faults.assert_converges(both, sources, 4.0)
            with RoundRobin(both, "127.34.1.3", judged=failures) as attacker:
                attacker.send(30)
            wait_banned(both, "127.34.1.3")
            wait_for(lambda: "cmdstat_exists" in node.command("INFO", "commandstats"), 7, "the map was looked at")
            crossslot = errors(node, "CROSSSLOT")
            faults.report("F13 CLUSTERDOWN", load, took, faults.lost(both, sources), said=said, crossslot=crossslot)
    assert crossslot == 0


def test_f13_a_plain_url_to_a_node_of_a_cluster():
    """MOVED in place of an answer: it says what to do."""
    with Cluster() as cluster:
        owner = cluster.owner(0)
        other = next(one for one in cluster.nodes if one is not owner)
        with make_proxy(other, 1, url="redis://%s@127.0.0.1:%d" % (acl.LOGIN, other.port)) as proxy:
            said = shown(proxy, "MOVED")
            faults.assert_local_ban(proxy, "127.34.2.1")
        # and it is of use at once with the other scheme
        with make_proxy(other, 2, url=cluster.url) as right:
            wait_connected(right)
    print("\nF13 plain URL: error=%r" % said)
    assert "redis+cluster" in said
