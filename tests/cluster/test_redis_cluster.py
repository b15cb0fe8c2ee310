# SPDX-License-Identifier: GPL-2.0-or-later
"""A Redis Cluster of 3 masters: counts are spread over it, bans agree, slots move while under load."""
import threading
import time

import pytest

from lib import acl, faults, wire
from lib.fleet import THRESHOLD, banned, fleet, known, make_proxy, status, wait_banned, wait_connected, wait_lifted
from lib.topologies import Cluster, Migration, cut_off, role
from lib.traffic import RoundRobin
from lib.wait import wait_for

# traffic at a steady rate while slots move
pytestmark = pytest.mark.alone

MANY = 1000  # a threshold that nobody reaches


@pytest.fixture(scope="module")
def cluster():
    with Cluster() as servers:
        yield servers


def shards_in_use(cluster):
    """Numbers of the shards that hold counts."""
    found = set()
    for node in cluster.nodes:
        with node.client() as client:
            found |= {key.split("}")[0].split(":")[1] for key in client("KEYS", "{authban:*}:c:*")}
    return sorted(map(int, found))


def sums(nodes, source):
    """What each proxy believes of all proxies' failures."""
    return [known(node, source)["failures"] for node in nodes]


def test_counts_and_bans_agree(cluster):
    for node in cluster.nodes:
        node.command("CONFIG", "RESETSTAT")
    with fleet(2, redis=cluster) as (_, nodes):
        sources = ["127.8.1.%d" % number for number in range(1, 33)]
        evaluated = []
        for source in sources:
            with RoundRobin(nodes, source) as attacker:
                evaluated.append(attacker.send(THRESHOLD + 10, 600))
            wait_banned(nodes, source)
        nodes[0].rpc("authban.unban", sources[0])
        wait_lifted(nodes, sources[0])
        with make_proxy(cluster, 3) as late:
            wait_connected(late)
            assert [banned(late, source) for source in sources] == [False] + [True] * 31
        rows = [status(node) for node in nodes]
        used = shards_in_use(cluster)
        names = ("CROSSSLOT", "MOVED", "ASK", "NOPERM")
        errors = {name: cluster.errors(name) for name in names}
    print("\ncluster: sources=%d evaluated_max=%d shards_used=%d masters=%d errors=%s"
          % (len(sources), max(evaluated), len(used), rows[0]["redis_nodes"], errors))
    assert max(evaluated) <= THRESHOLD + 5
    assert len(used) >= 12 and used[-1] <= 15
    assert [row["redis_shards"] for row in rows] == [16, 16]
    assert [row["redis_nodes"] for row in rows] == [3, 3]
    home = "127.0.0.1:%d" % cluster.owner(0).port
    assert [row["redis_server"] for row in rows] == [home, home]
    assert not any(errors.values()), errors
    assert [row["redis_last_error"] for row in rows if row["redis_errors"]] == []


def test_proxies_with_other_shards_do_not_see_each_others_counts(cluster):
    """Why redis_shards has to be the same everywhere; bans they do share."""
    with make_proxy(cluster, 1, extra='modparam("authban", "redis_shards", 1)') as one, \
            make_proxy(cluster, 2) as other:
        for node in (one, other):
            wait_connected(node)
        assert status(one)["redis_shards"] == 1 and status(one)["redis_nodes"] == 1
        one.rpc("authban.ban", "127.8.2.1", 60)
        wait_banned([other], "127.8.2.1")


class Load(threading.Thread):
    """Failures of these sources at both proxies, round after round, until the end of the block.

    At a user of their own: with the sources of the tests before, which the cluster remembers, the estimate
    may take them for the many sources of an attack on one user, where two failures are enough.
    """

    def __init__(self, nodes, sources, rate=100):
        super().__init__()
        self.guessers = [RoundRobin(nodes, source, user="victim-of-" + sources[0]) for source in sources]
        self.rounds, self.rate, self.ending, self.error = 0, rate, threading.Event(), None

    def run(self):
        try:
            while not self.ending.is_set():
                for guesser in self.guessers:
                    assert guesser.send(2, self.rate) == 2
                self.rounds += 1
        except BaseException as error:  # told in the main thread
            self.error = error

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.join()
        try:
            if self.error:
                raise self.error
            # one more round, so that each proxy has looked after the other's last push
            for _ in range(2):
                for guesser in self.guessers:
                    guesser.send(2)
                self.rounds += 1
        finally:
            for guesser in self.guessers:
                guesser.__exit__()


def moved_under_load(cluster, nodes, shard, sources, to):
    """(failures of each source, seconds) while the slot of a shard moves."""
    before = {name: cluster.errors(name) for name in ("ASK", "MOVED", "CROSSSLOT")}
    with Load(nodes, sources) as load:
        wait_for(lambda: load.rounds > 1, 10, "the load runs")
        migration = Migration(cluster, shard, to)
        begin = time.monotonic()
        migration.begin()
        for _ in range(5):
            at = load.rounds
            wait_for(lambda: load.rounds > at, 10, "failures while the slot is on its way", 0.001)
            migration.move_keys(1)
        at = load.rounds
        migration.end()
        took = time.monotonic() - begin
        wait_for(lambda: load.rounds > at + 2, 10, "failures after the slot has moved")
    return 2 * load.rounds, took, {name: cluster.errors(name) - old for name, old in before.items()}


def sources_of_shard(net, shard, count_of, shards=16):
    """Addresses of a network whose counts lie on a shard."""
    hosts = ("127.8.%d.%d" % (net, number) for number in range(1, 255))
    return [host for host in hosts if wire.count_bucket(host) % shards == shard][:count_of]


