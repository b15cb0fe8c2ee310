# SPDX-License-Identifier: GPL-2.0-or-later
"""T3, T4 over a cluster: networks, users, pairs and known-good phones are the same story on every proxy."""
import itertools

import pytest

from lib.attacks import new_password
from lib.fleet import banned, fleet, known, status, wait_banned, wait_lifted
from lib.grammar import news
from lib.sip import Guesser, Phone
from lib.wait import holds_for, wait_for

THRESHOLD, NET_SOURCES, USER_SOURCES = 6, 5, 6
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def three():
    with fleet(3, threshold=THRESHOLD, defines={
            "AB_NET_SOURCES": NET_SOURCES, "AB_USER_SOURCES": USER_SOURCES}) as both:
        yield both[1]


@pytest.fixture
def net():
    """A /24 that nobody had, without its last number."""
    return "127.70.%d." % next(NUMBERS)


def guess(node, source, user="alice", times=1):
    """The statuses of so many guesses at one proxy."""
    with Guesser(user, node.target, source=source, timeout=0.4) as guesser:
        return [guesser.guess(new_password()) for _ in range(times)]


def log_in(node, source):
    with Phone("bob", "bob-secret", node.target, source=source) as phone:
        return phone.register().status


def row_of(node, command, **wanted):
    return next((row for row in node.rpc(command, 1000) or ()
                 if all(row[name] == value for name, value in wanted.items())), None)


def level(node, command, **wanted):
    row = row_of(node, command, **wanted)
    return row["level"] if row else "none"


def pair_states(node, source):
    row = known(node, source)
    return [pair["state"] for pair in row.get("pairs", ())] if row else []


