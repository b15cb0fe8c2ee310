# SPDX-License-Identifier: GPL-2.0-or-later
"""Several real Redis servers: a master with replicas and sentinels, and a Redis Cluster. All on loopback."""
import contextlib
import os
import subprocess

from . import acl
from .redis import Client, Redis, RedisError
from .wait import wait_for
import proxies

PASSWORD = "of-the-test"
MASTER = "the-master"
SLOTS = 16384


def _server(*config):
    """Not started; authban's user may log in."""
    return Redis(password=PASSWORD, config=["masterauth " + PASSWORD, "repl-diskless-sync-delay 0",
                                            *acl.user_lines(), *config])


def role(redis):
    """None while it closes its connections to change it."""
    try:
        return redis.command("ROLE")[0]
    except ConnectionError:
        return None


def cut_off(master, replica):
    """The replica hears nothing more of its master, and is promoted without it."""
    replica.command("CONFIG", "SET", "masterauth", "wrong")
    master.command("CLIENT", "KILL", "TYPE", "replica")
    wait_for(lambda: replica.command("ROLE")[3] != "connected", 2, "the replica has lost its master", 0.001)


class Sentinel:
    """One sentinel of its own, in a private folder."""

    def __init__(self, master, down_after=300):
        self.folder, self.port, self.process = proxies.private_folder("sentinel"), proxies.free_port(), None
        self.lines = ["port %d" % self.port, "bind 127.0.0.1", "protected-mode no", "dir " + self.folder,
                      "requirepass " + PASSWORD, "sentinel sentinel-pass " + PASSWORD,
                      "sentinel monitor %s 127.0.0.1 %d 2" % (MASTER, master.port),
                      "sentinel auth-pass %s %s" % (MASTER, PASSWORD),
                      "sentinel down-after-milliseconds %s %d" % (MASTER, down_after),
                      "sentinel failover-timeout %s 3000" % MASTER, *acl.user_lines(path=acl.SENTINEL_FILE)]

    def start(self):
        path = proxies.write_secret(os.path.join(self.folder, "sentinel.conf"), "\n".join(self.lines) + "\n")
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = proxies.Process(["redis-server", path, "--sentinel"], "sentinel", stdout=log, stderr=log,
                                           folder=self.folder)
        wait_for(self.knows, 10, "the sentinel answers")
        return self

    def command(self, *words):
        with contextlib.closing(Client(("127.0.0.1", self.port), PASSWORD)) as client:
            return client(*words)

    def knows(self):
        """{field: value} of what it knows of the master, or None."""
        try:
            row = self.command("SENTINEL", "MASTER", MASTER)
        except (OSError, RedisError):
            return None
        return dict(zip(row[::2], row[1::2]))

    def close(self):
        if self.process:
            self.process.kill()
        proxies.remove_folder(self.folder)


class Sentinels:
    """`with Sentinels() as group: group.url, group.master, group.replica`: 3 sentinels that know each other."""

    def __init__(self, count=3):
        self.count, self.stack = count, contextlib.ExitStack()

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.master = stack.enter_context(_server())
            self.replica = stack.enter_context(_server("replicaof 127.0.0.1 %d" % self.master.port))
            wait_for(lambda: self.replica.command("ROLE")[3] == "connected", 10, "the replica follows")
            self.sentinels = []
            for _ in range(self.count):
                sentinel = Sentinel(self.master)
                stack.callback(sentinel.close)
                self.sentinels.append(sentinel.start())
            wait_for(lambda: all(self._ready(one) for one in self.sentinels), 10, "the sentinels know each other")
            self.stack = stack.pop_all()
        return self

    def _ready(self, sentinel):
        known = sentinel.knows()
        return known["num-other-sentinels"] == str(self.count - 1) and known["num-slaves"] == "1"

    def __exit__(self, *_):
        self.stack.close()

    @property
    def folder(self):
        return self.master.folder

    @property
    def url(self):
        return "redis+sentinel://%s@%s/%s" % (
            acl.LOGIN, ",".join("127.0.0.1:%d" % one.port for one in self.sentinels), MASTER)


