# SPDX-License-Identifier: GPL-2.0-or-later
"""authban-report reads Redis: what every proxy of a cluster has told there, and nothing that is not signed."""
import contextlib
import json

import pytest

from lib import acl
from lib.fleet import THRESHOLD, cluster_key, fleet, wait_banned
from lib.sip import Guesser
from lib.wait import wait_for
from authban_lib import Problem, cluster, evidence, timestamp
from proxies import write_secret

STREAM = "{authban:0}:evidence"
SOURCES = ["127.47.0.1", "127.47.0.2"]  # seen by one proxy each


def guess(node, source):
    with Guesser("alice", node.target, source=source, timeout=2) as guesser:
        for number in range(THRESHOLD):
            guesser.link.send(guesser.build([guesser.answer_header(guesser.challenge(), "wrong-%d" % number)]))
    wait_banned([node], source, 3)


@pytest.fixture(scope="module")
def scene():
    """(redis, nodes) after an attack on each; the Redis has the users of etc/redis-users.acl."""
    with acl.redis_with_users() as redis, fleet(2, redis=redis, url=acl.url_of(redis)) as (_, nodes):
        for node, source in zip(nodes, SOURCES):
            guess(node, source)
        wait_for(lambda: len(redis.command("XRANGE", STREAM, "-", "+")) >= 2, 8, "both are told")
        yield redis, nodes


@pytest.fixture
def keys(scene):
    return cluster.read_keys(cluster_key(scene[0]))


def read(redis, keys):
    """(rows, what was warned of), as authban's user of Redis."""
    told = []
    with cluster.Stream(acl.url_of(redis)) as stream:
        return cluster.rows(stream, keys, told.append), told


def test_it_is_what_the_proxies_say_themselves(scene, keys):
    redis, nodes = scene
    rows, told = read(redis, keys)
    assert sorted(row["source"] for row in rows) == SOURCES and not told
    for node, source in zip(nodes, SOURCES):
        (mine,) = (row for row in rows if row["source"] == source)
        theirs = node.rpc("authban.evidence_get", source)
        assert mine == dict(theirs, samples=[], banned=0, network="127.47.0.0/24")
        assert not theirs["imported"] and mine["origin"] == node.node
    good, refused = evidence.read(rows, timestamp.now())
    assert len(good) == 2 and not refused


def test_the_command_reads_it(scene, desk):
    redis, nodes = scene
    words = ["incidents", "--json", "--config", desk.path("report.conf"), "--state", desk.state, "--redis",
             "redis://%s@%s:%d/0" % (acl.USER, redis.host, redis.port), "--redis-password-file",
             write_secret(desk.path("password"), acl.SECRET), "--cluster-key-file", cluster_key(redis)]
    done = desk.run("authban-report", *words)
    assert done.returncode == 0, done.stderr
    found = [one for group in json.loads(done.stdout) for one in group["offenders"]]
    assert sorted(one["source"] for one in found) == SOURCES
    assert {one["not_reported_because"] for one in found} == {
        "%s is no address of the public Internet" % source for source in SOURCES}
    # with a proxy beside it: its own words, with samples, and of the other's only Redis's are first hand
    done = desk.run("authban-report", *words, "--rpc", nodes[0].rpc_socket)
    assert sorted(one["source"] for group in json.loads(done.stdout) for one in group["offenders"]) == SOURCES
    done = desk.run("authban-report", *words[:-2])
    assert done.returncode == 1 and "--redis needs --cluster-key-file" in done.stderr


def test_a_report_of_it_is_good(scene, keys, desk):
    """As if it were from a public address; no samples, so no user and no User-Agent."""
    rows, _ = read(scene[0], keys)
    for number, row in enumerate(rows, 1):
        row.update(source="203.0.113.%d" % number, address="203.0.113.%d" % number, network="203.0.113.0/24")
    status, out, errors = desk.report(rows, at=timestamp.now())
    assert status == 0 and "2 reports written" in out, errors
    from authban_lib import xarf
    assert [xarf.faults(json.loads(data)) for data in desk.written(".xarf.json").values()] == [[], []]


def test_a_pardon_is_told_at_once(scene, keys):
    redis, nodes = scene
    source = "127.47.0.3"
    guess(nodes[0], source)
    wait_for(lambda: [row for row in read(redis, keys)[0] if row["source"] == source and row["bans"]], 8, "it is told")
    nodes[1].rpc("authban.unban", source)
    wait_for(lambda: [row for row in read(redis, keys)[0] if row["source"] == source and not row["bans"]], 8,
             "the pardon is told")
    (row,) = evidence.read([row for row in read(redis, keys)[0] if row["source"] == source], timestamp.now())[0]
    assert evidence.why_not(row) == "it was never banned"


def test_nobody_elses_word_is_read(scene, keys):
    redis, _ = scene
    record = redis.command("XRANGE", STREAM, "-", "+")[0][1][1].encode("latin-1")
    assert cluster.read(record, keys)
    for at in range(len(record)):
        assert cluster.read(record[:at] + bytes([record[at] ^ 1]) + record[at + 1:], keys) is None
        assert cluster.read(record[:at], keys) is None
    assert cluster.read(record, keys, "another") is None and cluster.read(record, [b"x" * 32]) is None
    for junk in (b"", b"x" * 200, b"\x02\x00" + record[2:-16]):
        redis.command("XADD", STREAM, "*", "e", junk)
    rows, told = read(redis, keys)
    assert len(told) == 1 and told[0].startswith("3 records in Redis are not signed") and len(rows) >= 2
    rows, told = read(redis, [b"x" * 32])
    assert rows == [] and len(told) == 1


@pytest.mark.parametrize("answer", [b"hello\r\n", b"*1\r\n$900000000\r\n", b"$5\r\nabcde\r\n", b"*1\r\n:1\r\n",
                                    b"*999999999\r\n", b"-ERR \x1b[2J\r\n", b""])
def test_a_hostile_server_is_one_sentence(answer):
    import socket
    import threading
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as server:
        def serve():
            with server.accept()[0] as client:
                client.recv(4096)
                client.sendall(answer)
        threading.Thread(target=serve, daemon=True).start()
        with cluster.Stream("redis://127.0.0.1:%d" % server.getsockname()[1], timeout=2) as stream, \
                pytest.raises(Problem) as caught:
            cluster.rows(stream, [b"x" * 32], print)
    assert "\n" not in str(caught.value) and "\x1b" not in str(caught.value)


@pytest.mark.parametrize("url", ["redis+sentinel://127.0.0.1/master", "redis+cluster://127.0.0.1", "http://x", "x"])
def test_one_server_is_read(url):
    with pytest.raises(Problem, match="wants one server"):
        cluster.Stream(url)
