# SPDX-License-Identifier: GPL-2.0-or-later
"""Why is it banned? Each reason in authban.get, authban.top, networks and users, in $authban(reason) and in the log."""
import itertools

import pytest

from lib.attacks import new_password
from lib.calls import call, calling_config
from lib.grammar import all_news, news
from lib.kamailio import Proxy
from lib.sip import Guesser, Phone
from lib.wait import wait_for
from proxies import RpcFault

THRESHOLD, NET_SOURCES, USER_SOURCES, MAX_USERS, SLOW = 5, 4, 6, 3, 12
EXTRA = """
modparam("authban", "max_users", %d)
modparam("authban", "long_threshold", %d)
""" % (MAX_USERS, SLOW)
NETWORKS = itertools.count(1)


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    config = calling_config(tmp_path_factory.mktemp("reasons"))
    with Proxy(config=config, extra=EXTRA, node="node-1", defines={
            "AB_THRESHOLD": THRESHOLD, "AB_NET_SOURCES": NET_SOURCES, "AB_USER_SOURCES": USER_SOURCES}) as one:
        yield one


@pytest.fixture
def net():
    """A /24 that nobody had, without its last number."""
    return "127.40.%d." % next(NETWORKS)


def fail(node, source, user, times=1):
    """The statuses of so many guesses."""
    with Guesser(user, node.target, source=source, timeout=0.4) as guesser:
        return [guesser.guess(new_password()) for _ in range(times)]


def log_in(node, source):
    with Phone("bob", "bob-secret", node.target, source=source) as phone:
        return phone.register().status


def why(node, source):
    """By RPC, and by the variable, which shows it to a script."""
    row = node.rpc("authban.get", source)
    with Guesser("alice", node.target, source=source, timeout=1.0) as guesser:
        said = call(guesser, "why")
    # early drop leaves the script nothing to say; what is banned is asked only there
    if said is not None and row["state"] == "banned":
        assert said == "banned/" + row["why"]
    return row


def first(rows, **wanted):
    return next(row for row in rows if all(row[name] == value for name, value in wanted.items()))


def test_threshold(node, net):
    fail(node, net + "1", "alice", THRESHOLD)
    row = why(node, net + "1")
    line = news(node, net + "1")
    print("\nwhy threshold: %s" % row["why"])
    assert row["why"] == "threshold: 5 failures in 600 s (threshold 5)"
    assert [(one["event"], one["reason"]) for one in line] == [("ban", "threshold")]


def network_until(node, net, level, user="user-%d"):
    """Sources fail once each until authban.networks says so: the row."""
    for number in range(1, 40):
        row = [row for row in node.rpc("authban.networks", 1000) if row["net"] == net + "0/24"]
        if row and row[0]["level"] == level:
            return row[0]
        fail(node, net + str(number), user % number)
    raise AssertionError("never " + level)


def test_network(node, net):
    before = node.authban()["campaigns"]
    watched = network_until(node, net, "watched")
    fail(node, net + "1", "user-1")
    row = why(node, net + "1")
    lines = news(node, net + "0/24")
    print("\nwhy network: %s; its network: %s; line %s" % (row["why"], row["network"], lines))
    assert row["why"] == "network: 2 failures in 600 s (net_threshold 2)"
    assert row["network"]["net"] == net + "0/24" and row["network"]["sources"] == watched["sources"]
    assert row["network"]["why"] == "%d sources in 600 s (net_sources %d)" % (watched["sources"], NET_SOURCES)
    assert [(one["event"], one["reason"], one["users"]) for one in lines] == [
        ("campaign", "watched", watched["sources"])]
    assert node.authban()["campaigns"] == before + 1


