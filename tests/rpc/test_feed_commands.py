# SPDX-License-Identifier: GPL-2.0-or-later
"""Imported lists: authban.feed_add, feed_drop, feed_list; what an entry does, and what it does not."""
import pytest

from lib.fleet import fleet
from lib.kamailio import Proxy
from lib.sip import Guesser, Phone
from lib.traffic import silent
from lib.wait import wait_for
from proxies import RpcFault

THRESHOLD, NET_THRESHOLD = 6, 2
SIZE = 'modparam("authban", "feed_size", 300)\n'
REPORTER = "\n".join('modparam("authban", "report_%s", "%s")' % pair for pair in (
    ("org", "Example"), ("contact", "abuse@example.com"), ("domain", "example.com")))


@pytest.fixture(scope="module")
def node():
    with Proxy(node="node-1", extra=SIZE + REPORTER, defines={"AB_THRESHOLD": THRESHOLD}) as one:
        yield one


@pytest.fixture(scope="module")
def banning():
    with Proxy(node="node-2", extra=SIZE + 'modparam("authban", "feed_action", "ban")\n',
               defines={"AB_THRESHOLD": THRESHOLD}) as one:
        yield one


@pytest.fixture(autouse=True)
def no_lists(request):
    yield
    for name in {"node", "banning"} & set(request.fixturenames):
        one = request.getfixturevalue(name)
        for row in lists(one):
            one.rpc("authban.feed_drop", row["source"])


def lists(node):
    answer = node.rpc("authban.feed_list") or []
    return answer if isinstance(answer, list) else [answer]


def evaluated(node, source, guesses=THRESHOLD + 2):
    """How many of so many guesses reached the password check."""
    before = node.evaluated()
    with Guesser("alice", node.target, source=source, timeout=0.3) as guesser:
        for number in range(guesses):
            guesser.guess("wrong-%d" % number)
    return node.evaluated() - before


def test_a_listed_source_has_fewer_tries(node, call):
    number = call.__qualname__.startswith("Json") + 1
    source, other = "127.31.%d.7" % number, "127.32.%d.7" % number
    (row,) = call(node, "authban.feed_add", "feed-1", "127.31.%d.0/24" % number, 600, "127.33.0.0/16", 60)
    assert row["added"] == "2"
    (row,) = call(node, "authban.get", source)
    assert row["state"] == "none"
    assert not silent(node, source), "a list alone bans nobody"
    strict, usual = evaluated(node, source), evaluated(node, other)
    print("\nfeed: evaluated=%d, elsewhere %d" % (strict, usual))
    assert (strict, usual) == (NET_THRESHOLD, THRESHOLD)
    (row,) = call(node, "authban.get", source)
    assert (row["reason"], row["why"]) == ("feed", "feed: 2 failures in 600 s (net_threshold 2)")


def test_get_shows_the_entry(node):
    node.rpc("authban.feed_add", "feed-1", "127.34.0.0/24", 600)
    row = node.rpc("authban.get", "127.34.0.9")
    assert (row["state"], row["feed"]["source"], row["feed"]["net"], row["feed"]["effect"]) == (
        "none", "feed-1", "127.34.0.0/24", "net_threshold")
    assert 595 <= row["feed"]["ttl"] <= 600
    with Phone("bob", "bob-secret", node.target, source="127.34.0.9") as phone:
        assert phone.register().status == 200
    assert node.rpc("authban.get", "127.34.0.9")["feed"]["effect"] == "none: somebody is known-good there"
    assert evaluated(node, "127.34.0.9", THRESHOLD - 1) == THRESHOLD - 1
    node.rpc("authban.allow_add", "127.34.0.8")
    row = node.rpc("authban.get", "127.34.0.8")
    assert (row["state"], row["feed"]["effect"]) == ("allowed", "none: the allow-list wins")
    assert evaluated(node, "127.34.0.8") == THRESHOLD + 2


def test_lists_are_shown_and_dropped(node, call):
    call(node, "authban.feed_add", "feed-1", "127.35.0.1", 100, "127.35.0.2", 200)
    call(node, "authban.feed_add", "feed-2", "127.35.0.1", 50)
    rows = {row["source"]: row for row in call(node, "authban.feed_list", 100)}
    assert {name: int(row["entries"]) for name, row in rows.items()} == {"feed-1": 2, "feed-2": 1}
    assert 198 <= int(rows["feed-1"]["ttl"]) <= 200 and rows["feed-2"]["action"] == "strict"
    assert len(call(node, "authban.feed_list", 1)) == 1 and len(call(node, "authban.feed_list", 5, 1)) == 1
    (row,) = call(node, "authban.feed_add", "feed-1", "127.35.0.1", 300)
    assert (row["added"], row["renewed"], row["entries"]) == ("0", "1", "3"), "repeating is harmless"
    assert int(node.rpc("authban.status")["feed_entries"]) == 3
    assert call(node, "authban.feed_drop", "feed-1", "127.35.0.1", "127.35.0.99")[0]["dropped"] == "1"
    assert node.rpc("authban.get", "127.35.0.1")["feed"]["source"] == "feed-2"
    assert call(node, "authban.feed_drop", "feed-1")[0]["dropped"] == "1"
    assert [row["source"] for row in lists(node)] == ["feed-2"]


