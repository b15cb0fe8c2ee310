# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands as an operator types them (kamcmd) and as a program sends them (JSON)."""
import re

import pytest

from lib.kamailio import Proxy
from lib.traffic import RoundRobin, answers, silent
from proxies import RpcFault

SNAKE = re.compile(r"^[a-z][a-z0-9_]*$")
STATUS = {"mode", "node", "proof", "capacity", "entries", "banned", "dry_run", "watched", "unbanned", "evictions",
          "threshold", "window", "ban_time", "ban_time_max", "redis", "redis_server", "redis_role", "redis_prefix",
          "redis_lag_ms", "redis_pending", "redis_errors", "redis_dropped", "redis_last_error"}
LIST = {"source", "reason", "failures", "users", "since", "ttl", "origin", "proof"}
GET = LIST | {"state", "failures_here", "failures_elsewhere", "threshold", "window", "why"}


def attack(node, source, count):
    """Guesses from a source that is not banned; once banned it stays so for the second way to call."""
    if silent(node, source):
        return 0
    with RoundRobin([node], source) as attacker:
        return attacker.send(count, 1000)


def test_status(alone, pair, call):
    (row,) = call(alone, "authban.status")
    assert STATUS <= set(row) and all(SNAKE.match(name) for name in row)
    assert (row["mode"], row["node"], row["proof"], row["redis"], row["threshold"]) \
        == ("ban", "node-1", "token", "none", "5")
    (row,) = call(pair[1], "authban.status")
    assert (row["redis"], row["redis_role"], row["node"], row["cluster"]) == ("connected", "master", "node-2", "yes")
    assert re.fullmatch(r"127\.0\.0\.1:\d+", row["redis_server"])


def test_list(alone, call):
    attack(alone, "127.12.1.1", 10)
    row = next(row for row in call(alone, "authban.list", 1000) if row["source"] == "127.12.1.1")
    assert LIST <= set(row) and all(SNAKE.match(name) for name in row)
    assert (row["reason"], row["failures"], row["users"], row["origin"], row["proof"]) \
        == ("threshold", "5", "1", "node-1", "token")
    assert 540 <= int(row["ttl"]) <= 600
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row["since"])


def test_get_explains(alone, call):
    attack(alone, "127.12.2.1", 10)
    (row,) = call(alone, "authban.get", "127.12.2.1")
    assert GET <= set(row) and row["why"] == "threshold: 5 failures in 600 s (threshold 5)"
    assert row["failures_here"] == "5"
    attack(alone, "127.12.2.2", 1)
    (row,) = call(alone, "authban.get", "127.12.2.2")
    assert row["state"] == "watched" and re.fullmatch(
        r"[12] failures in 600 s \(threshold 5\), [12] in 86400 s \(long_threshold 20\)", row["why"])
    alone.rpc("authban.ban", "127.12.2.3", 60, "by_hand")
    (row,) = call(alone, "authban.get", "127.12.2.3")
    assert (row["state"], row["reason"], row["proof"]) == ("banned", "by_hand", "operator")
    assert row["why"] == "by_hand"
    alone.rpc("authban.unban", "127.12.2.3")
    (row,) = call(alone, "authban.get", "127.12.2.3")
    assert row["state"] == "none" and row["why"].startswith("unbanned lately")


def test_get_inside_a_banned_network_shows_the_network(alone, call):
    alone.rpc("authban.ban", "127.12.3.0/24", 60)
    (row,) = call(alone, "authban.get", "127.12.3.77")
    assert (row["source"], row["state"]) == ("127.12.3.0/24", "banned")


def test_ban_and_unban(alone, call):
    (row,) = call(alone, "authban.ban", "127.12.4.1", 120, "a_reason")
    assert (row["source"], row["state"], row["reason"], row["proof"]) \
        == ("127.12.4.1", "banned", "a_reason", "operator")
    assert 119 <= int(row["ttl"]) <= 120
    assert silent(alone, "127.12.4.1")
    (row,) = call(alone, "authban.unban", "127.12.4.1")
    assert row == {"source": "127.12.4.1", "unbanned": "1"}
    assert answers(alone, "127.12.4.1")


