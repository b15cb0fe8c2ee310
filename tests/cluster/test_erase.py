# SPDX-License-Identifier: GPL-2.0-or-later
"""authban.erase and erase_user at one proxy reach Redis and the others, and free nobody afterwards."""
import contextlib
import time

import pytest

from lib.clock import Clock
from lib.fleet import THRESHOLD, fleet, known, make_proxy, status, wait_banned, wait_connected
from lib.redis import Redis
from lib.remains import forms
from lib.sip import Guesser, Phone
from lib.wait import holds_for, wait_for
from proxies import RpcFault

STREAM, ERASURE, MINUTE = "{authban:0}:evidence", 2, 60
NET = "127.46.0."


@pytest.fixture(scope="module")
def cluster():
    with contextlib.ExitStack() as stack:
        clock = stack.enter_context(Clock())
        redis = stack.enter_context(Redis(password="of-the-test", **clock.settings))
        _, nodes = stack.enter_context(fleet(2, redis=redis, **clock.settings))
        yield clock, redis, nodes


def evidence(node, source):
    try:
        return node.rpc("authban.evidence_get", source)
    except RpcFault as fault:
        assert fault.code == 404, fault
        return None


def guess(node, source, count, user="alice"):
    before = node.authban()["failures"]
    with Guesser(user, node.target, source=source, timeout=2) as guesser:
        for number in range(count):
            header = guesser.answer_header(guesser.challenge(), "wrong-%d-%f" % (number, time.time()))
            guesser.link.send(guesser.build([header]))
        wait_for(lambda: node.authban()["failures"] == before + count, 3, "the failures are counted")


def wait_told(cluster, condition, what):
    """Proxies look into the stream every 5 s, which need not be waited for."""
    cluster[0].advance(5)
    wait_for(condition, 8, what)


def erasures(redis):
    """The records of erasures in the stream."""
    rows = [fields[1].encode("latin-1") for _, fields in redis.command("XRANGE", STREAM, "-", "+")]
    return [row for row in rows if row[1] & ERASURE]


def test_an_address_is_forgotten_everywhere(cluster):
    nodes = cluster[2]
    source, other = NET + "1", NET + "2"
    for node in nodes:
        guess(node, source, 2)
        guess(node, other, 2)
    with Phone("bob", "bob-secret", nodes[1].target, source=source) as phone:
        assert phone.register().status == 200
    assert known(nodes[1], source)["known_good"] == "yes"
    answer = nodes[0].rpc("authban.erase", source)
    assert answer["evidence"] == 1 and evidence(nodes[0], source) is None
    wait_told(cluster, lambda: evidence(nodes[1], source) is None, "the other proxy forgets")
    row = known(nodes[1], source)
    assert row is None or (row["failures"], row["known_good"]) == (0, "no")
    assert all(evidence(node, other)["failures"] == 2 for node in nodes), "nobody else is forgotten"


def test_a_ban_and_what_was_told_of_it_go_too(cluster):
    _, redis, nodes = cluster
    source = NET + "3"
    guess(nodes[0], source, THRESHOLD)
    wait_banned(nodes, source, 2)
    wait_for(lambda: evidence(nodes[1], source), 8, "the evidence is told")
    nodes[1].rpc("authban.erase", source)  # not where it was seen
    wait_for(lambda: evidence(nodes[0], source) is None and not any(source in node.bans() for node in nodes), 8,
             "all forget")
    holds_for(lambda: not any(evidence(node, source) for node in nodes), 0.3)
    print("\nerase: %d records of erasures in Redis, no other" % len(erasures(redis)))
    assert len(erasures(redis)) >= 1 and len(redis.command("XRANGE", STREAM, "-", "+")) == len(erasures(redis))


def test_a_user_is_forgotten_everywhere(cluster):
    nodes = cluster[2]
    source = NET + "4"
    for node in nodes:
        guess(node, source, 1, "erase-me")
        guess(node, source, 1, "keep-me")
    answer = nodes[0].rpc("authban.erase_user", "erase-me@" + nodes[0].realm)
    assert answer["samples"] == 1
    wait_told(cluster, lambda: len(evidence(nodes[1], source)["samples"]) == 1, "the other proxy forgets")
    assert [len(evidence(node, source)["samples"]) for node in nodes] == [1, 1]


def test_an_erasure_played_again_frees_nobody(cluster):
    """Who may write to Redis has the records; a proxy that starts finds them there, too."""
    _, redis, nodes = cluster
    source = NET + "5"
    guess(nodes[1], source, 1)
    nodes[0].rpc("authban.erase", source)
    wait_told(cluster, lambda: evidence(nodes[1], source) is None, "the other proxy forgets")
    guess(nodes[1], source, THRESHOLD)
    wait_banned(nodes, source, 2)
    record = erasures(redis)[-1]
    for _ in range(3):
        redis.command("XADD", STREAM, "*", "e", record)
    dropped = status(nodes[1])["redis_dropped"]
    redis.command("XADD", STREAM, "*", "e", record[:-1] + bytes([record[-1] ^ 1]))
    wait_told(cluster, lambda: status(nodes[1])["redis_dropped"] > dropped, "a changed one is dropped, the last")
    assert all(source in node.bans() for node in nodes) and evidence(nodes[1], source)["failures"] == THRESHOLD
    with make_proxy(redis, 3, **cluster[0].settings) as third:
        wait_connected(third)
        wait_for(lambda: evidence(third, source), 8, "a new proxy has read the stream")
        holds_for(lambda: source in third.bans() and evidence(third, source)["bans"] == 1, 0.3)


def test_the_address_is_out_of_the_stream_after_twenty_minutes(cluster):
    clock, redis, nodes = cluster
    source = NET + "6"
    guess(nodes[0], source, 1)
    nodes[0].rpc("authban.erase", source)
    wait_for(lambda: any(forms(source)["mapped"] in row for row in erasures(redis)), 8, "it is told")
    clock.advance(2)
    guess(nodes[0], NET + "7", THRESHOLD)
    wait_for(lambda: len(redis.command("XRANGE", STREAM, "-", "+")) > len(erasures(redis)), 8, "news behind it")
    clock.advance(20 * MINUTE + 5)
    wait_for(lambda: not erasures(redis), 10, "it is gone")
    assert redis.command("XRANGE", STREAM, "-", "+"), "what came behind it is not"