def test_an_entry_expires(node, banning):
    for one in (node, banning):
        one.rpc("authban.feed_add", "short", "127.36.0.1", 1, "127.36.0.2", 600)
    assert silent(banning, "127.36.0.1")
    wait_for(lambda: not silent(banning, "127.36.0.1"), 3, "the end of the entry")
    assert silent(banning, "127.36.0.2")
    assert evaluated(node, "127.36.0.1") == THRESHOLD
    assert [row["entries"] for row in lists(node)] == [1]
    with pytest.raises(RpcFault, match="Nothing is known"):
        banning.rpc("authban.get", "127.36.0.1")


FAULTS = [
    (("feed_add",), 400, "which? authban.feed_add source"),
    (("feed_add", "feed-1"), 400, "which? authban.feed_add source"),
    (("feed_add", "Feed 1", "127.37.0.1", 60), 400, "Feed 1 is no name of a list"),
    (("feed_add", "x" * 33, "127.37.0.1", 60), 400, "is no name of a list"),
    (("feed_add", "feed-1", "127.37.0.1"), 400, "127.37.0.1 has no time to live"),
    (("feed_add", "feed-1", "127.37.0.1", 0), 400, "0 is not a time to live: seconds, from 1 to 2678400"),
    (("feed_add", "feed-1", "127.37.0.1", 2678401), 400, "2678401 is not a time to live"),
    (("feed_add", "feed-1", "127.37.0.1", "1h"), 400, "1h is not a time to live"),
    (("feed_add", "feed-1", "0.0.0.0/0", 60), 400, "0.0.0.0/0 is too wide"),
    (("feed_add", "feed-1", "127.36.0.0/15", 60), 400, "at the widest a /16 of IPv4 or a /32 of IPv6"),
    (("feed_add", "feed-1", "2001:d00::/31", 60), 400, "2001:d00::/31 is too wide"),
    (("feed_add", "feed-1", "127.37.0.1/24", 60), 400, "no bits behind its length"),
    (("feed_add", "feed-1", "127.37.0.1", 60, "bad", 60), 400, "bad is not an IP address"),
    (("feed_drop",), 400, "which? authban.feed_drop source"),
    (("feed_drop", "feed-9"), 404, "there is no list feed-9"),
    (("feed_drop", "feed-1", "bad"), 400, "bad is not an IP address"),
    (("feed_list", "x"), 400, "limit is a number"),
]


@pytest.mark.parametrize("words, code, part", FAULTS, ids=[" ".join(map(str, words))[:40] for words, _, _ in FAULTS])
def test_faults(node, call, words, code, part):
    with pytest.raises(RpcFault) as caught:
        call(node, "authban." + words[0], *words[1:])
    assert caught.value.code == code and part in str(caught.value)
    assert lists(node) == [], "a call with a slip changes nothing"