def test_defaults_of_ban(alone, call):
    (row,) = call(alone, "authban.ban", "127.12.4.2")
    assert (row["reason"], row["ttl"]) == ("operator", "600")


def test_ban_with_seconds_and_no_reason(alone, call):
    """kamcmd fills a missing text with one of its own, which must not become the reason."""
    (row,) = call(alone, "authban.ban", "127.12.4.3", 60)
    assert (row["reason"], row["ttl"]) == ("operator", "60")


def test_ban_with_a_reason_and_no_seconds_is_refused_or_understood(alone, call):
    """What was typed as the reason must not vanish."""
    try:
        (row,) = call(alone, "authban.ban", "127.12.4.4", "by_hand")
        assert row["reason"] == "by_hand"
    except RpcFault as fault:
        assert 400 <= fault.code < 500


def test_ipv6_is_banned_by_its_64(alone, call):
    (row,) = call(alone, "authban.ban", "2001:db8:1:2::7", 60)
    assert row["source"] == "2001:db8:1:2::/64"
    (row,) = call(alone, "authban.get", "2001:db8:1:2:ffff::1")
    assert row["state"] == "banned"
    (row,) = call(alone, "authban.unban", "2001:db8:1:2::7")
    assert row["unbanned"] == "1"


def test_a_mapped_address_is_ipv4(alone, call):
    (row,) = call(alone, "authban.ban", "::ffff:127.12.4.9", 60)
    assert row["source"] == "127.12.4.9" and silent(alone, "127.12.4.9")


def test_unban_of_a_network_lifts_all_inside(alone, call):
    for host in (1, 2, 3):
        alone.rpc("authban.ban", "127.12.5.%d" % host, 60)
    alone.rpc("authban.ban", "127.12.6.1", 60)
    (row,) = call(alone, "authban.unban", "127.12.5.0/24")
    assert row["unbanned"] == "3"
    assert set(alone.bans()).isdisjoint("127.12.5.%d" % host for host in (1, 2, 3))
    assert "127.12.6.1" in {row["source"] for row in alone.rpc("authban.list", 1000)}


FAULTS = [
    (("authban.ban",), 400, "which"),
    (("authban.unban",), 400, "which"),
    (("authban.get",), 400, "which"),
    (("authban.ban", "nonsense"), 400, "not an IP address"),
    (("authban.get", "1.2.3"), 400, "not an IP address"),
    (("authban.unban", "1.2.3.4.5"), 400, "not an IP address"),
    (("authban.ban", "1.2.3.4/33"), 400, "not an IP address"),
    (("authban.ban", "192.0.2.1/24"), 400, "not an IP address"),
    (("authban.ban", "%s" % ("9" * 300)), 400, "not an IP address"),
    (("authban.ban", "10.0.0.0/8"), 400, "/16"),
    (("authban.ban", "0.0.0.0/0"), 400, "/16"),
    (("authban.ban", "2001::/16"), 400, "/32"),
    (("authban.ban", "::/0"), 400, "/32"),
    (("authban.ban", "192.0.2.1", 0), 400, "seconds"),
    (("authban.ban", "192.0.2.1", 2592001), 400, "seconds"),
    (("authban.ban", "127.0.0.1"), 409, "own address"),
    (("authban.ban", "127.0.0.0/24"), 409, "own address"),
    (("authban.get", "198.51.100.1"), 404, "Nothing is known"),
    (("authban.unban", "198.51.100.1"), 404, "Nothing is known"),
    (("authban.unban", "198.51.100.0/24"), 404, "Nothing is known"),
    (("authban.list", 0), 400, "limit"),
    (("authban.list", 100001), 400, "limit"),
    (("authban.list", "many"), 400, "limit"),
]


