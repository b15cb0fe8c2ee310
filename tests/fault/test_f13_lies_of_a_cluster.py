# SPDX-License-Identifier: GPL-2.0-or-later
"""F13: nodes and sentinels that lie about where things are: bounded in time and work, nothing is believed."""
import contextlib
import time

import pytest

from lib.fakeredis import FakeNode, Raw
from lib.fleet import THRESHOLD, banned, cpu_seconds, pid_of, status, wait_connected
from lib.kamailio import Proxy
from lib.traffic import RoundRobin, answers
from lib.wait import holds_for, wait_for
import proxies

SYNC = "authban sync"


def lonely(fake_url, key=None):
    """A proxy that asks this fake."""
    return Proxy(node="node-1", redis=fake_url, key_file=key, defines={"AB_THRESHOLD": THRESHOLD})


@pytest.fixture
def key(tmp_path):
    return proxies.write_secret(str(tmp_path / "key"))


def works_alone(node, source):
    with RoundRobin([node], source) as attacker:
        assert attacker.send(30) == THRESHOLD
    assert banned(node, source) and answers(node, "127.9.99.1")


def loop_of(kind):
    """Every count is redirected to where it came from."""
    node = FakeNode()
    for name in ("HSET", "HSCAN", "EXPIRE"):
        node.special[name] = lambda words: Exception("%s 1234 127.0.0.1:%d" % (kind, node.port))
    return node


def wait_was_connected(node):
    """The first command of a connection is refused already, so it does not last."""
    wait_for(lambda: status(node)["redis_reconnects"] > 0, 5, "it was connected")


@pytest.mark.parametrize("kind", ["MOVED", "ASK"])
def test_a_circle_of_redirects_ends(kind, key):
    with loop_of(kind) as fake, lonely(fake.cluster_url, key) as node:
        wait_was_connected(node)
        works_alone(node, "127.9.1.1")
        shown = wait_for(lambda: status(node)["redis_last_error"], 2, "the error is shown")
        wait_for(lambda: status(node)["redis_errors"] >= 4, 8, "it backs off")
        before, busy, begin = fake.connections, cpu_seconds(pid_of(node, SYNC)), time.monotonic()
        holds_for(lambda: answers(node, "127.9.99.2"), 2.0, "SIP is served")
        seconds = time.monotonic() - begin
        calls = (fake.connections - before) / seconds
        cpu = (cpu_seconds(pid_of(node, SYNC)) - busy) / seconds
    print("\nF13 hostile cluster, %s circle: %r, connections=%.0f/s cpu=%.1f%%" % (kind, shown, calls, 100 * cpu))
    assert "circle" in shown
    # a try each 0.4 to 1 s once it has backed off, with 3 connections, and a map of slots for each of 5 MOVED
    assert 0 < calls <= 25 and cpu < 0.1


ONE = ["127.0.0.1", 1, "id"]
@pytest.mark.parametrize("error", ["CLUSTERDOWN The cluster is down", "TRYAGAIN Multiple keys request"])
def test_a_batch_that_failed_is_sent_again(error, key):
    with FakeNode(HSET=Exception(error)) as fake, lonely(fake.cluster_url, key) as node:
        wait_was_connected(node)
        works_alone(node, "127.9.4.1")
        wait_for(lambda: status(node)["redis_errors"] >= 2, 4, "the batch fails")
        assert error[:8] in status(node)["redis_last_error"] and status(node)["redis_pending"] > 0
        before = fake.heard_of("XADD")
        del fake.special["HSET"]
        wait_for(lambda: status(node)["redis_pending"] == 0, 3, "all is sent")
        assert fake.heard_of("XADD") > before


