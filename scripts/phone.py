# SPDX-License-Identifier: GPL-2.0-or-later
"""A small honest SIP phone for UDP and TCP, shared by the demo and the tests."""
import collections
import socket
import time

import sipmsg

Result = collections.namedtuple("Result", "status round_trips")
Result.__doc__ = "status 0: nobody answered."

RETRANSMIT = 0.5  # SIP's T1: a UDP phone sends again after this time, doubling


class Link:
    """One socket to one proxy: sends requests, reads responses."""

    def __init__(self, target, source=None, transport="udp", source_port=0, timeout=2.0):
        self.target, self.transport, self.timeout = target, transport.lower(), timeout
        family = socket.AF_INET6 if ":" in target[0] else socket.AF_INET
        kind = socket.SOCK_STREAM if self.transport == "tcp" else socket.SOCK_DGRAM
        self.sock = socket.socket(family, kind)
        try:
            if source or source_port:
                self.sock.bind((source or "", source_port))
            self.sock.settimeout(timeout)
            # A connected UDP socket takes answers of this proxy only.
            self.sock.connect(target)
        except OSError:
            self.sock.close()
            raise
        self.local = self.sock.getsockname()[:2]
        self.buffer = b""
        self.sent = 0

    def close(self):
        self.sock.close()

    def send(self, data):
        self.sent += 1
        self.sock.sendall(data)

    def _read(self, deadline):
        left = deadline - time.monotonic()
        if left <= 0:
            raise socket.timeout
        self.sock.settimeout(left)
        return self.sock.recv(65535)

    def _read_stream(self, deadline):
        """One message from a stream, cut by Content-Length."""
        while True:
            head, found, rest = self.buffer.partition(b"\r\n\r\n")
            if found:
                size = sipmsg.body_size(head)
                if len(rest) >= size:
                    self.buffer = rest[size:]
                    return head + found + rest[:size]
            data = self._read(deadline)
            if not data:
                raise ConnectionError("the proxy closed the connection")
            self.buffer += data

    def receive(self, deadline, call_id=None, cseq=None):
        """The next final response, of this call and number when given; None at the deadline."""
        while True:
            try:
                data = self._read_stream(deadline) if self.transport == "tcp" else self._read(deadline)
                response = sipmsg.Response(data)
            except (socket.timeout, ConnectionError):
                return None
            except ValueError:
                continue  # a request for us, or rubbish: not what we wait for
            if response.status < 200 or (call_id and response.header("call-id") != call_id):
                continue
            if cseq and (response.header("cseq") or "").split(" ")[0] != str(cseq):
                continue
            return response

    def ask(self, data, call_id=None, cseq=None):
        """Send and wait for the final response; over UDP send again as phones do. None: silence."""
        end = time.monotonic() + self.timeout
        pause = RETRANSMIT
        while True:
            self.send(data)
            now = time.monotonic()
            until = end if self.transport == "tcp" else min(end, now + pause)
            response = self.receive(until, call_id, cseq)
            if response or until >= end:
                return response
            pause *= 2


class Phone:
    """Registers like a real phone: keeps nonce, opaque and nonce count between requests.

    stale=true: it answers the new challenge by itself. A challenge without stale right after
    credentials: it gives up and asks its owner (`asks_owner`).
    """

    def __init__(self, user, password, domain, target, source=None, transport="udp",
                 source_port=0, timeout=2.0, link=None):
        self.user, self.password, self.domain = user, password, domain
        self.link = link or Link(target, source, transport, source_port, timeout)
        self.challenge = None
        self.uses = 0
        self.cseq = 0
        self.call_id = sipmsg.new_token()
        self.from_tag = sipmsg.new_token(4)
        self.asks_owner = False
        self.credentials_sent = 0
        self.evaluated = 0
        self.last = None

    def close(self):
        self.link.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def register(self, expires=300):
        """REGISTER until it is done: Result(status, round_trips)."""
        return self.request("REGISTER", headers=[("Expires", str(expires))])

    def request(self, method, callee=None, headers=(), to_tag=None, tries=4):
        """Any request with digest answers; Result(status, round_trips)."""
        self.asks_owner = False
        for trip in range(1, tries + 1):
            had_credentials, before = self.challenge is not None, self.link.sent
            self.last = self._send(method, callee, headers, to_tag)
            if self.last is None:
                return Result(0, trip)
            challenge = self.last.challenge()
            stale = bool(challenge) and (challenge.get("stale") or "").lower() == "true"
            if had_credentials and not stale:
                # Turned away as stale means: nobody looked at the password.
                self.evaluated += self.link.sent - before
            if self.last.status not in (401, 407) or not challenge:
                return Result(self.last.status, trip)
            if had_credentials and not stale:
                self.asks_owner, self.challenge = True, None
                return Result(self.last.status, trip)
            self.challenge, self.uses = challenge, 0
        return Result(self.last.status, tries)

    def _send(self, method, callee, headers, to_tag):
        me = "sip:%s@%s" % (self.user, self.domain)
        to = callee or me
        uri = "sip:" + self.domain if method == "REGISTER" else to
        extra = list(headers)
        if self.challenge:
            self.uses += 1
            self.credentials_sent += 1
            extra.append(sipmsg.credentials(self.challenge, self.user, self.password, method, uri, self.uses))
        self.cseq += 1
        data = sipmsg.request(method, uri, me, to, self.link.local, self.link.transport.upper(),
                              self.call_id, self.cseq, self.from_tag, to_tag, extra)
        return self.link.ask(data, self.call_id, self.cseq)
