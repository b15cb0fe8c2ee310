# SPDX-License-Identifier: GPL-2.0-or-later
"""T21: requests with a forged source make the proxy send challenges to a victim; challenge_limit bounds them.

The victim's network is one /24 of a namespace. What reaches it is counted there, by address and second.
"""
import collections
import os
import socket
import threading
import time

import pytest

from lib.kamailio import Proxy, peer_config
from lib.lan import Lan
from lib.netns import inside
from lib.rawudp import Forger
from lib.sip import Guesser, Link, request
from lib.wait import wait_for

LONG = bool(os.environ.get("AUTHBAN_LONG"))
RATE, SECONDS = (10_000, 10) if LONG else (2_000, 3)
LIMIT = 50
VICTIMS, OTHERS, V6 = "10.78.77.", "10.78.3.", "2001:db8:78:%x::%x"
PORT = 5999  # the forged one
# As an attacker writes it: the shorter the request, the more comes out for each byte that goes in.
SHORT = (b"REGISTER sip:sip.test SIP/2.0\r\nv:SIP/2.0/UDP v:5999;branch=z9hG4bK%06d\r\nf:<sip:a@sip.test>;tag=1\r\n"
         b"t:<sip:a@sip.test>\r\ni:%06d\r\nCSeq:1 REGISTER\r\n\r\n")
ALL = socket.htons(0x0003)  # ETH_P_ALL
SO_RCVBUFFORCE = 33


class Sink(threading.Thread):
    """Counts the UDP packets that come into a namespace from the proxy: {second: number}, and their bytes."""

    def __init__(self, netns, port=PORT):
        super().__init__(daemon=True)
        with inside(netns):
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, ALL)
            self.sock.bind(("eth0", 0))
        self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 25)
        self.sock.settimeout(0.1)
        self.port, self.begin, self.done = port, time.monotonic(), threading.Event()
        self.seconds, self.bytes, self.last = collections.Counter(), 0, self.begin

    def run(self):
        while not self.done.is_set():
            try:
                data, address = self.sock.recvfrom(65535)
            except socket.timeout:
                continue
            # received by this host, UDP to the forged port
            if address[2] == 0 and len(data) > 28 and data[9] == 17 and int.from_bytes(data[22:24], "big") == self.port:
                self.last = time.monotonic()
                self.seconds[int(self.last - self.begin)] += 1
                self.bytes += len(data) - 28

    def stop(self):
        time.sleep(0.3)
        self.done.set()
        self.join(5)
        self.sock.close()
        return self

    @property
    def total(self):
        return sum(self.seconds.values())


@pytest.fixture(scope="module")
def net():
    """The attacker and the victim's network: 250 addresses of one /24, with phones on some of them."""
    with Lan(attackers=5, phones=5) as lan:
        lan.net.add_addresses("phone", ["%s%d/16" % (VICTIMS, n) for n in range(1, 251)])
        lan.net.add_addresses("phone", ["%s%d/16" % (OTHERS, n) for n in range(1, 21)])
        for host, number in (("proxy", 0xffff), ("phone", 1)):
            lan.net.add_addresses(host, [V6 % (0, number) + "/32"])
        lan.net.add_addresses("phone", [V6 % (net, n) + "/32" for net in (1, 2, 0x100) for n in (1, 2)])
        yield lan


def limited(net, limit=LIMIT, slip=0, **more):
    extra = 'modparam("authban", "challenge_limit", %d)\nmodparam("authban", "challenge_slip", %d)' % (limit, slip)
    return net.proxy(AB_THRESHOLD=5, settings={"extra": extra}, **more)


class Flood(threading.Thread):
    """REGISTERs in the name of the victim's addresses, RATE a second for SECONDS."""

    def __init__(self, net, proxy, rate=RATE, seconds=SECONDS):
        super().__init__(daemon=True)
        self.net, self.proxy, self.rate, self.count = net, proxy, rate, rate * seconds
        self.sent = self.bytes = self.took = 0

    def run(self):
        # none twice: of two equal requests at the same time the script drops one
        payloads = (SHORT % (n, n) for n in range(self.count))
        with Forger(self.net.net["attacker"]) as forger:
            begin = time.monotonic()
            self.sent = forger.send(lambda n: ("%s%d" % (VICTIMS, 1 + n % 250), PORT), self.proxy.target, payloads,
                                    rate=self.rate)
            self.took = time.monotonic() - begin
        self.bytes = self.sent * len(SHORT % (0, 0))


def counted_at_rest(proxy):
    """True when the proxy works on nothing: its statistics do not move (a peer has none of ours)."""
    before = proxy.rpc("cnt.grp_get_all", "core")
    time.sleep(0.2)
    return proxy.rpc("cnt.grp_get_all", "core") == before


def flood(net, proxy, meanwhile=None, **more):
    """The flood and what reached the victim; meanwhile() is called while it lasts: its results."""
    sink, attack = Sink(net.net["phone"]), Flood(net, proxy, **more)
    sink.start()
    attack.start()
    results = []
    while meanwhile and attack.is_alive():
        results.append(meanwhile())
    attack.join(60)
    wait_for(lambda: counted_at_rest(proxy), 10, "the proxy has read what waits", pause=0)
    sink.stop()
    return attack, sink, results


def figure(name, attack, sink, more=""):
    print("\nT21 %s: %d forged in %.1f s, %d replies (%s a second), bytes out/in %.2f%s" % (
        name, attack.sent, attack.took, sink.total, "+".join(str(sink.seconds[s]) for s in sorted(sink.seconds)),
        sink.bytes / attack.bytes, more))


