# SPDX-License-Identifier: GPL-2.0-or-later
"""Streams of a banned source are closed: no more is read from them. Where somebody is known-good they stay."""
import select
import time

from lib import peers
from lib.lan import PROXY
from lib.sip import Guesser
from lib.wait import wait_for

THRESHOLD, REQUESTS = 5, 20


def is_closed(sender):
    """Whether the proxy has closed this one's connection."""
    sock = sender.link.sock
    while select.select([sock], [], [], 0)[0]:
        if not sock.recv(4096):  # else an answer that nobody waited for
            return True
    return False


def offered(guesser, challenge, patience):
    """How many of REQUESTS guesses went out before the proxy closed the stream, which it gets `patience` seconds
    for after each."""
    for number in range(REQUESTS):
        try:
            guesser.link.send(guesser.build([guesser.answer_header(challenge, "more-%d" % number)]))
            deadline = time.monotonic() + patience
            while time.monotonic() < deadline:
                if is_closed(guesser):
                    return number
                time.sleep(0.01)
        except OSError:
            return number
    return REQUESTS


def test_the_stream_of_an_offender_is_closed(lan):
    proxy = lan.proxy(AB_THRESHOLD=THRESHOLD)
    guesser = lan.guesser(proxy, transport="tcp", timeout=2)
    other = lan.guesser(proxy, transport="tcp", timeout=2)
    challenge = guesser.challenge()
    assert [guesser.answer(challenge, "wrong-%d" % n) for n in range(THRESHOLD - 1)] == [401] * (THRESHOLD - 1)
    guesser.timeout = 0.1
    guesser.answer(challenge, "the last")
    wait_for(lambda: guesser.link.local[0] in proxy.bans(), 3, "the ban")
    idle = lan.guesser(proxy, transport="tcp", source=guesser.link.local[0], timeout=0.2)
    assert idle.challenge() is None
    taken, evaluated = offered(guesser, challenge, 1.0), proxy.evaluated()
    wait_for(lambda: is_closed(idle), 15, "the idle stream is closed too")
    print("\nstreams: banned after %d, requests taken from the open stream afterwards=%d of %d" % (
        THRESHOLD, taken, REQUESTS))
    assert taken <= 2 and evaluated == THRESHOLD
    assert other.challenge(), "another source's stream stays"
    assert not proxy.log_lines("WARNING|ERROR|CRITICAL")


def test_in_dry_run_it_stays(lan):
    proxy = lan.proxy(AB_THRESHOLD=THRESHOLD, AB_MODE="dry_run")
    guesser = lan.guesser(proxy, transport="tcp", timeout=2)
    challenge = guesser.challenge()
    assert [guesser.answer(challenge, "wrong-%d" % n) for n in range(3 * THRESHOLD)] == [401] * 3 * THRESHOLD
    assert not is_closed(guesser)


def test_where_somebody_is_known_good_it_stays(lan):
    """A whole office behind one address and one connection: strangers wait, nobody is cut off."""
    proxy = lan.proxy(AB_THRESHOLD=THRESHOLD)
    phone = lan.phone(proxy, transport="tcp")
    assert phone.register().status == 200
    guesser = lan.keep(Guesser("alice", proxy.target, source=phone.link.local[0], transport="tcp", timeout=0.1,
                               netns=lan.net["phone"]))
    for number in range(60):  # several users: the source itself is banned, but for those who are known
        guesser.user = "user-%d" % number
        guesser.guess("wrong-%d" % number)
    row = proxy.rpc("authban.get", phone.link.local[0])
    assert row["state"] == "banned", row
    assert not is_closed(guesser) and not is_closed(phone)
    assert phone.register().status == 200
    print("\nstreams: %s, the phone and the guesser still connected" % row["why"])


def test_control_the_stream_of_a_peers_offender_is_read_on(lan):
    with peers.peer(lan.net, "htable", PROXY, port=5090, WITH_QOP=True) as proxy, \
            Guesser("alice", proxy.target, transport="tcp", source=lan.attacker_address(),
                    netns=lan.net["attacker"], timeout=2) as guesser:
        challenge = guesser.challenge()
        statuses = [guesser.answer(challenge, "wrong-%d" % n) for n in range(THRESHOLD)]
        guesser.timeout = 0.1
        guesser.answer(challenge, "blocked now")
        taken = offered(guesser, challenge, 0.05)
        print("\nstreams control htable: statuses=%s requests taken from the open stream afterwards=%d of %d" % (
            statuses, taken, REQUESTS))
        assert taken == REQUESTS
