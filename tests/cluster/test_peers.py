# SPDX-License-Identifier: GPL-2.0-or-later
"""authban.status knows the other proxies, and two that have one name are noticed."""
import time

import pytest

from lib import acl
from lib.fleet import fleet, make_proxy, status, wait_banned, wait_connected
from lib.redis import Redis
from lib.wait import wait_for


@pytest.fixture
def redis():
    with Redis(password="of-the-test") as server:
        yield server


def names(node):
    return sorted(row["node"] for row in status(node)["peers"])


def test_peers_and_twins(redis):
    """Three proxies, two of them node-1; each says so once."""
    with fleet(2, redis=redis) as (_, nodes):
        begin = time.monotonic()
        for node in nodes:
            wait_for(lambda: names(node) == ["node-1", "node-2"], 8, "both are known")
        known_after = time.monotonic() - begin
        row = next(row for row in status(nodes[0])["peers"] if row["node"] == "node-2")
        assert (row["wire_version"], row["twin"], row["forgotten"], row["refused"]) == (2, "no", "no", 0)
        assert len(row["boot"]) == 8 and row["seen"] <= 10
        with make_proxy(redis, 1) as twin:
            wait_connected(twin)
            begin = time.monotonic()
            for node in (nodes[0], twin):
                wait_for(lambda: node.log_lines('is named "node-1" too'), 8, "it is said")
            noticed = time.monotonic() - begin
            shown = [row["twin"] for row in status(twin)["peers"] if row["node"] == "node-1"]
            assert shown == ["yes", "yes"]
            lines = [len(node.log_lines("is named")) for node in (nodes[0], twin, nodes[1])]
        print("\npeers: known after %.1fs; twins noticed after %.1fs, lines=%s" % (known_after, noticed, lines))
        assert lines == [1, 1, 0]
        assert noticed < 7


def test_a_restart_is_no_twin(redis):
    with fleet(2, redis=redis) as (_, nodes):
        nodes[0].end()
        nodes[0].start()
        wait_for(lambda: names(nodes[1]).count("node-1") == 2, 8, "both starts are listed for a while")
        assert {row["twin"] for row in status(nodes[1])["peers"]} == {"no"}
        assert not any(node.log_lines("is named") for node in nodes)


def test_a_redis_user_of_before_does_without():
    """Without the two keys in the ACL the proxies agree all the same, and say once what is missing."""
    lines = [line.replace(" ~{authban:0}:nodes", "").replace(" ~{authban:0}:forget", "") for line in acl.user_lines()]
    with Redis(password="of-the-test", config=lines) as server:
        nodes = [make_proxy(server, number, url=acl.url_of(server)) for number in (1, 2)]
        try:
            for node in nodes:
                node.start()
                wait_connected(node)
            nodes[0].rpc("authban.ban", "127.15.1.1", 60)
            wait_banned(nodes, "127.15.1.1")
            wait_for(lambda: nodes[0].log_lines("peers are not known"), 2, "it is said")
            assert status(nodes[0])["peers"] == [] and status(nodes[0])["redis_errors"] == 0
            # the start says it, and so does the process that is forked then
            print("\npeers without the rights: lines=%d" % len(nodes[0].log_lines("peers are not known")))
            assert len(nodes[0].log_lines("peers are not known")) <= 2
        finally:
            for node in nodes:
                node.close()
