# SPDX-License-Identifier: GPL-2.0-or-later
"""One attempt counts once: a retransmission is the same attempt, another password is another."""
from lib.wait import wait_for


def counters(proxy):
    now = proxy.authban()
    return now["failures"], now["retransmissions"]


def test_the_same_packet_seven_times_is_one_failure(lan):
    """What a phone with an old password sends when the answers get lost (RFC 3261: up to 7 times)."""
    proxy = lan.proxy(AB_THRESHOLD=5)
    guesser = lan.guesser(proxy)
    packet = guesser.build([guesser.answer_header(guesser.challenge(), "old password")])
    for _ in range(7):
        guesser.link.send(packet)
    wait_for(lambda: proxy.authban()["checked"] >= 8, 3, "all seven are looked at")
    print("\nretransmission: sent=7 failures=%d" % counters(proxy)[0])
    assert counters(proxy)[0] == 1
    assert guesser.guess("another") == 401


def test_the_same_answer_in_new_requests_is_one_failure(lan):
    """A phone that repeats what it said; each is a request of its own and reaches the password check."""
    proxy = lan.proxy(AB_THRESHOLD=5)
    guesser = lan.guesser(proxy)
    header = guesser.answer_header(guesser.challenge(), "old password")
    got = [guesser.send([header]).status for _ in range(7)]
    print("\nreplay: sent=7 evaluated=%d failures=%d again=%d" % (proxy.evaluated(), *counters(proxy)))
    assert got == [401] * 7 and proxy.evaluated() == 7
    assert counters(proxy) == (1, 6)


def test_another_password_is_another_attempt(lan):
    """Control: with one nonce, but an answer of its own each time."""
    proxy = lan.proxy(AB_THRESHOLD=5)
    guesser = lan.guesser(proxy)
    challenge = guesser.challenge()
    got = [guesser.answer(challenge, "password-%d" % number) for number in range(6)]
    print("\nretransmission control: %s" % got)
    assert got == [401, 401, 401, 401, 0, 0] and counters(proxy) == (5, 0)


def test_the_same_answer_from_elsewhere_is_another_attempt(lan):
    """Two sources never share an attempt."""
    proxy = lan.proxy(AB_THRESHOLD=5)
    for guesser in (lan.guesser(proxy), lan.guesser(proxy)):
        assert guesser.guess("the same") == 401
    assert counters(proxy) == (2, 0)
