# SPDX-License-Identifier: GPL-2.0-or-later
"""100 wrong inputs: each gets a sentence that says what was wrong, and none changes anything.

Parameters are in test_wrong_settings.py and test_wrong_policies.py, each with its sentence, and stop the start;
here are those that reach a running proxy: arguments of RPC commands, lines of the allow-list, values of cfg.set.
"""
import re

import pytest

from lib.kamailio import Proxy
from proxies import RpcFault
from test_wrong_policies import WRONG as WRONG_POLICIES
from test_wrong_settings import WRONG as WRONG_SETTINGS

RANGES = {"mode": (0, 2), "threshold": (1, 10000), "window": (1, 86400), "ban_time": (1, 604800),
          "ban_time_max": (1, 2592000), "memory": (0, 2592000), "grace": (1, 86400), "max_users": (1, 80),
          "net_sources": (1, 50), "net_threshold": (1, 10000), "user_sources": (1, 50), "long_window": (60, 604800),
          "long_threshold": (1, 200), "good_time": (60, 2592000), "pace": (1, 3600), "breaker": (0, 200)}
# what changes by itself
MOVES = {"ttl", "since", "idle", "breaker_age", "redis_lag_ms", "last", "redis_offset_ms"}

# (command, what the sentence must have); the sentence names what was given, or what is allowed
CALLS = [
    (("authban.get",), "which"), (("authban.get", ""), "which"), (("authban.get", "1.2.3"), "1.2.3 is not an IP"),
    (("authban.get", "localhost"), "localhost is not"), (("authban.get", "198.51.100.77"), "Nothing is known of"),
    (("authban.list", 0), "limit is a number from 1 to 100000"), (("authban.list", -1), "limit is a number"),
    (("authban.list", "all"), "limit is a number"), (("authban.list", 5, -1), "offset"),
    (("authban.list", 5, "x"), "offset"), (("authban.list", "60s"), "limit"),
    (("authban.top", 0), "n is a number from 1"), (("authban.top", "ten"), "n is a number from 1"),
    (("authban.top", 5, "worst"), "failures"), (("authban.networks", -5), "n is a number"),
    (("authban.networks", 100000), "n is a number"), (("authban.users", "x"), "n is a number"),
    (("authban.ban",), "which"), (("authban.ban", "nonsense"), "nonsense is not an IP"),
    (("authban.ban", "192.0.2.1/24"), "192.0.2.1/24 is not"), (("authban.ban", "10.0.0.0/8"), "/16"),
    (("authban.ban", "::/0"), "/32"), (("authban.ban", "192.0.2.1", 0), "seconds is a number from 1 to 2592000"),
    (("authban.ban", "192.0.2.1", "1h"), "seconds is a number"), (("authban.ban", "192.0.2.1", 2592001), "seconds"),
    (("authban.ban", "127.0.0.1"), "own address"), (("authban.ban", "198.18.0.1"), "allowed by 198.18.0.0/24"),
    (("authban.ban", "192.0.2.1 "), "is not an IP"), (("authban.ban", "192.0.2.1;flush"), "is not an IP"),
    (("authban.unban",), "which"), (("authban.unban", "1.2.3.4.5"), "1.2.3.4.5 is not"),
    (("authban.unban", "203.0.113.0/24"), "Nothing is known of"), (("authban.unban", "198.51.101.5"), "198.51.101.0/24"),
    (("authban.allow_add",), "which"), (("authban.allow_add", "everybody"), "everybody is not"),
    (("authban.allow_add", "0.0.0.0/0"), "at the widest a /8"), (("authban.allow_add", "2000::/3"), "/16 of IPv6"),
    (("authban.allow_add", "198.18.0.0/24"), "stands in the configuration"),
    (("authban.allow_del",), "which"), (("authban.allow_del", "203.0.113.0/24"), "is not on the allow-list"),
    (("authban.allow_del", "198.18.0.0/24"), "change it there"), (("authban.allow_list", 0), "limit"),
    (("authban.forget",), "which"), (("authban.forget", "nobody"), "no proxy of that name"),
    (("authban.feed_add",), "which"), (("authban.feed_add", "Bad Name", "192.0.2.1", 60), "Bad Name is no name of a list"),
    (("authban.feed_add", "list", "192.0.2.1"), "has no time to live"), (("authban.feed_add", "list", "x", 60), "x is not"),
    (("authban.feed_add", "list", "192.0.2.1", 0), "0 is not a time to live"),
    (("authban.feed_add", "list", "10.0.0.0/8", 60), "too wide"), (("authban.feed_drop",), "which"),
    (("authban.feed_drop", "none"), "there is no list none"), (("authban.feed_drop", "none", "x"), "x is not"),
    (("authban.feed_list", "x"), "limit"), (("authban.evidence", 0), "limit"), (("authban.evidence_get",), "which"),
    (("authban.evidence_get", "192.0.2.250"), "no evidence of 192.0.2.250"), (("authban.report", "192.0.2.250"), "report_org"),
    (("authban.erase",), "which"), (("authban.erase", "x"), "x is not"), (("authban.erase_user",), "which user"),
    (("authban.policy_reload",), "policy_file is not set"),
]

