# SPDX-License-Identifier: GPL-2.0-or-later
"""T10: whoever is on the allow-list is never banned, whatever anybody does."""
import random

import pytest

from lib.fleet import fleet, make_proxy, wait_banned
from lib.kamailio import RpcFault
from lib.lan import PROXY
from lib.wait import wait_for

THRESHOLD = 5


def answered(guesser, count, label):
    """How many of so many guesses got an answer."""
    return sum(guesser.guess("%s-%d" % (label, number)) == 401 for number in range(count))


def allowed_nets(proxy):
    return {row["net"]: row["from"] for row in proxy.rpc("authban.allow_list") or ()}


@pytest.fixture(scope="module")
def listed(lan, tmp_path_factory):
    """(proxy, an address by parameter, one by file, the file)"""
    by_parameter, by_file = lan.attacker_address(), lan.attacker_address()
    path = tmp_path_factory.mktemp("allow") / "allow.txt"
    path.write_text("# our trunks\n198.51.100.0/24\n203.0.113.999\n%s # the lab\n" % by_file)
    extra = 'modparam("authban", "allow", "192.0.2.0/24, %s")\nmodparam("authban", "allow_file", "%s")\n' % (
        by_parameter, path)
    return lan.proxy(AB_THRESHOLD=THRESHOLD, settings={"extra": extra}), by_parameter, by_file, path


def test_nothing_of_an_allowed_source_is_counted(lan, listed):
    proxy, by_parameter, by_file, _ = listed
    before = proxy.authban()
    got = [answered(lan.guesser(proxy, source=source), 20, source) for source in (by_parameter, by_file)]
    after = proxy.authban()
    stranger = lan.guesser(proxy)
    control = stranger.guess_until_silent(20)
    print("\nT10 allowed: answered=%s of 20 counted=%d control banned after %d" % (
        got, after["failures"] - before["failures"], control))
    assert got == [20, 20] and control == THRESHOLD - 1
    assert {name: after[name] - before[name] for name in ("failures", "entries", "bans")} == {
        "failures": 0, "entries": 0, "bans": 0}
    assert proxy.rpc("authban.get", by_file)["state"] == "allowed"


def test_our_own_addresses_are_on_it(listed):
    proxy = listed[0]
    assert allowed_nets(proxy)[PROXY] == "configuration"
    assert proxy.rpc("authban.get", PROXY)["state"] == "allowed"
    assert proxy.rpc("authban.get", "127.9.9.9")["state"] == "allowed"
    with pytest.raises(RpcFault) as fault:
        proxy.rpc("authban.ban", PROXY, 60)
    assert fault.value.code == 409


def test_a_wrong_line_is_named_and_the_others_count(listed):
    proxy, _, by_file, _ = listed
    lines = proxy.log_lines("allow_file")
    assert len(lines) == 1 and "line 3" in lines[0] and "203.0.113.999" in lines[0]
    assert {"198.51.100.0/24", by_file, "192.0.2.0/24"} <= set(allowed_nets(proxy))


def test_the_file_is_read_again_without_a_restart(lan, listed):
    proxy, _, by_file, path = listed
    gone, new = by_file, lan.attacker_address()
    path.write_text("%s\n198.51.100.0/24\n" % new)
    assert proxy.rpc("authban.allow_reload")["entries"] == 2
    nets = allowed_nets(proxy)
    assert new in nets and "198.51.100.0/24" in nets and gone not in nets
    assert lan.guesser(proxy, source=gone).guess_until_silent(20) == THRESHOLD - 1
    assert answered(lan.guesser(proxy, source=new), 12, "new") == 12
    path.rename(str(path) + ".away")
    with pytest.raises(RpcFault) as fault:
        proxy.rpc("authban.allow_reload")
    assert fault.value.code == 500 and allowed_nets(proxy) == nets


def test_an_operator_allows_a_banned_source_at_once(lan, listed):
    proxy = listed[0]
    guesser = lan.guesser(proxy)
    source = guesser.link.local[0] if isinstance(guesser.link.local, tuple) else guesser.link.local.split(":")[0]
    assert guesser.guess_until_silent(20) == THRESHOLD - 1
    proxy.rpc("authban.allow_add", source)
    assert answered(guesser, 12, "allowed") == 12
    with pytest.raises(RpcFault) as fault:
        proxy.rpc("authban.ban", source, 60)
    assert fault.value.code == 409
    proxy.rpc("authban.allow_del", source)
    assert guesser.guess("again") == 0, "the ban is still there"
    with pytest.raises(RpcFault) as fault:
        proxy.rpc("authban.allow_del", source)
    assert fault.value.code == 404


@pytest.mark.parametrize("text", ["0.0.0.0/0", "10.0.0.0/7", "::/0", "2001::/15", "word", "192.0.2.1/24", ""])
def test_a_wrong_network_is_refused(listed, text):
    before = allowed_nets(listed[0])
    with pytest.raises(RpcFault) as fault:
        listed[0].rpc("authban.allow_add", text)
    assert fault.value.code == 400 and allowed_nets(listed[0]) == before


def test_it_holds_on_every_proxy_and_over_a_restart():
    victim, other = "127.30.1.1", "127.30.1.2"
    with fleet(2) as (redis, nodes):
        nodes[0].rpc("authban.ban", victim, 600)
        wait_banned(nodes, victim)
        nodes[1].rpc("authban.allow_add", "127.30.1.0/30")
        wait_for(lambda: all("127.30.1.0/30" in allowed_nets(node) for node in nodes), 1, "both know it")
        assert all(node.rpc("authban.get", victim)["state"] == "allowed" for node in nodes)
        with make_proxy(redis, 3) as late:
            assert "127.30.1.0/30" in allowed_nets(late), "loaded before it answers"
            assert late.rpc("authban.get", other)["state"] == "allowed"
            late.rpc("authban.allow_del", "127.30.1.0/30")
            wait_for(lambda: not any("127.30.1.0/30" in allowed_nets(node) for node in nodes), 1, "it is gone")
            assert all(node.rpc("authban.get", victim)["state"] == "banned" for node in nodes)


def try_something(proxy, choose, victim):
    """One random thing that an operator might do to a source or around it."""
    networks = [victim, "127.31.1.0/24", "127.31.0.0/16", "127.31.1.4/30", "127.31.1.8"]
    action = choose.choice(["ban", "ban", "unban", "allow_add", "allow_del"])
    target = choose.choice(networks)
    if action == "allow_del" and target == victim:
        return
    try:
        proxy.rpc("authban." + action, target, *((choose.randint(1, 600),) if action == "ban" else ()))
    except RpcFault as fault:
        assert fault.code in (404, 409)


def test_no_order_of_commands_blocks_it(proxy):
    """1,000 random commands on the address and the networks around it; it is asked for after each."""
    node, choose, victim = proxy(extra='modparam("authban", "allow", "127.31.1.5")'), random.Random(10), "127.31.1.5"
    for number in range(1000):
        try_something(node, choose, victim)
        assert node.rpc("authban.get", victim)["state"] == "allowed", "after command %d (seed 10)" % number
    print("\nT10 random commands: 1000, blocked=0 log lines=%d" % len(node.log_lines("event=")))
