# SPDX-License-Identifier: GPL-2.0-or-later
"""T25: somebody who has the cluster key, or one of our proxies gone wrong. What he says is signed, so it is true as
far as it goes; this is how far that is, and how to get rid of it."""
import time

import pytest

from lib import wire
from lib.fleet import THRESHOLD, banned, cluster_key, fleet, known, make_proxy, status, wait_banned, wait_lifted
from lib.traffic import RoundRobin, answers, silent
from lib.wait import holds_for, wait_for
from proxies import RpcFault

CAP = 300


@pytest.fixture(scope="module")
def two():
    with fleet(2, extra='modparam("authban", "peer_changes", %d)' % CAP) as both:
        yield both


@pytest.fixture
def stranger(two):
    with two[0].client() as client:
        yield client


def hostile(two, name):
    """A proxy of that name in the hand of somebody else."""
    with open(cluster_key(two[0]), "rb") as text:
        return wire.Node(text.read().strip(), name)


def now_ms():
    return int(time.time() * 1000)


def tell(stranger, record, source, bits=128):
    stranger("HSET", wire.map_key(source, bits), wire.place(source, bits), record)
    stranger("XADD", wire.LOG, "*", "r", record)


def refused(node, cause):
    return status(node)["redis_refused"][cause]


def test_control_a_signed_ban_is_believed(two, stranger):
    """So the bounds below are not those of a record that nobody reads."""
    evil = hostile(two, "evil-0")
    tell(stranger, evil.state("127.11.0.1", now_ms()), "127.11.0.1")
    wait_banned(two[1], "127.11.0.1")
    assert known(two[1][0], "127.11.0.1")["origin"] == "evil-0"
    assert silent(two[1][0], "127.11.0.1")


def test_no_ban_is_wider_or_longer_than_ours(two, stranger):
    _, nodes = two
    evil, before = hostile(two, "evil-1"), [refused(node, "range") for node in nodes]
    for bits in (0, 96, 96 + 8, 96 + 15):
        stranger("XADD", wire.LOG, "*", "r", evil.state(b"\0" * 10 + b"\xff\xff" + b"\0" * 4 if bits >= 96
                                                           else b"\0" * 16, now_ms(), bits=bits))
    for node, old in zip(nodes, before):
        wait_for(lambda: refused(node, "range") >= old + 4, 2, "wide bans are refused")
    tell(stranger, evil.state("127.11.1.1", now_ms(), seconds=400 * 86400), "127.11.1.1")
    tell(stranger, evil.state("127.11.1.2", now_ms(), seconds=400 * 86400, proof=4), "127.11.1.2")
    wait_banned(nodes, "127.11.1.2")
    wait_banned(nodes, "127.11.1.1")
    ttl = [known(nodes[0], "127.11.1.%d" % number)["ttl"] for number in (1, 2)]
    print("\nT25 widest: /16; longest: %d s, in an operator's name %d s" % tuple(ttl))
    assert ttl[0] <= status(nodes[0])["ban_time_max"] and ttl[1] <= 30 * 86400


def test_the_allow_list_wins(two, stranger):
    _, nodes = two
    nodes[0].rpc("authban.allow_add", "127.11.2.0/24")
    wait_for(lambda: all(known(node, "127.11.2.1") for node in nodes), 1, "it is allowed on both")
    evil = hostile(two, "evil-2")
    tell(stranger, evil.state("127.11.2.1", now_ms()), "127.11.2.1")
    tell(stranger, evil.state("127.11.0.0", now_ms(), bits=96 + 16), "127.11.0.0", 96 + 16)
    wait_banned(nodes, "127.11.3.1")
    answered = [answers(node, "127.11.2.1") for node in nodes]
    assert all(answered) and all(silent(node, "127.11.3.1") for node in nodes)
    for node in nodes:
        node.rpc("authban.forget", "evil-2")
    wait_lifted(nodes, "127.11.3.1")
    print("\nT25 allow-list: answered=%d of %d in a banned /16" % (sum(answered), len(answered)))


def test_a_share_holds_no_more_than_one_window_can(two, stranger):
    """One that claims 60,000 failures bans, as a share of the threshold would; it leaves no more behind."""
    _, nodes = two
    evil, source = hostile(two, "evil-3"), "127.11.4.1"
    start = now_ms() // 1000 // 600 * 600
    stranger("HSET", *evil.share(source, start, 60000))
    with RoundRobin(nodes[:1], source) as attacker:
        attacker.send(1)
    wait_banned(nodes[:1], source)
    row = known(nodes[0], source)
    print("\nT25 a share of 60000: counted as %d, clipped=%d" % (row["failures"], status(nodes[0])["redis_clipped"]))
    assert row["failures"] <= 100 and status(nodes[0])["redis_clipped"] == 1
    assert refused(nodes[0], "mac") == 0