def test_there_is_an_end(node):
    def add(first, count):
        words = [word for number in range(first, first + count)
                 for word in ("127.38.%d.%d" % (number // 200, number % 200), 60)]
        return node.rpc("authban.feed_add", "feed-1", *words)
    with pytest.raises(RpcFault, match="at most 100 networks"):
        add(0, 101)
    for first in (0, 100, 200):
        add(first, 100)
    with pytest.raises(RpcFault, match=r"no room for more than feed_size \(300\) entries; 0 of the 50"):
        add(300, 50)
    assert add(0, 100)["renewed"] == 100
    assert [row["entries"] for row in lists(node)] == [300]


def test_without_room_there_are_none():
    with Proxy() as plain:
        with pytest.raises(RpcFault, match="feed_size is 0: there is no room for lists") as caught:
            plain.rpc("authban.feed_add", "feed-1", "127.39.0.1", 60)
        assert caught.value.code == 409 and lists(plain) == []
        assert plain.rpc("authban.status")["feed_entries"] == 0


def test_ban_blocks_strangers_and_nobody_else(banning):
    with Phone("bob", "bob-secret", banning.target, source="127.40.0.2") as phone:
        assert phone.register().status == 200
    banning.rpc("authban.allow_add", "127.40.0.3")
    banning.rpc("authban.feed_add", "feed-1", "127.40.0.0/24", 600)
    assert [silent(banning, "127.40.0.%d" % number) for number in (1, 2, 3)] == [True, False, False]
    assert not silent(banning, "127.40.1.1")
    row = banning.rpc("authban.get", "127.40.0.1")
    assert (row["state"], row["reason"], row["source"], row["feed"]["effect"]) == (
        "banned", "feed", "127.40.0.0/24", "blocked")
    assert 590 <= row["ttl"] <= 600 and banning.bans() == {}, "no entry of the table is made of it"
    banning.rpc("authban.feed_drop", "feed-1")
    assert not silent(banning, "127.40.0.1")


def test_an_unban_says_that_a_list_still_blocks(node, banning, call):
    """Of an address that only a list bans, and of one that has an entry of its own as well."""
    number = call.__qualname__.startswith("Json") + 45
    listed, both = "127.%d.0.1" % number, "127.%d.1.1" % number
    banning.rpc("authban.ban", both, 600)
    banning.rpc("authban.feed_add", "feed-1", "127.%d.0.0/16" % number, 600)
    for source in (listed, both):
        with pytest.raises(RpcFault, match="blocked by the list feed-1, which names 127.%d.0.0/16: authban.allow_add %s"
                           % (number, source)) as caught:
            call(banning, "authban.unban", source)
        assert caught.value.code == 409 and silent(banning, source)
    assert both not in banning.bans(), "its own ban is lifted"
    # each of the two ways that the sentence names
    banning.rpc("authban.allow_add", listed)
    assert not silent(banning, listed) and silent(banning, both)
    banning.rpc("authban.feed_drop", "feed-1", "127.%d.0.0/16" % number)
    assert not silent(banning, both)
    # a list that only makes limits stricter bans nobody
    node.rpc("authban.feed_add", "feed-1", "127.%d.0.0/16" % number, 600)
    node.rpc("authban.ban", both, 600)
    assert node.rpc("authban.unban", both)["unbanned"] == 1 and not silent(node, both)


def test_dry_run_blocks_nobody(banning):
    banning.rpc("authban.feed_add", "feed-1", "127.41.0.0/24", 600)
    banning.rpc("cfg.set_now_int", "authban", "mode", 1)
    try:
        before = banning.authban()["would_block"]
        wait_for(lambda: not silent(banning, "127.41.0.1"), 2, "an answer")
        assert banning.authban()["would_block"] > before
    finally:
        banning.rpc("cfg.set_now_int", "authban", "mode", 2)
    assert silent(banning, "127.41.0.1")


def test_an_address_of_ipv6_is_its_64(node):
    node.rpc("authban.feed_add", "feed-1", "2001:db8:1:2::77", 60)
    assert node.rpc("authban.get", "2001:db8:1:2::1")["feed"]["net"] == "2001:db8:1:2::/64"
    assert node.rpc("authban.feed_drop", "feed-1", "2001:db8:1:2::77")["dropped"] == 1


def test_an_entry_is_no_evidence_of_ours(node):
    before = (node.rpc("authban.status")["evidence"], node.bans(), node.rpc("authban.status")["entries"])
    node.rpc("authban.feed_add", "feed-1", "127.42.0.0/24", 600)
    assert (node.rpc("authban.status")["evidence"], node.bans(), node.rpc("authban.status")["entries"]) == before
    for command in ("evidence_get", "report"):
        with pytest.raises(RpcFault, match="there is no evidence|no evidence"):
            node.rpc("authban." + command, "127.42.0.1")


def test_entries_stay_on_their_proxy():
    """Neither to Redis nor to another proxy; what fails there is told as ever."""
    with fleet(2, extra=SIZE) as (redis, nodes):
        nodes[0].rpc("authban.feed_add", "feed-1", "127.43.0.0/24", 600)
        nodes[0].rpc("authban.ban", "127.44.0.1", 600)
        wait_for(lambda: "127.44.0.1" in nodes[1].bans(), 3, "news of a ban")
        assert lists(nodes[1]) == [] and set(nodes[1].bans()) == {"127.44.0.1"}
        with pytest.raises(RpcFault, match="Nothing is known"):
            nodes[1].rpc("authban.get", "127.43.0.1")
        text = everything(redis)
        assert b"\x7f\x2b\0" not in text and b"feed-1" not in text and b"127.43" not in text
        assert b"\x7f\x2c\0\1" in text, "control: a ban is found"


def everything(redis):
    """All bytes of all keys."""
    with redis.client() as client:
        found = [client("KEYS", "*")]
        for key in found[0]:
            kind = client("TYPE", key)
            found.append({b"hash": lambda k: client("HGETALL", k), b"stream": lambda k: client("XRANGE", k, "-", "+"),
                          b"string": lambda k: client("GET", k)}[kind.encode() if isinstance(kind, str) else kind](key))
    return b" ".join(flat(found))


def flat(value):
    """The bytes in a list of lists."""
    if isinstance(value, (list, tuple)):
        for part in value:
            yield from flat(part)
    else:
        yield value if isinstance(value, bytes) else str(value).encode()
