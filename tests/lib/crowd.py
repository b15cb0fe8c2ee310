# SPDX-License-Identifier: GPL-2.0-or-later
"""Many addresses behind one UDP socket: thousands of phones or attackers for the price of one.

The addresses need not be configured, only routed (Net.any_ip); all are real, so answers come back.
"""
import socket
import struct
import time

from .kamailio import REALM
from .netns import inside
from .traffic import paced
from .wait import wait_for
import sipmsg

_IP_FREEBIND, _IP_PKTINFO = 15, 8
_BUFFER = 4 << 20


class Member:
    """One address with one user; keeps its challenge as a phone does."""

    def __init__(self, source, user, password="wrong", method="REGISTER", domain=REALM):
        self.source, self.user, self.password, self.method = source, user, password, method
        self.domain, self.port = domain, 5060
        self.call_id, self.cseq, self.challenge, self.uses = sipmsg.new_token(), 0, None, 0

    def request(self, password=None, headers=()):
        """(source, bytes, key): with credentials as soon as there is a challenge."""
        me = "sip:%s@%s" % (self.user, self.domain)
        uri = "sip:" + self.domain if self.method == "REGISTER" else me
        headers = list(headers)
        if self.challenge:
            self.uses += 1
            headers.append(sipmsg.credentials(self.challenge, self.user, password or self.password,
                                              self.method, uri, self.uses))
        self.cseq += 1
        data = sipmsg.request(self.method, uri, me, me, (self.source, self.port), "UDP", self.call_id,
                              self.cseq, headers=headers)
        return self.source, data, (self.call_id, self.cseq)

    def take(self, response):
        """Keeps a new challenge; returns the status, 0 for silence."""
        if response and response.challenge():
            self.challenge, self.uses = response.challenge(), 0
        return response.status if response else 0


class Crowd:
    """`with Crowd(proxy.target, net["attacker"]) as crowd: crowd.exchange(requests)`."""

    def __init__(self, target, netns=None):
        self.target, self.six = target, ":" in target[0]
        with inside(netns):
            self.sock = socket.socket(socket.AF_INET6 if self.six else socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        # the address of a packet is not on any interface
        self.sock.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        self.sock.bind(("::" if self.six else "", 0))
        self.port = self.sock.getsockname()[1]

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def member(self, *words, **more):
        """A Member with this socket's port."""
        made = Member(*words, **more)
        made.port = self.port
        return made

    def send(self, source, data):
        if self.six:
            info = (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO,
                    socket.inet_pton(socket.AF_INET6, source) + struct.pack("=I", 0))
        else:
            info = (socket.IPPROTO_IP, _IP_PKTINFO, struct.pack("=I4s4s", 0, socket.inet_aton(source), b"\0" * 4))
        self.sock.sendmsg([data], [info], 0, self.target)

    def receive(self, wait=0.0):
        """The next final response and its key, or None when nothing comes for so many seconds."""
        deadline = time.monotonic() + wait
        while True:
            left = deadline - time.monotonic()
            self.sock.settimeout(max(left, 0.0))
            try:
                response = sipmsg.Response(self.sock.recv(65535))
            except (BlockingIOError, socket.timeout):
                return None
            except ValueError:
                continue
            if response.status >= 200:
                number = (response.header("cseq") or "0").split(" ")[0]
                return response, (response.header("call-id"), int(number))

    def exchange(self, requests, rate=1000, tries=1, quiet=0.4):
        """Sends all at a rate and returns {key: response} of those that were answered.

        It ends when all are, or when nobody answers for `quiet` seconds; then it sends the
        unanswered ones again, as phones do, until each was sent `tries` times.
        """
        waiting = {key: (source, data) for source, data, key in requests}
        answers = {}
        for _ in range(tries):
            for number, left in zip(paced(len(waiting), rate), list(waiting.values())):
                self.send(*left)
                if number % 8 == 0:
                    self._collect(waiting, answers, 0)
            self._collect(waiting, answers, quiet)
            if not waiting:
                break
        return answers

    def _collect(self, waiting, answers, wait):
        while waiting:
            got = self.receive(wait)
            if not got:
                return
            if waiting.pop(got[1], None):
                answers[got[1]] = got[0]

    def ask(self, members, headers=(), **more):
        """One request of each member: their statuses, 0 for silence."""
        requests = [member.request(headers=headers) for member in members]
        answers = self.exchange(requests, **more)
        return [member.take(answers.get(key)) for member, (_, _, key) in zip(members, requests)]


def wait_reachable(target, netns, source, timeout=10.0):
    """A new IPv6 network loses its first packets; wait until a challenge comes."""
    with Crowd(target, netns) as crowd:
        wait_for(lambda: crowd.ask([crowd.member(source, "nobody")], quiet=0.2)[0], timeout, "a way to the proxy")