def test_a_network_by_the_sum_of_its_sources(three, net):
    """One failure of each source, at one proxy after the other: no proxy saw enough, the sum is what counts."""
    name = net + "0/24"
    for number in range(1, 12):
        node = three[number % 3]
        assert guess(node, net + str(number), "user-%d" % number) == [401]
        wait_for(lambda: row_of(node, "authban.networks", net=name)["failures"] == number, 1, "the sum is known")
        if level(node, "authban.networks", net=name) != "none":
            break
    sources, watch = number, row_of(node, "authban.networks", net=name)
    statuses = guess(node, net + "200", "somebody", 3)
    events = [[line["event"] for line in news(one, name)] for one in three]
    print("\nT3 cluster: under watch after %d sources, %d at each proxy (%s); a stranger then: %s, lines %s" % (
        sources, sources // 3, watch["sources"], statuses, events))
    # what differs is estimated: two of six share a bit of the map more often than not
    assert watch["level"] == "watched" and -(-sources // 3) < NET_SOURCES
    assert statuses == [401, 0, 0]
    assert events[three.index(node)][0] == "campaign"
    # a few more bring the restriction, which all proxies get at once
    for number in range(201, 206):
        guess(three[number % 3], net + str(number), "user-%d" % number)
    for node in three:
        wait_for(lambda: level(node, "authban.networks", net=name) == "restricted", 1, node.node + " knows")
        assert [line["event"] for line in news(node, name)].count("campaign_restricted") == 1
    assert [guess(node, net + "21%d" % n, "somebody", 2) for n, node in enumerate(three)] == [[0, 0]] * 3


def test_a_user_by_the_sum_of_his_sources(three):
    user = "victim-of-three"
    others = {row["user"] for row in three[0].rpc("authban.users", 1000) or ()}
    assert guess(three[0], "127.71.%d.1" % next(NUMBERS), user) == [401]
    (victim,) = {row["user"] for row in three[0].rpc("authban.users", 1000)} - others
    for number in range(2, 15):
        node = three[number % 3]
        assert guess(node, "127.71.%d.1" % next(NUMBERS), user) == [401]
        wait_for(lambda: row_of(node, "authban.users", user=victim)["failures"] == number, 1, "the sum is known")
        if level(node, "authban.users", user=victim) != "none":
            break
    watch = row_of(node, "authban.users", user=victim)
    statuses = guess(node, "127.72.%d.1" % next(NUMBERS), user, 3)
    print("\nT4 cluster: user %s under watch after %d sources (%s), a stranger then: %s" % (
        victim, number, watch["sources"], statuses))
    assert watch["level"] == "watched" and number // 3 <= USER_SOURCES / 2
    assert statuses == [401, 0, 0]
    # another user from a new place has all his tries
    assert guess(three[1], "127.72.%d.1" % next(NUMBERS), "somebody-else", 3) == [401] * 3


def test_a_ban_of_a_pair_holds_everywhere(three, net):
    source = net + "1"
    assert [log_in(node, source) for node in three] == [200] * 3
    assert guess(three[0], source, "alice", THRESHOLD) == [401] * (THRESHOLD - 1) + [0]
    for node in three:
        wait_for(lambda: pair_states(node, source) == ["banned"], 1, node.node + " knows the pair's ban")
    statuses = [guess(node, source, "alice") for node in three]
    others = [guess(node, source, "carol") for node in three]
    print("\npair banned at one proxy: alice %s, carol %s, source %s" % (
        statuses, others, [known(node, source)["state"] for node in three]))
    assert statuses == [[0]] * 3
    assert others == [[401]] * 3 and not any(banned(node, source) for node in three)
    assert [log_in(node, source) for node in three] == [200] * 3


def test_a_pair_by_the_sum_of_its_failures(three, net):
    """A third of the threshold at each: the sum bans, and all of them drop the next guess."""
    source = net + "1"
    assert [log_in(node, source) for node in three] == [200] * 3
    for node in three:
        guess(node, source, "alice", THRESHOLD // 3)
    for node in three:
        wait_for(lambda: pair_states(node, source) == ["banned"], 1, node.node + " knows the pair's ban")
    before = [node.evaluated() for node in three]
    statuses = [guess(node, source, "alice") for node in three]
    evaluated = [node.evaluated() - old for node, old in zip(three, before)]
    print("\npair banned by the sum: next guesses %s, evaluated %s" % (statuses, evaluated))
    assert statuses == [[0]] * 3 and evaluated == [0] * 3
    assert [log_in(node, source) for node in three] == [200] * 3


def test_an_automatic_ban_spares_who_logged_in_elsewhere(three, net):
    """Many strangers guess at one proxy, and the source is banned; who has logged in at another goes on at each."""
    one, two, _ = three
    source = net + "1"
    assert log_in(two, source) == 200
    for number in range(9):
        guess(one, source, "user-%d" % number)
    wait_banned(three, source)
    customer = [log_in(node, source) for node in (two, *three)]
    statuses = [guess(node, source, "alice") for node in three]
    print("\nspared: customer at his proxy and at each %s, guesses %s" % (customer, statuses))
    assert customer == [200] * 4
    assert statuses == [[0]] * 3
    # by the word of an operator nobody is spared
    one.rpc("authban.ban", source, 600)
    wait_for(lambda: two.bans()[source]["proof"] == "operator", 1, "the operator's ban is known")
    with Guesser("bob", two.target, source=source, timeout=0.3) as guesser:
        assert guesser.challenge() is None


def test_an_unban_voids_pairs_everywhere(three, net):
    source = net + "1"
    assert log_in(three[0], source) == 200
    guess(three[0], source, "alice", THRESHOLD)
    guess(three[1], source, "carol", THRESHOLD - 2)
    for node in three:
        wait_for(lambda: "banned" in pair_states(node, source), 1, node.node + " knows the pair's ban")
    three[1].rpc("authban.unban", source)
    wait_lifted(three, source)
    wait_for(lambda: all(guess(node, source, "alice") == [401] for node in three), 1, "alice is free")
    # what carol failed before counts no more, on no proxy; two of these failures are new
    statuses = guess(three[1], source, "carol", 1) + guess(three[2], source, "carol", 1)
    holds_for(lambda: not any("banned" in pair_states(node, source) for node in three), 0.5, "no late ban")
    print("\nunban of pairs everywhere: alice 401 at three, carol %s" % statuses)
    assert statuses == [401, 401]


def test_an_unban_of_a_network_reaches_all(three, net):
    name = net + "0/24"
    for number in range(1, 40):
        if level(three[0], "authban.networks", net=name) == "restricted":
            break
        guess(three[number % 3], net + str(number), "user-%d" % number)
    for node in three:
        wait_for(lambda: level(node, "authban.networks", net=name) == "restricted", 1, node.node + " knows")
    restricted = [status(node)["networks_restricted"] for node in three]
    three[2].rpc("authban.unban", name)
    for node in three:
        wait_for(lambda: level(node, "authban.networks", net=name) != "restricted", 1, node.node + " lifts it")
    statuses = [guess(node, net + "24%d" % n, "somebody", 2) for n, node in enumerate(three)]
    print("\nrestricted on %s, lifted by one, strangers then %s" % (restricted, statuses))
    assert min(restricted) >= 1 and statuses == [[401, 401]] * 3
