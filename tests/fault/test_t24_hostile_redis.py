# SPDX-License-Identifier: GPL-2.0-or-later
"""T24: a stranger reads and writes our Redis. The worst that may happen is that news gets lost.

No ban of a source that did not fail, no unban of one that did; everything refused is counted.
"""
import time

import pytest

from lib import wire
from lib.fleet import THRESHOLD, banned, fleet, known, make_proxy, status, wait_banned
from lib.traffic import RoundRobin, answers, silent
from lib.wait import holds_for, wait_for


@pytest.fixture(scope="module")
def two():
    with fleet(2) as both:
        yield both


@pytest.fixture
def stranger(two):
    """A client that may do everything."""
    with two[0].client() as client:
        yield client


def now_ms():
    return int(time.time() * 1000)


def dropped(nodes):
    return [status(node)["redis_dropped"] for node in nodes]


def wait_dropped(nodes, before, count):
    """All of them have refused so many more records."""
    wait_for(lambda: all(now >= old + count for now, old in zip(dropped(nodes), before)), 3,
             "%d records are refused: %s" % (count, before))


def true_ban(nodes, stranger, source):
    """A record that a proxy has signed, out of the map."""
    nodes[0].rpc("authban.ban", source, 600)
    wait_banned(nodes, source)
    return wait_for(lambda: stranger("HGET", wire.map_key(source), wire.place(source)), 2, "it is in the map"
                    ).encode("latin-1")


def tell(stranger, record, source):
    """Over the log, and in the map."""
    stranger("XADD", wire.LOG, "*", "r", record)
    stranger("HSET", wire.map_key(source), wire.place(source), record)


def forged_states(source, state=wire.BANNED):
    """Records for a source without the key."""
    now = now_ms()
    plain = wire.state_record(source, now, state)
    return [b"", b"\0", b"\1", b"\xff" * 192, bytes(range(256)) * 4, b"ban " + source.encode(), plain, plain[:40],
            plain + b"\0" * 16, wire.state_record(source, now, state, signature=b"\0" * 16),
            wire.state_record(source, now, state, signature=b"\xff" * 16),
            wire.state_record(source, now, state, signature=b"short"),
            wire.state_record(source, now, state, seconds=10 ** 9, signature=b"\0" * 16),
            wire.state_record(source, now + 10 ** 12, state, signature=b"\0" * 16),
            wire.state_record(source, now, state, reason=b"x" * 47, origin=b"\n" * 47, signature=b"\0" * 16)]


def test_forged_bans_are_refused(two, stranger):
    redis, nodes = two
    victim, before = "127.9.1.1", dropped(nodes)
    records = forged_states(victim)
    for record in records:
        tell(stranger, record, victim)
    wait_dropped(nodes, before, len(records))
    holds_for(lambda: not any(banned(node, victim) for node in nodes), 0.5, "nobody bans the victim")
    with make_proxy(redis, 3) as late:
        assert not banned(late, victim) and answers(late, victim)
        assert status(late)["redis_dropped"] >= 1
    assert all(answers(node, victim) for node in nodes)
    print("\nT24 forged bans: written=%d banned=0 dropped=%s" % (2 * len(records), dropped(nodes)))


def test_forged_unbans_are_refused(two, stranger):
    redis, nodes = two
    guilty = "127.9.2.1"
    with RoundRobin(nodes, guilty) as attacker:
        attacker.send(30)
    wait_banned(nodes, guilty)
    before, records = dropped(nodes), forged_states(guilty, wire.UNBANNED)
    for record in records:
        tell(stranger, record, guilty)
    wait_dropped(nodes, before, len(records))
    holds_for(lambda: all(banned(node, guilty) for node in nodes), 0.5, "the ban stands")
    assert all(silent(node, guilty) for node in nodes)
    print("\nT24 forged unbans: written=%d lifted=0" % (2 * len(records)))