# a line of the allow-list, and the word that its sentence names
LINES = [
    ("everybody", "everybody"), ("300.1.1.1", "300.1.1.1"), ("1.2.3", "1.2.3"), ("1.2.3.4/33", "1.2.3.4/33"),
    ("192.0.2.1/24", "192.0.2.1/24"), ("0.0.0.0/0", "0.0.0.0/0"), ("10.0.0.0/7", "10.0.0.0/7"), ("::/0", "::/0"),
    ("2000::/3", "2000::/3"), ("2001:db8::1/48", "2001:db8::1/48"), ("192.0.2.1/", "192.0.2.1/"),
    ("192.0.2.1-192.0.2.9", "192.0.2.1-192.0.2.9"), ("192.0.2.*", "192.0.2.*"), ("/24", "/24"), ("010.0.0.1", "010.0.0.1"),
    ("198.51.100.0/24; comment", "198.51.100.0/24;"), ("// comment", "//"), ("trunk.example.com", "trunk.example.com"),
    ("2001:db8::zz", "2001:db8::zz"), ("\x1b[31m192.0.2.1", "\\x1b"), ("1.2.3.4/-1", "1.2.3.4/-1"),
    ("1.2.3.4/a", "1.2.3.4/a"), ("\xff\xfe", "\\x"), ("x" * 200, "x" * 64),
]


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    path = tmp_path_factory.mktemp("wrong") / "allow"
    path.write_text("198.18.0.0/24\n")
    extra = 'modparam("authban", "allow_file", "%s")\nmodparam("authban", "feed_size", 100)\n' % path
    extra += 'modparam("authban", "policy", "carrier: threshold=9")\n'
    with Proxy(node="node-1", extra=extra) as made:
        made.allow = path
        made.rpc("authban.ban", "192.0.2.7", 3600, "known")
        made.rpc("authban.ban", "198.51.101.0/24", 3600)
        made.rpc("authban.allow_add", "203.0.113.128/25")
        made.rpc("authban.feed_add", "known", "203.0.113.9", 3600)
        yield made


def still(rows):
    """Without what moves by itself."""
    if isinstance(rows, dict):
        return {name: still(value) for name, value in rows.items() if name not in MOVES}
    return sorted(map(str, map(still, rows))) if isinstance(rows, list) else rows


def state(node):
    """All that can be asked."""
    found = {name: still(node.rpc("authban." + name) or []) for name in (
        "status", "list", "allow_list", "feed_list", "policy_list", "evidence")}
    found["settings"] = {name: node.rpc("cfg.get", "authban", name) for name in RANGES}
    found["counters"] = node.authban()
    return found


