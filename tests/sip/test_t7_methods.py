# SPDX-License-Identifier: GPL-2.0-or-later
"""T7: a guess is a guess in any request: the same count, the same ban, by itself or mixed.

htable counts none of them when the guesser speaks as svcrack does: test_peer_controls_sources.py.
"""
import pytest

from lib.lan import address_of

THRESHOLD = 5
METHODS = ["REGISTER", "INVITE", "SUBSCRIBE", "PUBLISH", "MESSAGE", "BYE"]


def code(method):
    return 401 if method == "REGISTER" else 407


def to_tag(method):
    """BYE as within a call that does not exist."""
    return "abc" if method == "BYE" else None


def figure(what, guesser, proxy, statuses):
    row = proxy.bans().get(address_of(guesser))
    print("\nT7 %s: statuses=%s banned=%d failures=%s proof=%s" % (
        what, statuses, bool(row), row and row["failures"], row and row["proof"]))
    assert row and row["failures"] == THRESHOLD
    return row


@pytest.mark.parametrize("transport,kind", [("udp", "real"), ("udp", "svcrack"), ("tcp", "real")])
@pytest.mark.parametrize("method", METHODS)
def test_every_method_counts(lan, proxy5, method, transport, kind):
    guesser = lan.guesser(proxy5, method=method, transport=transport, kind=kind, to_tag=to_tag(method),
                          timeout=0.4)
    before = proxy5.evaluated()
    statuses = [guesser.guess("wrong-%d" % number) for number in range(THRESHOLD)]
    row = figure("%s %s %s" % (method, transport, kind), guesser, proxy5, statuses)
    assert statuses == [code(method)] * (THRESHOLD - 1) + [0]
    assert row["proof"] == ("token" if transport == "udp" else "stream")
    assert proxy5.evaluated() - before == THRESHOLD


def test_methods_count_together(lan, proxy5):
    """One guess in each of five methods, the sixth method finds the door shut."""
    guesser, statuses = lan.guesser(proxy5), []
    for guesser.method in METHODS[:THRESHOLD]:
        statuses.append(guesser.guess())
    figure("a method each", guesser, proxy5, statuses)
    guesser.method, guesser.to_tag = METHODS[-1], "abc"
    assert statuses == [code(method) for method in METHODS[:THRESHOLD - 1]] + [0]
    assert guesser.challenge() is None


def test_a_ban_by_one_method_shuts_all(lan, proxy5):
    guesser = lan.guesser(proxy5, timeout=0.3)
    assert guesser.guess_until_silent(10) == THRESHOLD - 1
    answers = []
    for guesser.method in METHODS + ["OPTIONS"]:
        guesser.to_tag = to_tag(guesser.method)
        answers.append(guesser.send())
    print("\nT7 after a ban by REGISTER: answered=%d of %d methods" % (
        sum(bool(answer) for answer in answers), len(answers)))
    assert not any(answers)
