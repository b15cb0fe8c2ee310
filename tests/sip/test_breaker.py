# SPDX-License-Identifier: GPL-2.0-or-later
"""T17: the subscriber table is emptied under 30 phones that work: the breaker opens, and nobody is banned."""
import contextlib
import sqlite3

import pytest

from lib.attacks import register_all
from lib.crowd import Crowd
from lib.wait import wait_for

PHONES, THRESHOLD = 30, 3
USERS = [("user-%d" % number, "secret-%d" % number) for number in range(PHONES)]


@contextlib.contextmanager
def phones_of(lan, proxy):
    """(crowd, 30 phones at 30 addresses, all registered)."""
    with Crowd(proxy.target, lan.net["phone"]) as crowd:
        phones = [crowd.member(source, *user) for source, user in zip(lan.phones, USERS)]
        assert register_all(crowd, phones, rate=500) == [200] * PHONES
        yield crowd, phones


def change_table(proxy, there):
    """Takes all users away, or brings them back."""
    change = "substr(username, 6)" if there else "'gone-' || username"
    with contextlib.closing(sqlite3.connect(proxy.database, timeout=5)) as db, db:
        assert db.execute("UPDATE subscriber SET username = " + change).rowcount == PHONES


def proxy_of(lan, **defines):
    return lan.proxy(AB_THRESHOLD=THRESHOLD, WITH_QOP=True, settings={
        "users": USERS, "extra": 'modparam("authban", "breaker", %d)' % defines.pop("breaker", 10)}, **defines)


def all_fail(crowd, phones, rounds):
    """Each tries so many times: the statuses of the last round."""
    for _ in range(rounds):
        statuses = crowd.ask(phones, rate=500)
    return statuses


def of_the_breaker(proxy):
    status = proxy.rpc("authban.status")
    return {name.partition("_")[2] or name: value for name, value in status.items() if name.startswith("breaker")}


def test_an_empty_table_bans_nobody(lan):
    proxy = proxy_of(lan)
    with phones_of(lan, proxy) as (crowd, phones):
        before = of_the_breaker(proxy)
        change_table(proxy, there=False)
        statuses = all_fail(crowd, phones, 2 * THRESHOLD)
        seen, counters = of_the_breaker(proxy), proxy.authban()
        change_table(proxy, there=True)
        rounds = 0
        while of_the_breaker(proxy)["breaker"] == "open" and rounds < 40:
            assert register_all(crowd, phones, rate=500) == [200] * PHONES
            rounds += 1
        after = of_the_breaker(proxy)
    lines = [line.split("authban_breaker_news(): ")[1] for line in proxy.log_lines("authban_breaker_news")]
    print("\nT17 empty table: failed=%d bans=%d pair_bans=%d; %s; closed after %d rounds of registers; %s" % (
        2 * THRESHOLD * PHONES, counters["bans"], counters["pair_bans"], seen, rounds, lines))
    assert before["breaker"] == "closed" and after["breaker"] == "closed"
    assert set(statuses) == {401}, "all were heard to the end"
    assert seen["breaker"] == "open" and seen["sources"] >= 10 and seen["users"] >= 10
    assert seen["suspended"] >= PHONES * (2 * THRESHOLD - 2)
    assert (counters["breaker"], counters["bans"], counters["pair_bans"]) == (1, 0, 0)
    assert counters["suspended"] == seen["suspended"]
    assert not proxy.bans() and proxy.authban()["breaker"] == 0
    assert len(lines) == 2 and "no new bans" in lines[0] and "bans go on" in lines[1]


def test_control_without_the_breaker_all_are_banned(lan):
    proxy = proxy_of(lan, breaker=0)
    with phones_of(lan, proxy) as (crowd, phones):
        change_table(proxy, there=False)
        statuses = all_fail(crowd, phones, 2 * THRESHOLD)
        change_table(proxy, there=True)
        later = register_all(crowd, phones, rate=500, tries=1)
    counters = proxy.authban()
    print("\nT17 control, breaker 0: pair_bans=%d heard_at_the_end=%d served_when_it_is_back=%d" % (
        counters["pair_bans"], sum(map(bool, statuses)), later.count(200)))
    assert counters["pair_bans"] == PHONES
    assert statuses == later == [0] * PHONES
    assert of_the_breaker(proxy)["breaker"] == "closed"


def test_an_open_breaker_lifts_no_ban_and_an_attacker_gets_no_more_when_it_closes(lan):
    """An attacker who guesses under an open breaker is counted all the same, and banned as soon as it closes."""
    proxy = proxy_of(lan)
    with phones_of(lan, proxy) as (crowd, phones):
        banned = lan.attacker_address()
        proxy.rpc("authban.ban", banned, 600)
        change_table(proxy, there=False)
        all_fail(crowd, phones, 3)
        assert of_the_breaker(proxy)["breaker"] == "open"
        guesser = lan.guesser(proxy)
        answered = [guesser.guess("wrong-%d" % number) for number in range(3 * THRESHOLD)]
        assert lan.guesser(proxy, source=banned, timeout=0.3).challenge() is None
        change_table(proxy, there=True)
        wait_for(lambda: register_all(crowd, phones, rate=500) and of_the_breaker(proxy)["breaker"] == "closed", 10,
                 "it closes")
        one_more = guesser.guess()
        after = guesser.challenge()
    print("\nT17 attacker under an open breaker: answered=%d, next guess after it closed: %s, then %s" % (
        answered.count(401), one_more, after))
    assert set(answered) == {401} and one_more == 0 and after is None


@pytest.mark.parametrize("sources", [40])
def test_one_account_at_many_addresses_does_not_open_it(lan, sources):
    """Somebody with an account fails on purpose at 40 addresses where he has logged in."""
    proxy = proxy_of(lan)
    with Crowd(proxy.target, lan.net["phone"]) as crowd:
        phones = [crowd.member(source, *USERS[0]) for source in lan.phones[:sources]]
        assert register_all(crowd, phones, rate=500) == [200] * sources
        for phone in phones:
            phone.password = "wrong"
        all_fail(crowd, phones, 2)
        seen = of_the_breaker(proxy)
    print("\nT12 breaker, one account at %d addresses: %s" % (sources, seen))
    assert seen["breaker"] == "closed" and seen["failures"] == 2 * sources and seen["users"] == 1