MAPS = {
    "no list": "text",
    "empty": Raw(b"*0\r\n"),
    "nil": None,
    "an error": Exception("ERR \x1b[31mno"),
    "of texts": ["0", "16383"],
    "texts for numbers": [["0", "16383", ["127.0.0.1", "1"]]],
    "first slot negative": [[-1, 16383, ONE]],
    "last slot beyond": [[0, 16384, ONE]],
    "huge slot": [[0, 2 ** 62, ONE]],
    "first above last": [[16383, 0, ONE]],
    "a hole": [[0, 100, ONE]],
    "no node": [[0, 16383]],
    "node empty": [[0, 16383, []]],
    "node a number": [[0, 16383, 7]],
    "port 0": [[0, 16383, ["127.0.0.1", 0]]],
    "port -1": [[0, 16383, ["127.0.0.1", -1]]],
    "port 65536": [[0, 16383, ["127.0.0.1", 65536]]],
    "port 2^40": [[0, 16383, ["127.0.0.1", 2 ** 40 + 80]]],
    "host too long": [[0, 16383, ["h" * 256, 1]]],
    "host with a line end": [[0, 16383, ["127.0.0.1\nx", 1]]],
    "host with a NUL": [[0, 16383, ["127.0.0.1\0x", 1]]],
    "host with an escape": [[0, 16383, ["\x1b[2J", 1]]],
    "host of spaces": [[0, 16383, [" ", 1]]],
    "many parts": [[0, 0, ONE]] * 20000,
    "a node for each slot": [[slot, slot, ["127.0.0.1", 1 + slot]] for slot in range(16384)],
    "cut off": Raw(b"*1\r\n*3\r\n:0\r\n:16383\r\n*3\r\n$9\r\n127.0"),
    "cut off and closed": Raw(b""),
    "a list of 2^30": Raw(b"*1073741824\r\n"),
    "deep": Raw(b"*1\r\n" * 3000),
}


class Liars:
    """Proxies, each with a fake of its own, so that several lies are told at a time."""

    COUNT = 5

    def __init__(self, command, url, key):
        self.command, self.stack = command, contextlib.ExitStack()
        self.fakes = [self.stack.enter_context(FakeNode(**{command: Raw(b"")})) for _ in range(self.COUNT)]
        self.nodes = [self.stack.enter_context(lonely(url(fake), key)) for fake in self.fakes]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stack.close()

    def tell_all(self, lies):
        """{name: (error, seconds until it was refused)}."""
        seen, names = {}, list(lies)
        for at in range(0, len(names), self.COUNT):
            group, begin = list(zip(names[at:at + self.COUNT], self.fakes, self.nodes)), time.monotonic()
            before = []
            for name, fake, _ in group:
                before.append(fake.heard_of(self.command))
                fake.special[self.command] = lies[name]
            for (name, fake, node), old in zip(group, before):
                # asked twice: the answer to the first question has had its effect
                wait_for(lambda: fake.heard_of(self.command) >= old + 2, 5, "asked again after: " + name)
                row = status(node)
                assert row["redis"] == "disconnected", name
                seen[name] = row["redis_last_error"], time.monotonic() - begin
        return seen

    def tell_the_truth(self, answer):
        """Longest time until a proxy is connected."""
        for fake in self.fakes:
            fake.special[self.command] = answer(fake)
        return max(wait_connected(node, 3.0) for node in self.nodes)


def test_absurd_maps_of_slots(key):
    """One after the other; then a true one, and all is well."""
    with Liars("CLUSTER", lambda fake: fake.cluster_url, key) as liars:
        seen = liars.tell_all(MAPS)
        for number, node in enumerate(liars.nodes):
            works_alone(node, "127.9.2.%d" % (1 + number))
            assert "\x1b" not in node.log()
        back = liars.tell_the_truth(lambda fake: [[0, 16383, ["127.0.0.1", fake.port, "id"]]])
    print("\nF13 hostile cluster, maps: refused=%d slowest_two_tries=%.2fs connected_after_a_true_one=%.2fs"
          % (len(seen), max(took for _, took in seen.values()), back))
    assert all(error for error, _ in seen.values())