def within_limit(attack, sink, limit=LIMIT):
    """A burst of one second's worth, then the limit and 1 %."""
    # the proxy may be at the last packets for longer than it took to send them
    whole = limit + limit * max(attack.took, sink.last - sink.begin)
    assert sink.total <= whole * 1.01 + 1, "more than the limit"
    assert sink.total >= 0.9 * whole, "less than the limit: the flood did not reach it"
    # and at no moment before: what has come by the end of each second
    for second in sink.seconds:
        come = sum(n for at, n in sink.seconds.items() if at <= second)
        assert come <= limit * (second + 2) * 1.01 + 1, "by the end of second %d" % second


def test_a_flood_gets_the_limit_and_no_more(net):
    proxy = limited(net)
    attack, sink, _ = flood(net, proxy)
    now = proxy.authban()
    figure("limit %d" % LIMIT, attack, sink, ", checked=%d suppressed=%d bans=%d" % (
        now["checked"], now["challenges_suppressed"], len(proxy.bans())))
    within_limit(attack, sink)
    # a busy machine loses some before the proxy reads them
    assert now["challenges_suppressed"] + sink.total == now["checked"] >= 0.5 * attack.sent
    assert not proxy.bans()


def test_who_is_not_a_forged_datagram_is_served(net):
    """TCP phones of the victim's network, one with a token, phones of other networks: all served."""
    proxy = limited(net)
    known = net.phone(proxy, source=VICTIMS + "9")
    assert known.register().status == 200
    # Shows a token with a nonce that is not ours: nobody's failure, and a reason for a new challenge.
    proven = net.keep(Guesser("alice", proxy.target, source=VICTIMS + "8", netns=net.net["phone"], timeout=1.5))
    challenge = proven.challenge()
    challenge["nonce"] = "A" * len(challenge["nonce"])
    number = iter(range(10, 10_000))
    served = collections.Counter()

    def meanwhile():
        step = next(number)
        phones = {"tcp": net.phone(proxy, source="%s%d" % (VICTIMS, 10 + step % 200), transport="tcp"),
                  "other network": net.phone(proxy, source="%s%d" % (OTHERS, 1 + step % 20))}
        for name, phone in list(phones.items()) + [("token", known)]:
            served[name, phone.register().status == 200] += 1
            if phone is not known:
                phone.close()
        served["challenge for a token", proven.answer(challenge) == 401] += 1
        time.sleep(0.05)

    attack, sink, _ = flood(net, proxy, meanwhile)
    figure("and phones", attack, sink, ", served %s" % {name: n for (name, _), n in served.items()})
    within_limit(attack, sink)
    assert all(good for _, good in served) and all(n >= 5 for n in served.values()), served


def test_one_in_k_slips(net):
    """The victim's own phone over UDP gets through by sending again, as phones do."""
    proxy = limited(net, slip=5)
    attack, sink, _ = flood(net, proxy)
    figure("slip 5", attack, sink)
    whole = LIMIT + LIMIT * attack.took
    now = proxy.authban()
    expected = whole + (now["checked"] - whole) / 5
    assert abs(sink.total - expected) <= 0.05 * expected
    assert now["challenges_suppressed"] == now["checked"] - sink.total


def test_dry_run_counts_and_answers(net):
    proxy = limited(net, AB_MODE="dry_run")
    attack, sink, _ = flood(net, proxy, rate=500, seconds=1)
    suppressed = proxy.authban()["challenges_suppressed"]
    figure("dry run", attack, sink, ", would have been suppressed: %d" % suppressed)
    assert sink.total == proxy.authban()["checked"]
    assert 0.5 * sink.total < suppressed < sink.total


def test_an_allowed_network_is_not_limited(net):
    proxy = limited(net)
    proxy.rpc("authban.allow_add", VICTIMS + "0/24")
    attack, sink, _ = flood(net, proxy, rate=500, seconds=1)
    figure("allowed", attack, sink)
    assert sink.total == proxy.authban()["checked"] > 2 * LIMIT


def test_ipv6_is_limited_by_56_bits(net):
    """Two /64 of one /56 share a limit, another /56 has its own."""
    limit = 10
    proxy = net.keep(Proxy(host=V6 % (0, 0xffff), port=5060, netns=net.net["proxy"],
                           extra='modparam("authban", "challenge_limit", %d)' % limit)).start()
    begin = time.monotonic()
    got = [answered(net, proxy, V6 % (number, 1)) for number in (1, 2, 0x100)]
    more = (time.monotonic() - begin) * limit
    print("\nT21 IPv6, limit %d: of 30 each two /64 of a /56 got %d+%d, another /56 %d" % (limit, *got))
    assert limit <= got[0] + got[1] <= limit + more + 1
    assert limit <= got[2] <= limit + more + 1


def answered(net, proxy, source, count=30):
    """How many of so many first requests are answered."""
    link = Link(proxy.target, source, netns=net.net["phone"])
    try:
        me = "sip:alice@sip.test"
        for _ in range(count):
            link.send(request("REGISTER", "sip:sip.test", me, me, link.local))
        found = 0
        while link.receive(time.monotonic() + 0.2):
            found += 1
        return found
    finally:
        link.close()


def controls():
    return {"authban without the limit": {}, "a plain auth_challenge": {"config": peer_config("htable")}}


@pytest.mark.parametrize("name", controls())
def test_control_without_the_limit_all_are_answered(net, name):
    proxy = net.proxy(settings=controls()[name])
    attack, sink, _ = flood(net, proxy, rate=1000, seconds=1)
    figure("control, " + name, attack, sink)
    assert sink.total >= 0.95 * attack.sent
    assert sink.bytes > 2 * attack.bytes