def test_every_flipped_bit_is_noticed(two, stranger):
    """A true record of a short ban with one bit changed, all bits in turn, and every shorter piece of it."""
    _, nodes = two
    victim = "127.9.3.1"
    record = true_ban(nodes, stranger, victim)
    nodes[0].rpc("authban.unban", victim)
    wait_for(lambda: not any(banned(node, victim) for node in nodes), 1, "lifted")
    changed = [record[:bit // 8] + bytes([record[bit // 8] ^ 1 << bit % 8]) + record[bit // 8 + 1:]
               for bit in range(8 * len(record))]
    changed += [record[:size] for size in range(len(record))]
    before, listed = dropped(nodes), [len(node.bans()) for node in nodes]
    for bad in changed:
        stranger("XADD", wire.LOG, "*", "r", bad)
    wait_dropped(nodes, before, len(changed))
    assert [now - old for now, old in zip(dropped(nodes), before)] == [len(changed)] * 2
    assert [len(node.bans()) for node in nodes] == listed
    print("\nT24 bit flips and cuts: written=%d accepted=0" % len(changed))


def test_a_ban_copied_to_another_field_bans_nobody_else(two, stranger):
    """The record names its source itself, whatever field it lies in."""
    redis, nodes = two
    record = true_ban(nodes, stranger, "127.9.4.1")
    victims = ["127.9.4.%d" % number for number in range(2, 12)]
    for victim in victims:
        stranger("HSET", wire.map_key(victim), wire.place(victim), record)
    with make_proxy(redis, 3) as late:
        assert banned(late, "127.9.4.1")
        assert not any(banned(late, victim) for victim in victims)
        assert answers(late, victims[0])
    print("\nT24 copied bans: fields=%d banned=0" % len(victims))


def share_of(stranger, source):
    """(key, field, value) of a true share in the newest window."""
    pattern = "{authban:0}:c:*:%d" % wire.count_bucket(source)
    cursor, keys = "0", []
    while True:
        cursor, found = stranger("SCAN", cursor, "MATCH", pattern, "COUNT", 1000)
        keys += found
        if cursor == "0":
            break
    for key in sorted(keys, reverse=True):
        every = stranger("HGETALL", key)
        for field, value in zip(every[::2], every[1::2]):
            if field.encode("latin-1").startswith(wire.place(source)):
                return key, field.encode("latin-1"), value.encode("latin-1")
    return None


def window_of(key):
    """The start of a window, out of its key's name."""
    return int(key.split(":c:")[1].split(":")[0].split(".")[1])


def fail_once(node, source, count=1):
    with RoundRobin([node], source) as attacker:
        assert attacker.send(count) == count


def forged_shares(stranger, victim, helper):
    """[(key, field, value)] that would ban the victim if anybody believed them."""
    key, field, value = wait_for(lambda: share_of(stranger, helper), 1, "a share to copy")
    start = window_of(key)
    here, before = wire.count_key(victim, start), wire.count_key(victim, start - 600)
    moved = wire.place(victim) + field[len(wire.place(victim)):]
    rows = [(here, moved, value), (before, moved, value)]
    for place in (here, before):
        rows += [(place, wire.share_field(victim), bad) for bad in (
            wire.share_value(), wire.share_value(signature=b"\0" * 8), wire.share_value(65535, b"\xff" * 8), b"",
            b"1000", value[:-1], value + b"\0", b"\xff" * 20, value)]
        rows += [(place, wire.place(victim), value), (place, wire.place(victim) + b"x" * 300, value)]
    return rows


def test_forged_shares_ban_nobody(two, stranger):
    """Copied from another source, from another window, unsigned, of a wrong length."""
    _, nodes = two
    victim, helper = "127.9.5.1", "127.9.5.2"
    fail_once(nodes[0], helper, THRESHOLD - 1)
    fail_once(nodes[0], victim)
    rows = forged_shares(stranger, victim, helper)
    true = wait_for(lambda: share_of(stranger, victim), 1, "a share of the victim")
    assert true[0] == rows[0][0], "the forged ones go where the proxies look"
    for key, field, value in rows:
        stranger("HSET", key, field, value)
    before = dropped(nodes)
    for node in nodes:
        fail_once(node, victim)
    wait_dropped(nodes, before, len(rows) // 2)
    holds_for(lambda: not any(banned(node, victim) for node in nodes), 0.5, "nobody believes it")
    # 3 failures in sum; by then each knows at most those.
    elsewhere = [known(node, victim)["failures_elsewhere"] for node in nodes]
    print("\nT24 forged shares: written=%d dropped=%s failures_elsewhere=%s" % (
        len(rows), [now - old for now, old in zip(dropped(nodes), before)], elsewhere))
    assert elsewhere[0] <= 1 and elsewhere[1] <= 2


def test_control_true_shares_do_count(two, stranger):
    """The forged shares lie where the proxies look: a true one there bans."""
    _, nodes = two
    fail_once(nodes[0], "127.9.5.9", THRESHOLD - 1)
    fail_once(nodes[1], "127.9.5.9")
    wait_banned(nodes, "127.9.5.9")


def test_deleting_the_map_lifts_nothing(two, stranger):
    _, nodes = two
    record = true_ban(nodes, stranger, "127.9.6.1")
    assert record
    for bucket in range(256):
        stranger("DEL", "{authban:0}:b:%d" % bucket)
    stranger("DEL", wire.LOG)
    holds_for(lambda: all(banned(node, "127.9.6.1") for node in nodes), 1.5, "living proxies keep their bans")
    assert all(silent(node, "127.9.6.1") for node in nodes)
    nodes[0].rpc("authban.ban", "127.9.6.2", 600)
    took = wait_banned(nodes, "127.9.6.2")
    print("\nT24 deleted map and log: lifted=0, next ban everywhere after %.0fms" % (1e3 * took))


def test_odd_entries_of_the_log_do_no_harm(two, stranger):
    _, nodes = two
    for words in (("x", "y"), ("r", ""), ("r", "1", "r", "2"), ("", ""), ("r", b"\0" * 100000)):
        stranger("XADD", wire.LOG, "*", *words)
    for number in range(2000):
        stranger("XADD", wire.LOG, "*", "r", b"noise %d" % number)
    nodes[1].rpc("authban.ban", "127.9.7.1", 600)
    took = wait_banned(nodes, "127.9.7.1", 2.0)
    print("\nT24 odd entries: written=2005, next ban everywhere after %.0fms" % (1e3 * took))
