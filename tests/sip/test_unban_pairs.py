# SPDX-License-Identifier: GPL-2.0-or-later
"""An unban of a source means its pairs too, and then it answers for itself alone, whatever its network does."""
import pytest

from lib.attacks import new_password
from lib.calls import call, calling_config
from lib.lan import address_of
from lib.sip import Guesser
from proxies import RpcFault

THRESHOLD = 4


@pytest.fixture(scope="module")
def proxy(lan, tmp_path_factory):
    return lan.proxy(AB_THRESHOLD=THRESHOLD, AB_NET_SOURCES=3,
                     settings={"config": calling_config(tmp_path_factory.mktemp("unban"))})


def guesser_at(lan, proxy, source, user):
    host = "phone" if source in lan.phones else "attacker"
    return lan.keep(Guesser(user, proxy.target, source=source, netns=lan.net[host]))


def by_rpc(lan, proxy, source):
    return proxy.rpc("authban.unban", source)["unbanned"]


def by_script(lan, proxy, source):
    return call(lan.guesser(proxy), "unban", source)


@pytest.mark.parametrize("unban", [by_rpc, by_script])
def test_the_pairs_are_free(lan, proxy, unban):
    phone = lan.phone(proxy)
    assert phone.register().status == 200
    source = address_of(phone)
    guessers = [guesser_at(lan, proxy, source, user) for user in ("alice", "carol")]
    for guesser in guessers:
        assert [guesser.guess(new_password()) for _ in range(THRESHOLD + 1)] == [401] * (THRESHOLD - 1) + [0, 0]
    states = [pair["state"] for pair in proxy.rpc("authban.get", source)["pairs"]]
    said = unban(lan, proxy, source)
    again = [[guesser.guess(new_password()) for _ in range(THRESHOLD + 1)] for guesser in guessers]
    print("\nunban %s: pairs were %s, unban said %s, each then had %s" % (unban.__name__, states, said, again[0]))
    assert states == ["banned"] * 2 and said == 1
    # the full threshold, not one guess as within `memory` of a ban
    assert again == [[401] * (THRESHOLD - 1) + [0, 0]] * 2
    assert phone.register().status == 200


def watched(proxy, net):
    row = next((row for row in proxy.rpc("authban.networks") or () if row["net"] == net), {"level": "none"})
    return row["level"]


def test_after_an_unban_the_watch_of_the_network_does_not_matter(lan, proxy):
    net, sources = "10.78.1.0/24", 0
    while watched(proxy, net) == "none":
        assert lan.guesser(proxy).guess(new_password()) == 401
        sources += 1
        assert sources < 10
    assert watched(proxy, net) == "watched", "not restricted yet"
    # somebody who failed already, so that nobody new comes
    source = next(row["source"] for row in proxy.rpc("authban.top") if row["source"].startswith("10.78.1."))
    guesser = guesser_at(lan, proxy, source, "alice")
    assert guesser.guess(new_password()) == 0, "its second failure"
    reason = proxy.rpc("authban.get", source)["why"]
    assert proxy.rpc("authban.unban", source)["unbanned"] == 1
    later = [guesser.guess(new_password()) for _ in range(THRESHOLD)]
    print("\nunban under watch after %d sources: before %s, after %s" % (sources, reason, later))
    assert reason == "network: 2 failures in 600 s (net_threshold 2)"
    assert later == [401] * (THRESHOLD - 1) + [0]


def test_who_only_waits_is_told_which_network_it_is(lan, proxy):
    """A stranger in a network under restriction is not banned himself: unban says what to do."""
    net = "10.78.1.0/24"
    number = 0
    while watched(proxy, net) != "restricted":
        lan.guesser(proxy).guess(new_password())
        number += 1
        assert number < 20
    stranger = lan.guesser(proxy, timeout=0.3)
    silent = stranger.guess()
    row = proxy.rpc("authban.get", address_of(stranger))
    assert row["state"] == "none" and (row["network"]["net"], row["network"]["state"]) == (net, "banned")
    with pytest.raises(RpcFault) as caught:
        proxy.rpc("authban.unban", address_of(stranger))
    print("\nunban of who waits: guess=%d, %s; %s" % (silent, caught.value, row["network"]["why"]))
    assert silent == 0
    assert caught.value.code == 409 and net in caught.value.text and "allow_add" in caught.value.text
    assert proxy.rpc("authban.unban", net)["unbanned"] >= 1
    assert watched(proxy, net) == "none"
    assert stranger.guess() == 401