def test_changes_of_one_proxy_are_limited(two, stranger):
    _, nodes = two
    evil, now = hostile(two, "evil-4"), now_ms()
    wait_for(lambda: time.time() % 60 < 50, 11, "a minute that does not end at once")
    before = status(nodes[0])["banned"]
    for number in range(3 * CAP):
        stranger.send("XADD", wire.LOG, "*", "r", evil.state("127.12.%d.%d" % divmod(number, 250), now))
    for _ in range(3 * CAP):
        stranger.read()
    for node in nodes:
        wait_for(lambda: refused(node, "too_many") >= 2 * CAP, 3, "the rest is refused")
    made = status(nodes[0])["banned"] - before
    nodes[1].rpc("authban.ban", "127.11.5.1", 60)
    wait_banned(nodes, "127.11.5.1")
    lines = nodes[0].log_lines("proxy evil-4 has made or lifted more than %d bans" % CAP)
    print("\nT25 bans of one minute: written=%d believed=%d lines=%d" % (3 * CAP, made, len(lines)))
    assert made == CAP and len(lines) == 1


def test_forget_clears_all_of_it(two, stranger):
    """Bans, an unban, an allow entry, shares: everywhere, in Redis too, within a second."""
    redis, nodes = two
    evil, now = hostile(two, "evil-5"), now_ms()
    start = now // 1000 // 600 * 600
    sources = ["127.13.1.%d" % number for number in range(1, 101)]
    nodes[0].rpc("authban.ban", "127.13.2.1", 600)
    wait_banned(nodes, "127.13.2.1")
    for source in sources:
        tell(stranger, evil.state(source, now), source)
    stranger("XADD", wire.LOG, "*", "r", evil.state("127.13.3.0", now, kind=wire.ALLOW, bits=96 + 24, proof=4))
    stranger("HSET", *evil.share("127.13.4.1", start, THRESHOLD - 1))
    with RoundRobin(nodes[:1], "127.13.4.1") as attacker:
        assert attacker.send(1) == 1 or banned(nodes[0], "127.13.4.1")
    wait_banned(nodes, sources[-1])
    counts = len([row for row in nodes[1].rpc("authban.list", 1000) if row["origin"] == "evil-5"])
    begin = time.monotonic()
    said = nodes[1].rpc("authban.forget", "evil-5")
    wait_lifted(nodes, sources[0])
    left = [[row for row in node.rpc("authban.list", 1000) if row["origin"] == "evil-5"] for node in nodes]
    wait_for(lambda: not any(b"evil-5" in value for value in map_values(stranger)), 1, "they leave the map")
    took = time.monotonic() - begin
    stranger("HSET", *evil.share("127.13.4.2", start, 50))
    for source in sources[:10]:
        tell(stranger, evil.state(source, now_ms() + 1000), source)
    with RoundRobin(nodes[:1], "127.13.4.2") as attacker:
        assert attacker.send(1) == 1
    holds_for(lambda: not any(banned(nodes[0], source) for source in ("127.13.4.2", sources[0])), 0.3, "not believed")
    with make_proxy(redis, 3) as late:
        again = [row for row in late.rpc("authban.list", 1000) if row["origin"] == "evil-5"]
        assert banned(late, "127.13.2.1")
    print("\nT25 forget: bans=%d of %d, allow entries=%d, left=%s, took=%.0fms, on a later start=%d" % (
        said["bans"], counts, said["allowed"], [len(rows) for rows in left], 1e3 * took, len(again)))
    assert said["bans"] == counts == 100 and said["allowed"] == 1
    assert left == [[], []] and again == [] and took < 1.0
    assert all(banned(node, "127.13.2.1") for node in nodes), "what the others said stays"
    assert nodes[0].log_lines("node=evil-5 event=forget by=node-2 bans=100 ")


def map_values(stranger):
    for bucket in range(256):
        for value in stranger("HGETALL", "{authban:0}:b:%d" % bucket)[1::2]:
            yield value.encode("latin-1")


def test_a_forgotten_proxy_is_back_after_a_restart(two):
    _, nodes = two
    first, second = nodes
    first.rpc("authban.ban", "127.13.5.1", 600)
    wait_banned(nodes, "127.13.5.1")
    second.rpc("authban.forget", "node-1")
    wait_lifted(nodes, "127.13.5.1")
    first.rpc("authban.ban", "127.13.5.2", 600)
    holds_for(lambda: not banned(second, "127.13.5.2"), 0.3, "what it says now is not believed")
    wait_for(lambda: first.log_lines("has had this proxy forgotten"), 6, "it says so itself")
    assert "yes" in [row["forgotten"] for row in status(second)["peers"] if row["node"] == "node-1"]
    first.end()
    first.start()
    first.rpc("authban.ban", "127.13.5.3", 600)
    took = wait_banned(nodes, "127.13.5.3")
    assert not banned(second, "127.13.5.2")
    print("\nT25 a restart after forget: believed again, ban everywhere after %.0fms" % (1e3 * took))


@pytest.mark.parametrize("words, code", [((), 400), (("nobody-has-this-name",), 404), (("n" * 48,), 400)])
def test_a_wrong_name_is_a_fault(two, words, code):
    with pytest.raises(RpcFault) as caught:
        two[1][0].rpc("authban.forget", *words)
    assert caught.value.code == code
    print("\nauthban.forget %s: %s" % (" ".join(words)[:20], caught.value))