def test_a_remote_node_is_not_called_without_a_key():
    """The URL names loopback only, so no password and no key were asked for; the map names others."""
    slots = [[0, 16383, ["192.0.2.1", 6379, "id"]]]
    with FakeNode() as fake:
        fake.slots = slots
        with lonely("redis+cluster://127.0.0.1:%d" % fake.port) as node:
            shown = wait_for(lambda: status(node)["redis_last_error"], 3, "the error is shown")
    print("\nF13 hostile cluster, remote node: %r" % shown)
    assert "remote server 192.0.2.1" in shown and "cluster_key" in shown


@pytest.mark.parametrize("kind", ["MOVED", "ASK"])
def test_a_redirect_to_a_remote_node_is_not_followed(kind):
    with FakeNode(HSET=Exception("%s 1234 192.0.2.1:6379" % kind)) as fake:
        with lonely("redis+cluster://127.0.0.1:%d" % fake.port) as node:
            wait_was_connected(node)
            works_alone(node, "127.9.3.1")
            shown = wait_for(lambda: status(node)["redis_last_error"], 3, "the error is shown")
    assert "remote server 192.0.2.1" in shown or "circle" in shown


def test_a_node_without_a_login_is_not_guessed_at(key):
    """A refused login is tried seldom, as with one server."""
    with FakeNode(AUTH=Exception("WRONGPASS no")) as fake, lonely(fake.cluster_url, key) as node:
        shown = wait_for(lambda: status(node)["redis_last_error"], 3, "the error is shown")
        before = fake.heard_of("AUTH")
        holds_for(lambda: fake.heard_of("AUTH") == before, 2.0, "no more tries")
    assert "WRONGPASS" in shown and "of-the-test" not in shown


ADDRESSES = {
    "one text": ["127.0.0.1"], "numbers": [1, 2], "a text": "127.0.0.1", "three": ["127.0.0.1", "1", "2"],
    "port 0": ["127.0.0.1", "0"], "port text": ["127.0.0.1", "x1"], "port huge": ["127.0.0.1", "99999999999"],
    "host long": ["h" * 5000, "1"], "host odd": ["\x1b[2J\r\n", "1"], "empty": ["", ""],
    "half": Raw(b"*2\r\n$9\r\n127."), "closed": Raw(b""), "unknown": None,
}


def test_absurd_addresses_of_a_sentinel(key):
    with Liars("SENTINEL", lambda fake: "redis+sentinel://:of-the-test@127.0.0.1:%d/m" % fake.port, key) as liars:
        seen = liars.tell_all(ADDRESSES)
        assert all("\x1b" not in node.log() for node in liars.nodes)
        back = liars.tell_the_truth(lambda fake: ["127.0.0.1", str(fake.port)])
    print("\nF13 hostile sentinel: refused=%d slowest_two_tries=%.2fs connected_after_a_true_one=%.2fs"
          % (len(seen), max(took for _, took in seen.values()), back))
    assert all(error for error, _ in seen.values())


def test_a_sentinel_that_names_a_replica_is_not_believed(key):
    with FakeNode(ROLE=["slave", "127.0.0.1", 1, "connected", 0]) as fake:
        fake.special["SENTINEL"] = ["127.0.0.1", str(fake.port)]
        with lonely("redis+sentinel://:of-the-test@127.0.0.1:%d/m" % fake.port, key) as node:
            shown = wait_for(lambda: status(node)["redis_last_error"], 3, "the error is shown")
            assert "replica" in shown and fake.heard_of("HSET") == 0
            del fake.special["ROLE"]
            wait_connected(node, 3.0)


def test_a_sentinel_that_names_a_remote_master_is_not_followed():
    with FakeNode(SENTINEL=["192.0.2.1", "6379"]) as fake:
        with lonely("redis+sentinel://127.0.0.1:%d/m" % fake.port) as node:
            shown = wait_for(lambda: status(node)["redis_last_error"], 3, "the error is shown")
    assert "remote server 192.0.2.1" in shown