def test_a_slot_of_counts_moves_under_load(cluster):
    home = cluster.owner(0)
    shard = next(number for number in range(1, 16) if cluster.owner(number) is not home)
    with fleet(2, redis=cluster, threshold=MANY) as (_, nodes):
        sources = sources_of_shard(3, shard, 4)
        to = next(node for node in cluster.nodes if node not in (home, cluster.owner(shard)))
        sent, took, errors = moved_under_load(cluster, nodes, shard, sources, to)
        seen = {source: sums(nodes, source) for source in sources}
        rows = [status(node) for node in nodes]
    print("\ncluster, counts' slot moves: took=%.2fs failures=%d seen=%s answers=%s reconnects=%s"
          % (took, sent, list(seen.values()), errors, [row["redis_reconnects"] for row in rows]))
    assert all(max(pair) == sent for pair in seen.values()), "nothing is lost, nothing counts twice"
    assert errors["ASK"] > 0 and errors["MOVED"] > 0 and errors["CROSSSLOT"] == 0
    assert all(row["redis_errors"] == 0 and row["redis_reconnects"] == 1 for row in rows)


def test_the_slot_of_the_bans_moves_under_load(cluster):
    """The home node hands the map, the log and shard 0 over."""
    home = cluster.owner(0)
    to = next(node for node in cluster.nodes if node is not home)
    with fleet(2, redis=cluster, threshold=MANY) as (_, nodes):
        bans = ["127.8.4.%d" % number for number in range(1, 21)]
        for source in bans[:10]:
            nodes[0].rpc("authban.ban", source, 600)
        wait_banned(nodes, bans[9])
        sources = sources_of_shard(5, 0, 2)
        migration, slowest = Migration(cluster, 0, to), 0.0
        with Load(nodes, sources) as load:
            migration.begin()
            for number, source in enumerate(bans[10:]):
                nodes[number % 2].rpc("authban.ban", source, 600)
                slowest = max(slowest, wait_banned(nodes, source, 2.5))
                if number == 4:  # from here on news is where nobody listens yet
                    with migration.source.client() as client:
                        migration.move(client, wire.LOG)
                migration.move_keys(1)
            migration.end()
            at = load.rounds
            wait_for(lambda: load.rounds > at + 2, 10, "failures after the slot has moved")
        place = "127.0.0.1:%d" % to.port
        wait_for(lambda: [status(node)["redis_server"] for node in nodes] == [place] * 2, 3, "both have followed")
        nodes[1].rpc("authban.ban", "127.8.4.99", 600)
        wait_banned(nodes, "127.8.4.99")
        seen = {source: sums(nodes, source) for source in sources}
        rows = [status(node) for node in nodes]
        with make_proxy(cluster, 3, threshold=MANY) as late:
            wait_connected(late)
            lost = [source for source in bans + ["127.8.4.99"] if not banned(late, source)]
    print("\ncluster, home slot moves: slowest_ban=%.2fs lost=%d seen=%s of %d errors=%s" % (
        slowest, len(lost), list(seen.values()), 2 * load.rounds, [row["redis_errors"] for row in rows]))
    assert lost == []
    assert all(max(pair) == 2 * load.rounds for pair in seen.values())


def test_authban_needs_both_commands_of_a_cluster(cluster):
    for name in sorted(acl.CLUSTER_ONLY):
        assert any(name in used_commands(node) for node in cluster.nodes), name
    with make_proxy(cluster, 1) as node:
        wait_connected(node)
        for server in cluster.nodes:
            server.command("ACL", "SETUSER", acl.USER, "-cluster|slots")
        try:
            with make_proxy(cluster, 2) as other:
                shown = wait_for(lambda: status(other)["redis_last_error"], 3, "the error is shown")
                assert "NOPERM" in shown
        finally:
            for server in cluster.nodes:
                server.command("ACL", "SETUSER", acl.USER, "+cluster|slots")


def used_commands(node):
    lines = node.command("INFO", "commandstats").splitlines()
    return {line.split(":")[0][len("cmdstat_"):] for line in lines if line.startswith("cmdstat_")}


def test_a_master_dies_and_its_replica_takes_over(cluster):
    """Last: the cluster has lost a master afterwards."""
    home = cluster.owner(0)
    replica = cluster.add_replica(home)
    with fleet(2, redis=cluster) as (_, nodes):
        nodes[0].rpc("authban.ban", "127.8.6.1", 600)
        wait_banned(nodes, "127.8.6.1")
        cut_off(home, replica)
        nodes[0].rpc("authban.ban", "127.8.6.3", 600, "not_replicated")
        wait_banned(nodes, "127.8.6.3")
        home.kill()
        died = time.monotonic()
        for number, node in enumerate(nodes):
            faults.assert_local_ban(node, "127.8.6.%d" % (10 + number))
        nodes[1].rpc("authban.ban", "127.8.6.2", 600, "while_away")
        wait_for(lambda: role(replica) == "master", 15, "the replica is promoted", 0.01)
        other = next(node for node in cluster.nodes if node not in (home, replica))
        wait_for(lambda: "cluster_state:ok" in other.command("CLUSTER", "INFO"), 10, "all slots are served", 0.01)
        promoted = time.monotonic()
        took = faults.assert_converges(nodes, ["127.8.6.%d" % number for number in (1, 2, 10, 11)])
        print("\nF10 cluster: promoted_after=%.2fs agree_after_promotion=%.2fs" % (promoted - died, took))
        place = "127.0.0.1:%d" % replica.port
        assert [status(node)["redis_server"] for node in nodes] == [place] * 2
        with make_proxy(cluster, 3) as late:
            wait_connected(late)
            assert all(banned(late, "127.8.6.%d" % number) for number in (1, 2, 3, 10, 11)), "the new master has all"
        faults.assert_no_secret(nodes)
