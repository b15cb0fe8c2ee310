# SPDX-License-Identifier: GPL-2.0-or-later
"""T22: a ban and an unban are one line each, per proxy and event, by a strict grammar."""
import pytest

from lib.fleet import THRESHOLD, fleet, wait_banned, wait_lifted
from lib.grammar import KEYS, all_news, news, parse_line
from lib.traffic import RoundRobin, answers
from lib.wait import holds_for, wait_for


@pytest.fixture(scope="module")
def nodes():
    with fleet(2) as both:
        yield both[1]


def events(node, source):
    return [line["event"] for line in news(node, source)]


def assert_events(nodes, source, wanted):
    wait_for(lambda: all(events(node, source) == wanted for node in nodes), 2,
             "%s on all, not %s" % (wanted, [events(node, source) for node in nodes]))
    holds_for(lambda: all(events(node, source) == wanted for node in nodes), 0.3, "no more lines")


def test_one_line_each_for_a_ban_by_failures(nodes):
    with RoundRobin(nodes, "127.16.1.1") as attacker:
        attacker.send(60)
    wait_banned(nodes, "127.16.1.1")
    assert_events(nodes, "127.16.1.1", ["ban"])
    lines = [news(node, "127.16.1.1")[0] for node in nodes]
    for line in lines:
        assert list(line) == KEYS
        assert (line["reason"], line["proof"], line["failures"], line["users"]) == ("threshold", "token", THRESHOLD, 1)
        assert 540 <= line["ttl"] <= 600 and line["repeats"] == 1
    assert lines[0]["origin"] == lines[1]["origin"]
    for node in nodes:
        assert not any(answers(node, "127.16.1.1", 0.1) for _ in range(5))
    assert_events(nodes, "127.16.1.1", ["ban"])


def test_one_line_each_for_commands(nodes):
    nodes[0].rpc("authban.ban", "127.16.1.2", 600, "by_hand")
    wait_banned(nodes, "127.16.1.2")
    nodes[1].rpc("authban.unban", "127.16.1.2")
    wait_lifted(nodes, "127.16.1.2")
    nodes[1].rpc("authban.ban", "127.16.1.2", 60)
    wait_banned(nodes, "127.16.1.2")
    assert_events(nodes, "127.16.1.2", ["ban", "unban", "ban"])
    first, lifted, second = news(nodes[1], "127.16.1.2")
    assert (first["reason"], first["origin"], lifted["ttl"], second["origin"]) == ("by_hand", "node-1", 0, "node-2")


def test_networks_and_ipv6(nodes):
    for source in ("127.16.2.0/24", "2001:db8:7:7::/64"):
        nodes[0].rpc("authban.ban", source, 600)
        wait_banned(nodes, source.replace("::/64", "::1"))
        assert_events(nodes, source, ["ban"])


def test_wild_reasons_forge_no_line(nodes):
    wild = ["x\n 0(1) NOTICE: authban [a.c:1]: authban_news(): ip=10.0.0.1 event=unban", "\r\n\r\n", "a" * 5000,
            "\x1b]0;title\x07", "\u2028", "ip=1 ip=2", "' \" \\ $(id)"] + [chr(code) * 3 for code in range(1, 256)]
    before = [len(all_news(node)) for node in nodes]
    for number, reason in enumerate(wild):
        nodes[0].rpc("authban.ban", "127.17.%d.%d" % (number // 250, number % 250 + 1), 600, reason)
    wait_banned(nodes, "127.17.%d.%d" % ((len(wild) - 1) // 250, (len(wild) - 1) % 250 + 1))
    wait_for(lambda: [len(all_news(node)) - old for node, old in zip(nodes, before)] == [len(wild)] * 2, 2,
             "one line each")
    longest = max(len(line) for node in nodes for line in node.log_lines(r"authban_news\(\)"))
    foreign = [line for node in nodes for line in all_news(node) if line["ip"] == "10.0.0.1"]
    print("\nT22 log: bans=%d lines_parsed=%d longest=%d" % (
        len(wild), sum(len(all_news(node)) for node in nodes), longest))
    assert longest <= 512 and not foreign


def test_wild_user_names_forge_no_line(nodes):
    """The user of the credentials, which is what is counted; From stays well-formed."""
    before = [len(all_news(node)) for node in nodes]
    wild = ["a b", "x" * 3000, "ip=10.0.0.9 event=unban", "%s%n%d", "\x1b[0m", "gr\u00fc\u00df", "", "a'b"]
    for number, user in enumerate(wild):
        with RoundRobin(nodes[:1], "127.16.3.%d" % (number + 1)) as attacker:
            guesser, challenge = attacker.guessers[0], attacker.challenges[0]
            for guess in range(10):
                guesser.link.send(guesser.build([guesser.answer_header(challenge, "w%d" % guess, user or "alice")]))
        wait_banned(nodes, "127.16.3.%d" % (number + 1), 2.0)
    wait_for(lambda: [len(all_news(node)) - old for node, old in zip(nodes, before)] == [len(wild)] * 2, 2,
             "one line each")
    assert not any("10.0.0.9" in line for node in nodes for line in node.log_lines("authban_news"))


@pytest.mark.parametrize("line", [
    "1(2) NOTICE: authban [a.c:1]: authban_news(): event=ban ip=10.0.0.1",
    "1(2) NOTICE: authban [a.c:1]: authban_news(): ip=10.0.0.1 event=ban reason=a b failures=1 users=1 ttl=1"
    " repeats=1 proof=token origin=x",
    "1(2) NOTICE: authban [a.c:1]: authban_news(): ip=nonsense event=ban reason=a failures=1 users=1 ttl=1"
    " repeats=1 proof=token origin=x",
    "x" * 600])
def test_control_the_grammar_refuses(line):
    with pytest.raises(ValueError):
        parse_line(line)
