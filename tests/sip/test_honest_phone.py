# SPDX-License-Identifier: GPL-2.0-or-later
"""Honest phones never notice authban: registered within two round trips, their owner never asked.

Over restarts, old nonces, other proxies, and with phones that keep no token.
"""
import pytest

from lib.lan import address_of, counted
from lib.kamailio import REALM
from lib.sip import Phone, credentials, request
from lib.wait import wait_for

NOTHING = {"failures": 0, "bans": 0, "blocked": 0, "malformed": 0, "entries": 0}


class TokenlessPhone(Phone):
    """Takes a challenge without its opaque, so it never gives the token back."""

    @property
    def challenge(self):
        return self._challenge

    @challenge.setter
    def challenge(self, value):
        self._challenge = {k: v for k, v in value.items() if k != "opaque"} if value else None


def figure(what, trips, proxy):
    """The test's line; nothing of the phone has been counted."""
    now = counted(proxy)
    print("\nphone %s: trips=%s %s" % (what, trips, " ".join("%s=%d" % pair for pair in now.items())))
    assert now == NOTHING


def registered(phone, trips=2):
    """One REGISTER; the round trips it took."""
    result = phone.register()
    assert result.status == 200
    assert result.round_trips <= trips
    assert not phone.asks_owner
    return result.round_trips


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("qop", [False, True])
def test_keeps_nonce_and_token(lan, transport, qop):
    proxy = lan.proxy(WITH_QOP=qop)
    phone = lan.phone(proxy, transport=transport)
    trips = [registered(phone) for _ in range(5)]
    figure("keeps its challenge, %s qop=%d" % (transport, qop), trips, proxy)
    assert trips == [2, 1, 1, 1, 1]
    assert proxy.authban()["successes"] == 5


def over_a_restart(phone, proxy):
    """Round trips before, right after, and once more after a restart."""
    trips = [registered(phone)]
    proxy.stop()
    proxy.start()
    return trips + [registered(phone), registered(phone)]


def test_restart_with_the_same_secrets(lan, key_file):
    """Nonce and token live on: one round trip."""
    proxy = lan.proxy(settings={"key_file": key_file})
    trips = over_a_restart(lan.phone(proxy), proxy)
    figure("over a restart, same secrets", trips, proxy)
    assert trips == [2, 1, 1]
    assert proxy.authban()["unproven"] == 0


@pytest.mark.parametrize("auth_secret", [None, "a secret of 32 bytes, the same ...."])
def test_restart_with_a_new_key(lan, auth_secret):
    """An old token proves nothing any more, but the password was right: ask again, tell nobody."""
    proxy = lan.proxy(AUTH_SECRET=auth_secret)
    trips = over_a_restart(lan.phone(proxy), proxy)
    figure("over a restart, new key, auth's secret %s" % ("kept" if auth_secret else "new"), trips, proxy)
    assert trips == [2, 2, 1]
    assert proxy.authban()["unproven"] == 1


def test_restart_with_a_new_auth_secret_only(lan, key_file):
    """The token is still ours, the nonce is not: the auth function says -1, as for a failed database."""
    proxy = lan.proxy(settings={"key_file": key_file}, AUTH_SECRET=None)
    trips = over_a_restart(lan.phone(proxy), proxy)
    figure("over a restart, key kept, auth's secret new", trips, proxy)
    assert trips == [2, 2, 1]
    assert proxy.authban()["backend_errors"] == 0


def test_nonce_expires(lan):
    """Again and again until the nonce is old: that costs one round trip more, nothing else."""
    proxy = lan.proxy(settings={"extra": 'modparam("auth", "nonce_expire", 1)'})
    phone = lan.phone(proxy)
    registered(phone)
    trips = []
    wait_for(lambda: trips.append(registered(phone)) or trips[-1] == 2, 10, "the nonce is old", pause=0.2)
    trips.append(registered(phone))
    figure("whose nonce expires", trips, proxy)
    assert trips[-2:] == [2, 1]