def test_campaign(node, net):
    row = network_until(node, net, "restricted")
    lines = news(node, net + "0/24")
    inside = node.rpc("authban.get", net + "1")
    print("\nwhy campaign: %s; lines %s" % (row, [line["event"] for line in lines]))
    assert row["why"] == "campaign: %d sources in 600 s (net_sources %d)" % (row["sources"], NET_SOURCES * 3 // 2)
    assert 560 <= row["ttl"] <= 600 and row["repeats"] == 1
    assert [line["event"] for line in lines] == ["campaign", "campaign_restricted"]
    assert lines[1]["reason"] == "campaign"
    # a source of it is watched, and its row says what holds its neighbours up
    assert inside["state"] == "watched" and inside["network"]["state"] == "banned"
    assert inside["network"]["why"] == row["why"]
    status = node.rpc("authban.status")
    assert status["networks_restricted"] >= 1


def attack_user(node, user, until, row=None):
    """Sources of many networks fail once each at one user, until his row has that level; row: as it was before."""
    others = {one["user"] for one in node.rpc("authban.users", 1000)} - {row and row["user"]}
    for _ in range(60):
        fail(node, "127.60.%d.1" % next(NETWORKS), user)
        mine = [one for one in node.rpc("authban.users", 1000) if one["user"] not in others]
        if mine and mine[0]["level"] == until:
            return mine[0]
    raise AssertionError("never " + until)


def test_user_attack(node, net):
    before = node.authban()["user_attacks"]
    row = attack_user(node, "victim-1", "watched")
    statuses = fail(node, net + "1", "victim-1", 3)
    source = why(node, net + "1")
    print("\nwhy user_attack: %s; user %s; statuses=%s" % (source["why"], row, statuses))
    assert source["why"] == "user_attack: 2 failures in 600 s (net_threshold 2)"
    line = first(all_news(node), event="user_attack")
    assert line["ip"] == "-" and line["user"] == row["user"] and line["reason"] == "watched"
    assert node.authban()["user_attacks"] == before + 1
    assert row["sources"] > USER_SOURCES


def test_user_restricted_and_a_pair_under_attack(node, net):
    """The user is not locked: his own address goes on; a pair elsewhere has net_threshold."""
    log_in(node, net + "1")
    shared = net + "2"
    log_in(node, shared)
    row = attack_user(node, "victim-2", "watched")
    fail(node, shared, "victim-2", 2)
    pair = node.rpc("authban.get", shared)["pairs"][0]
    assert pair["why"] == "pair: 2 failures in 600 s (net_threshold 2)" and pair["user"] == row["user"]
    row = attack_user(node, "victim-2", "restricted", row)
    print("\nwhy user restricted: %s; pair %s" % (row["why"], pair["why"]))
    assert row["why"] == "user_attack: %d sources in 600 s (user_sources %d)" % (row["sources"], USER_SOURCES * 3 // 2)
    assert "user_attack_restricted" in {line["event"] for line in all_news(node)}
    assert log_in(node, net + "1") == 200


def settings(node, **values):
    """Sets them, and returns what they were."""
    before = {name: int(node.rpc("cfg.get", "authban", name)) for name in values}
    for name, value in values.items():
        node.rpc("cfg.set_now_int", "authban", name, value)
    return before


def until_banned(node, source, limit):
    """Guesses until it is banned; the first may still meet the ban before: clocks differ by milliseconds."""
    for _ in range(limit):
        fail(node, source, "alice")
        row = node.rpc("authban.get", source)
        if row["state"] == "banned":
            return row
    raise AssertionError("not banned by %d guesses: %s" % (limit, row))


def test_slow(node, net):
    """Bans of two seconds each, which do not empty the slow level: 5 failures, 5, and 2 more."""
    before = settings(node, ban_time=2, memory=0)
    try:
        for _ in range(2):
            assert until_banned(node, net + "1", THRESHOLD + 2)["reason"] == "threshold"
            wait_for(lambda: node.rpc("authban.get", net + "1")["state"] != "banned", 4, "the ban is over")
        row = until_banned(node, net + "1", 4)
    finally:
        settings(node, **before)
    print("\nwhy slow: %s, for %d s" % (row["why"], row["ttl"]))
    assert row["why"] == "slow: 12 failures in 86400 s (long_threshold %d)" % SLOW
    # the time in which the level falls by one, or a sixteenth more
    assert 86400 // SLOW - 5 <= row["ttl"] <= 86400 // SLOW * 17 // 16 and row["failures"] == 2


def test_users(node, net):
    log_in(node, net + "1")
    for number in range(20):
        fail(node, net + "1", "tried-%d" % number)
        row = why(node, net + "1")
        if row["state"] == "banned":
            break
    print("\nwhy users: %s after %d users" % (row["why"], number + 1))
    assert row["why"] == "users: %d users in 600 s (max_users %d)" % (row["users"], MAX_USERS)
    assert row["known_good"] == "yes" and log_in(node, net + "1") == 200
    assert [one["reason"] for one in news(node, net + "1") if one["event"] == "ban"] == ["users"]


def test_pair(node, net):
    log_in(node, net + "1")
    before = node.authban()["pair_bans"]
    statuses = fail(node, net + "1", "alice", THRESHOLD + 1)
    row = node.rpc("authban.get", net + "1")
    lines = news(node, net + "1")
    print("\nwhy pair: %s; source %s; %s" % (row["pairs"], row["state"], lines))
    assert statuses == [401] * (THRESHOLD - 1) + [0, 0]
    assert row["state"] == "watched"
    assert row["pairs"][0]["why"] == "pair: 5 failures in 600 s (threshold 5)"
    assert node.authban()["pair_bans"] == before + 1
    assert [(one["event"], one["reason"], one["user"]) for one in lines] == [
        ("pair_ban", "pair", row["pairs"][0]["user"])]


def test_a_pair_that_comes_back(node, net):
    before = settings(node, ban_time=1)
    try:
        log_in(node, net + "1")
        fail(node, net + "1", "alice", THRESHOLD)
        for _ in range(30):
            fail(node, net + "1", "alice")
            pair = node.rpc("authban.get", net + "1")["pairs"][0]
            if pair["repeats"] > 1:
                break
    finally:
        settings(node, **before)
    print("\nwhy pair again: %s" % pair)
    assert pair["why"] == "pair: 1 failures in 600 s (banned before, limit 1)"


def test_an_operators_word(node, net):
    node.rpc("authban.ban", net + "1", 60, "by_hand")
    row = why(node, net + "1")
    assert row["why"] == "by_hand" and row["proof"] == "operator"


def test_the_worst_first(node):
    """After all of this: sorted, cut at n, and each row in order."""
    top = node.rpc("authban.top", 1000)
    failures = [row["failures"] for row in top]
    assert failures == sorted(failures, reverse=True) and len(top) > 10
    assert len(node.rpc("authban.top")) == 10 and [row["failures"] for row in node.rpc("authban.top", 3)] == failures[:3]
    users = [row["users"] for row in node.rpc("authban.top", 1000, "users")]
    assert users == sorted(users, reverse=True) and users[0] > MAX_USERS
    for command in ("authban.networks", "authban.users"):
        sources = [row["sources"] for row in node.rpc(command, 1000)]
        assert sources == sorted(sources, reverse=True) and len(sources) > 3
        assert [row["sources"] for row in node.rpc(command, 2)] == sources[:2]
    assert {row["level"] for row in node.rpc("authban.networks", 1000)} == {"none", "watched", "restricted"}
    status, text = node.kamcmd("authban.networks", 1)
    assert status == 0 and "level: restricted" in text
    print("\ntop: sources=%d networks=%d users=%d" % (
        len(top), len(node.rpc("authban.networks", 1000)), len(node.rpc("authban.users", 1000))))


@pytest.mark.parametrize("words,part", [
    (("authban.top", 0), "1 to 1000"), (("authban.top", 1001), "1 to 1000"), (("authban.top", "many"), "1 to 1000"),
    (("authban.top", 5, "block"), "failures, users or blocked"), (("authban.top", 5, ""), "failures, users or blocked"),
    (("authban.networks", -1), "1 to 1000"), (("authban.users", 0), "1 to 1000")])
def test_faults(node, words, part):
    with pytest.raises(RpcFault) as caught:
        node.rpc(*words)
    assert caught.value.code == 400 and part in caught.value.text


def test_no_user_name_is_told(node):
    """Users are keyed hashes in RPC and in the log."""
    log = "\n".join(line for line in node.log_lines("authban_news"))
    for name in ("victim", "tried-", "alice"):
        assert name not in log
        assert name not in str(node.rpc("authban.users", 1000))


def test_the_counters_say_the_same(node):
    counters, lines = node.authban(), all_news(node)
    events = [line["event"] for line in lines]
    status = node.rpc("authban.status")
    print("\ncounters: %s" % {name: counters[name] for name in (
        "bans", "pair_bans", "campaigns", "user_attacks", "suspended", "breaker")})
    assert counters["campaigns"] == events.count("campaign")
    assert counters["user_attacks"] == events.count("user_attack")
    assert counters["bans"] == events.count("ban")
    assert (counters["breaker"], counters["suspended"]) == (0, 0)
    assert status["breaker"] == "closed" and status["breaker_age"] < 600
    assert status["pairs"] >= status["pairs_banned"] >= 2
    assert status["users_restricted"] >= 1 and status["networks_restricted"] >= 1