def is_sentence(text):
    return len(text.split()) >= 3 and bool(re.fullmatch(r"[ -~]{10,400}", text))


def changed(before, after):
    return {name: (before[name], after[name]) for name in before if before[name] != after[name]}


def test_rpc_arguments(node):
    """Each by JSON-RPC and, where it can be typed, by kamcmd."""
    before, by_kamcmd = state(node), 0
    for words, part in CALLS:
        with pytest.raises(RpcFault) as caught:
            node.rpc(*words)
        fault = caught.value
        assert 400 <= fault.code < 500 and part in fault.text and is_sentence(fault.text), (words, fault.text)
        if all(words) and not any(isinstance(word, int) and word < 0 for word in words):
            # kamcmd takes -1 for an option
            status, said = node.kamcmd(*(["s:%s" % word if isinstance(word, str) and number else word
                                          for number, word in enumerate(words)]))
            assert "error: 4" in said and part in said, (words, status, said)
            by_kamcmd += 1
        assert not changed(before, state(node)), words
    print("\nwrong RPC arguments: %d by JSON, %d by kamcmd" % (len(CALLS), by_kamcmd))


def wrong_values():
    for name, (least, most) in RANGES.items():
        yield from ((name, value) for value in (least - 1, most + 1, -2147483648, 2147483647))


def test_values_of_cfg_set(node):
    """The framework's own fault, and lines in the log that name the setting and say why."""
    before, known, count = state(node), len(node.log()), 0
    for name, value in wrong_values():
        for command in ("cfg.set_now_int", "cfg.set_delayed_int"):
            with pytest.raises(RpcFault) as caught:
                node.rpc(command, "authban", name, value)
            said, known = node.log()[known:], len(node.log())
            assert is_sentence(caught.value.text) and "out of range" in said and "authban." + name in said, (name, value)
            count += 1
    for words in (("authban", "treshold", 5), ("authbn", "threshold", 5), ("authban", "threshold", "many"),
                  ("authban", "size", 5)):
        status, said = node.kamcmd("cfg.set_now_int", *words)
        assert "error: 400" in said, (words, status, said)
        count += 1
    node.rpc("cfg.commit")
    assert not changed(before, state(node))
    print("\nwrong values of cfg.set: %d" % count)


def test_lines_of_the_allow_list(node):
    before = state(node)
    for number, (line, part) in enumerate(LINES):
        node.allow.write_text("# ours\n" + "\n" * (number % 3) + line + "\n198.18.0.0/24\n", encoding="latin-1")
        known = len(node.log())
        assert node.rpc("authban.allow_reload") == {"entries": 1}
        said = [text.split("(): ", 1)[1] for text in node.log()[known:].splitlines() if "allow_file" in text]
        assert len(said) == 1 and "line %d has " % (number % 3 + 2) in said[0] and part in said[0], (line, said)
        assert is_sentence(said[0]) and "the other lines count" in said[0]
        assert not changed(before, state(node)), line
    node.allow.write_text("198.18.0.0/24\n")
    print("\nwrong lines of the allow-list: %d" % len(LINES))


def test_the_sum_is_100_and_more():
    kinds = {"parameters": len(WRONG_SETTINGS) + len(WRONG_POLICIES), "RPC arguments": len(CALLS),
             "allow-list lines": len(LINES), "cfg.set values": 2 * len(list(wrong_values())) + 4}
    print("\nwrong inputs: %d in sum: %s" % (sum(kinds.values()), kinds))
    assert sum(kinds.values()) >= 100 and all(number >= 20 for number in kinds.values())


def test_control_a_right_one_changes_something(node):
    before = state(node)
    node.rpc("authban.ban", "192.0.2.8", 60)
    node.rpc("cfg.set_now_int", "authban", "threshold", 9)
    assert set(changed(before, state(node))) >= {"status", "list", "settings", "counters"}
    node.rpc("authban.unban", "192.0.2.8")
    node.rpc("cfg.set_now_int", "authban", "threshold", 8)