def at_both(lan, one, two):
    """A phone of one address at one proxy, then with that challenge at the other; round trips at that one."""
    phone = lan.phone(one)
    registered(phone)
    moved = lan.phone(two, source=address_of(phone))
    moved.challenge, moved.uses = phone.challenge, phone.uses
    return registered(moved)


def test_another_node_issued_the_token(lan, key_file):
    """Same keys on both proxies: the phone moves between them with one challenge."""
    one, two = (lan.proxy(settings={"key_file": key_file}) for _ in range(2))
    trips = at_both(lan, one, two)
    figure("with another node's token", trips, two)
    assert trips == 1


def test_another_node_with_another_key(lan):
    """Each proxy with a key of its own: one more round trip, never a failure."""
    one, two = lan.proxy(), lan.proxy()
    trips = at_both(lan, one, two)
    figure("with a stranger's token", trips, two)
    assert trips == 2


def test_another_node_with_another_auth_secret(lan, key_file):
    """The cluster key is shared, but somebody forgot auth's secret."""
    one, two = (lan.proxy(settings={"key_file": key_file}, AUTH_SECRET=None) for _ in range(2))
    trips = at_both(lan, one, two)
    figure("with another node's token and a stranger's nonce", trips, two)
    assert trips == 2


def test_no_token_over_tcp(lan):
    proxy = lan.proxy()
    phone = lan.phone(proxy, kind=TokenlessPhone, transport="tcp")
    trips = [registered(phone) for _ in range(3)]
    figure("without a token over tcp", trips, proxy)
    assert trips == [2, 1, 1]


def test_no_token_over_udp(lan):
    """Cannot prove its address, so it cannot register; it is told stale=true, and never counted."""
    proxy = lan.proxy(AB_THRESHOLD=5)
    phone = lan.phone(proxy, kind=TokenlessPhone)
    trips = []
    for _ in range(5):
        result = phone.register()
        trips.append(result.round_trips)
        assert result.status == 401
        assert phone.last.challenge()["stale"].lower() == "true"
        assert not phone.asks_owner
    figure("without a token over udp (401 stale=true)", trips, proxy)
    assert proxy.authban()["unproven"] >= sum(trips) - 1
    assert proxy.evaluated() == 0


def test_one_wrong_password_then_the_right_one(lan):
    proxy = lan.proxy(AB_THRESHOLD=5)
    phone = lan.phone(proxy, "carol", "mistyped")
    assert phone.register().status == 401
    assert phone.asks_owner, "a wrong password is not called stale"
    phone.password = "carol-secret"
    trips, now = registered(phone), counted(proxy)
    print("\nphone with one wrong password: trips=%d %s" % (trips, now))
    assert now == dict(NOTHING, failures=1, entries=3)


def test_a_register_sent_again(lan):
    """The same REGISTER three times, as UDP phones do when an answer is late."""
    proxy = lan.proxy()
    phone = lan.phone(proxy)
    registered(phone)
    me, domain = "sip:bob@" + REALM, "sip:" + REALM
    answer = credentials(phone.challenge, "bob", phone.password, "REGISTER", domain, 2)
    data = request("REGISTER", domain, me, me, phone.link.local, "UDP", phone.call_id, 99, None, None, [answer])
    statuses = [phone.link.ask(data, phone.call_id, 99).status for _ in range(3)]
    figure("that sends a REGISTER again: statuses=%s" % statuses, 1, proxy)
    assert statuses == [200, 200, 200]


def test_an_office_comes_back(lan):
    """T16: many phones of one address at once, half of them with a stranger's nonce: 0 lost, 0 counted."""
    proxy = lan.proxy(AB_THRESHOLD=5)
    source = lan.phone_address()
    phones = [lan.phone(proxy, source=source) for _ in range(30)]
    for phone in phones[::2]:
        phone.challenge = {"realm": REALM, "nonce": "B" * 40, "opaque": "B" * 32, "header": "Authorization"}
    trips = [registered(phone) for phone in phones]
    figure("T16 office of %d" % len(phones), max(trips), proxy)
    assert set(trips) == {2}