class Cluster:
    """`with Cluster() as cluster: cluster.url, cluster.nodes`: 3 masters with all slots; replicas join later."""

    def __init__(self, masters=3, node_timeout=1000):
        self.masters, self.node_timeout, self.stack = masters, node_timeout, contextlib.ExitStack()
        self.nodes = []

    def add_node(self):
        """A node that is not in the cluster yet."""
        # the usual bus port, 10000 above, may be beyond the last one
        node = _server("cluster-enabled yes", "cluster-port %d" % proxies.free_port(),
                       "cluster-node-timeout %d" % self.node_timeout)
        self.nodes.append(self.stack.enter_context(node))
        return node

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.stack = stack
            for _ in range(self.masters):
                self.add_node()
            subprocess.run(["redis-cli", "--no-auth-warning", "-a", PASSWORD, "--cluster", "create", "--cluster-yes",
                            *["127.0.0.1:%d" % node.port for node in self.nodes]],
                           check=True, timeout=60, stdout=subprocess.DEVNULL)
            self.wait_whole()
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def wait_whole(self):
        wait_for(lambda: all("cluster_state:ok" in node.command("CLUSTER", "INFO") for node in self.nodes
                             if node.process), 20, "all slots are served")

    @property
    def folder(self):
        return self.nodes[0].folder

    @property
    def url(self):
        return "redis+cluster://%s@%s" % (acl.LOGIN, ",".join("127.0.0.1:%d" % node.port for node in self.nodes[:3]))

    def client(self, node):
        return node.client()

    def node_id(self, node):
        return node.command("CLUSTER", "MYID")

    def slot_of(self, shard, prefix="authban"):
        return self.nodes[0].command("CLUSTER", "KEYSLOT", "{%s:%d}" % (prefix, shard))

    def owner(self, shard, asked=None):
        """The node that has a shard."""
        slot = self.slot_of(shard)
        for first, last, master, *_ in (asked or self.nodes[0]).command("CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return next(node for node in self.nodes if node.port == master[1])
        raise AssertionError("nobody has slot %d" % slot)

    def add_replica(self, master):
        """A node that follows `master` and may take over."""
        node = self.add_node()
        node.command("CLUSTER", "MEET", "127.0.0.1", master.port, self._bus_port(master))
        wait_for(lambda: self.node_id(master) in node.command("CLUSTER", "NODES"), 10, "the nodes have met")
        wait_for(lambda: _replicates(node, self.node_id(master)), 10, "the replica is one", 0.1)
        wait_for(lambda: node.command("ROLE")[3] == "connected", 10, "the replica follows")
        # those who do not know that it is one do not vote for it
        wait_for(lambda: all(self._sees_replica(other, node, master) for other in self.nodes), 10,
                 "all know the replica")
        return node

    def _sees_replica(self, asked, replica, master):
        lines = [line.split() for line in asked.command("CLUSTER", "NODES").splitlines()]
        return any(line[0] == self.node_id(replica) and line[3] == self.node_id(master) for line in lines)

    @staticmethod
    def _bus_port(node):
        return next(line for line in node.config if line.startswith("cluster-port")).split()[1]

    def errors(self, name):
        """How often all nodes have said this error."""
        lines = [line for node in self.nodes if node.process for line in node.command("INFO", "errorstats").split()]
        return sum(int(line.split("=")[1]) for line in lines if line.startswith("errorstat_%s:" % name))


def _replicates(node, master):
    try:
        return node.command("CLUSTER", "REPLICATE", master) == "OK"
    except RedisError:
        return False


class Migration:
    """The slot of a shard on its way between two nodes, step by step, as redis-cli --cluster reshard does it."""

    def __init__(self, cluster, shard, to):
        self.cluster, self.slot = cluster, cluster.slot_of(shard)
        self.source, self.target = cluster.owner(shard), to
        assert self.source is not to

    def begin(self):
        """From here on keys that are not there are answered with ASK."""
        cluster = self.cluster
        self.target.command("CLUSTER", "SETSLOT", self.slot, "IMPORTING", cluster.node_id(self.source))
        self.source.command("CLUSTER", "SETSLOT", self.slot, "MIGRATING", cluster.node_id(self.target))

    def move_keys(self, count=1000):
        """Moves up to so many keys; returns how many."""
        with self.source.client() as client:
            keys = client("CLUSTER", "GETKEYSINSLOT", self.slot, count)
            if keys:
                self.move(client, *keys)
        return len(keys)

    def move(self, client, *keys):
        client("MIGRATE", "127.0.0.1", self.target.port, "", 0, 5000, "AUTH", PASSWORD, "KEYS", *keys)

    def end(self):
        """From here on the source answers with MOVED."""
        while self.move_keys():
            pass
        others = [node for node in self.cluster.nodes if node not in (self.target, self.source) and node.process]
        for node in (self.target, self.source, *others):
            node.command("CLUSTER", "SETSLOT", self.slot, "NODE", self.cluster.node_id(self.target))