@pytest.mark.parametrize("words,code,part", FAULTS, ids=[" ".join(map(str, row[0]))[:40] for row in FAULTS])
def test_faults(alone, call, words, code, part):
    before = alone.authban()["bans"]
    with pytest.raises(RpcFault) as caught:
        call(alone, *words)
    assert caught.value.code == code and part in caught.value.text
    assert alone.authban()["bans"] == before


@pytest.mark.parametrize("seconds", [-1, -2147483648, 4294967297])
def test_odd_seconds_by_json(alone, seconds):
    with pytest.raises(RpcFault) as caught:
        alone.rpc("authban.ban", "192.0.2.1", seconds)
    assert 400 <= caught.value.code < 500


def test_odd_offset_by_json(alone):
    with pytest.raises(RpcFault, match="offset"):
        alone.rpc("authban.list", 10, -1)


def test_the_own_address_is_no_ipv6_network(alone):
    """::1 has nothing to do with our IPv4 sockets: the sentence must be true."""
    try:
        alone.rpc("authban.ban", "::1", 60)
        alone.rpc("authban.unban", "::1")
    except RpcFault as fault:
        assert "127.0.0.1" not in fault.text


def test_an_ipv6_network_holds_no_ipv4_source(alone):
    """IPv4 is kept as ::ffff:0:0/96 inside; that must not show."""
    alone.rpc("authban.ban", "127.12.10.1", 60)
    with pytest.raises(RpcFault) as caught:
        alone.rpc("authban.unban", "::/32")
    assert caught.value.code == 404
    assert silent(alone, "127.12.10.1")


def test_unban_inside_a_banned_network_names_it(alone, call):
    alone.rpc("authban.ban", "127.12.7.0/24", 60)
    with pytest.raises(RpcFault, match=r"127\.12\.7\.0/24") as caught:
        call(alone, "authban.unban", "127.12.7.5")
    assert caught.value.code == 409
    assert silent(alone, "127.12.7.5")


def test_paging(call):
    with Proxy(node="node-1") as node:
        wanted = {"127.13.1.%d" % number for number in range(1, 251)}
        for source in wanted:
            node.rpc("authban.ban", source, 600)
        assert len(call(node, "authban.list")) == 100
        pages = [call(node, "authban.list", 60, offset) for offset in range(0, 300, 60)]
        assert [len(page) for page in pages] == [60, 60, 60, 60, 10]
        seen = [row["source"] for page in pages for row in page]
        assert set(seen) == wanted and len(seen) == 250
        assert len(call(node, "authban.list", 1)) == 1 and call(node, "authban.list", 10, 250) == []
        assert len(call(node, "authban.list", 100000)) == 250
        print("\nRPC paging: bans=250 pages=%s" % [len(page) for page in pages])


REASONS = ["two words", "ip=10.0.0.1 event=unban", "line\nbreak", "\x1b[31mred\x1b[0m", "tab\there", 'quote"d',
           "back\\slash", "\x01\x02\x7f", "gr\u00fc\u00dfe", "x" * 300, "%s%n", "a=b"]


@pytest.mark.parametrize("reason", REASONS, ids=range(len(REASONS)))
def test_a_reason_stays_one_token(alone, reason):
    row = alone.rpc("authban.ban", "127.12.8.1", 60, reason)
    assert re.fullmatch(r"[!-~]{1,47}", row["reason"]) and '"' not in row["reason"] and "\\" not in row["reason"]
    assert alone.rpc("authban.get", "127.12.8.1")["reason"] == row["reason"]


def test_an_empty_reason_is_the_operator(alone):
    assert alone.rpc("authban.ban", "127.12.8.2", 60, "")["reason"] == "operator"


def test_2000_reasons_do_not_break_anything(alone):
    """The table of texts has 1,024 places; afterwards bans work without their text."""
    for number in range(2000):
        assert alone.rpc("authban.ban", "127.12.9.1", 60, "reason_%d" % number)["state"] == "banned"
    row = alone.rpc("authban.ban", "127.12.9.2", 60)
    assert (row["reason"], row["origin"]) == ("operator", "node-1")
