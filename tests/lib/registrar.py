# SPDX-License-Identifier: GPL-2.0-or-later
"""A small SIP registrar that checks passwords: what stands behind a proxy that does not."""
import hashlib
import itertools
import socket
import threading
import time

from . import SCRIPTS  # noqa: F401 (puts scripts/ on the path)
from .kamailio import REALM, USERS
from .netns import inside
import sipmsg


class Message:
    """A parsed request."""

    def __init__(self, data):
        lines = data.partition(b"\r\n\r\n")[0].decode("utf-8", "replace").split("\r\n")
        self.method, self.uri = lines[0].split(" ")[:2]
        self.headers = [(name.strip(), value.strip())
                        for name, colon, value in (line.partition(":") for line in lines[1:]) if colon]

    def all(self, *names):
        return [value for name, value in self.headers if name.lower() in names]

    def reply(self, status, reason, more=()):
        tag = ";tag=" + hashlib.md5(repr(self.headers).encode()).hexdigest()[:8]
        lines = ["SIP/2.0 %d %s" % (status, reason)]
        for name, value in self.headers:
            if name.lower() in ("via", "from", "call-id", "cseq", "record-route"):
                lines.append("%s: %s" % (name, value))
            elif name.lower() == "to":
                lines.append("To: " + value + ("" if "tag=" in value else tag))
        lines += ["%s: %s" % pair for pair in more] + ["Content-Length: 0"]
        return "\r\n".join(lines).encode() + b"\r\n\r\n"


class Registrar:
    """`with Registrar(("127.0.0.1", 5070)) as registrar: registrar.evaluated`.

    Attributes that a test may change at any time:
    qop; life: seconds of a nonce; say_stale: stale=true for an old one; refusal: 401 (407 for other
    requests than REGISTER) or another status for a wrong password; silent: answers nothing; status:
    answers everything with it; shared_nonce: the same for all who ask in one second, as Kamailio and
    pjsip do; opaque: its own; realm. once: a nonce is good for one request.
    """

    def __init__(self, address, netns=None, users=USERS):
        self.users, self.nonces = dict(users), {}
        self.numbers, self.lock, self.done = itertools.count(), threading.Lock(), threading.Event()
        self.reset()
        with inside(netns):
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.udp.bind(address)
        self.tcp.bind(self.udp.getsockname())
        self.tcp.listen()
        self.address = self.udp.getsockname()
        for sock in (self.udp, self.tcp):
            sock.settimeout(0.1)
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self._serve_udp, self._serve_tcp)]

    def reset(self):
        """As at the start; nonces stay good."""
        with self.lock:
            self.qop, self.life, self.say_stale, self.refusal = True, 300, True, 401
            self.silent, self.status, self.shared_nonce, self.opaque = False, None, False, None
            self.realm, self.once = REALM, False
            self.evaluated = self.accepted = self.asked = self.with_credentials = 0
            self.opaques = []

    @property
    def uri(self):
        return "sip:%s:%d" % self.address

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def close(self):
        self.done.set()
        for thread in self.threads:
            if thread.is_alive():
                thread.join(5)
        self.udp.close()
        self.tcp.close()

    def __exit__(self, *_):
        self.close()

    def _serve_udp(self):
        while not self.done.is_set():
            try:
                data, sender = self.udp.recvfrom(65535)
            except socket.timeout:
                continue
            answer = self._answer(data)
            if answer:
                self.udp.sendto(answer, sender)

    def _serve_tcp(self):
        while not self.done.is_set():
            try:
                sock, _ = self.tcp.accept()
            except socket.timeout:
                continue
            thread = threading.Thread(target=self._serve_stream, args=(sock,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _serve_stream(self, sock):
        data = b""
        with sock:
            sock.settimeout(0.1)
            while not self.done.is_set():
                try:
                    more = sock.recv(65535)
                except socket.timeout:
                    continue
                if not more:
                    return
                data += more
                while b"\r\n\r\n" in data:
                    head, _, rest = data.partition(b"\r\n\r\n")
                    size = sipmsg.body_size(head)
                    if len(rest) < size:
                        break
                    answer = self._answer(head + b"\r\n\r\n")
                    data = rest[size:]
                    if answer:
                        sock.sendall(answer)

    def _answer(self, data):
        try:
            message = Message(data)
        except ValueError:
            return None
        with self.lock:
            return None if self.silent or message.method == "ACK" else self._judge(message)

    def _judge(self, message):
        self.asked += 1
        credentials = [sipmsg.parse_parameters(value) for value in message.all(self._header(message, "Authorization"))]
        self.with_credentials += bool(credentials)
        self.opaques += [c.get("opaque") for c in credentials]
        if self.status:
            return message.reply(self.status, "As told")
        mine = [c for c in credentials if c.get("realm") == self.realm]
        if not mine:
            return self._challenge(message)
        given, uses = self.nonces.get(mine[0].get("nonce"), (None, 0))
        if given is None or time.monotonic() - given > self.life or (self.once and uses):
            return self._challenge(message, stale=self.say_stale)
        self.nonces[mine[0]["nonce"]] = given, uses + 1
        self.evaluated += 1
        if self._right(message, mine[0]):
            self.accepted += 1
            return message.reply(200, "OK", [("Contact", value) for value in message.all("contact")])
        if self.refusal != 401:
            return message.reply(self.refusal, "Forbidden")
        return self._challenge(message)

    @staticmethod
    def _header(message, name):
        return (name if message.method == "REGISTER" else "Proxy-" + name).lower()

    def _right(self, message, given):
        password = self.users.get(given.get("username"))
        # A lenient one: qop without cnonce (svcrack) is looked at as if there were no qop.
        qop = given.get("qop") if given.get("cnonce") else None
        return password is not None and given.get("response") == sipmsg.digest_response(
            dict(given, realm=self.realm), given["username"], password, message.method, given.get("uri", ""),
            qop, given.get("nc", ""), given.get("cnonce", ""))

    def _nonce(self):
        seed = int(time.time()) if self.shared_nonce else "%d-%d" % (id(self), next(self.numbers))
        nonce = hashlib.md5(("nonce %s" % seed).encode()).hexdigest()
        self.nonces.setdefault(nonce, (time.monotonic(), 0))
        return nonce

    def _challenge(self, message, stale=False):
        parts = ['Digest realm="%s"' % self.realm, 'nonce="%s"' % self._nonce()]
        if self.opaque is not None:
            parts.append('opaque="%s"' % self.opaque)
        if self.qop:
            parts.append('qop="auth"')
        if stale:
            parts.append("stale=true")
        register = message.method == "REGISTER"
        return message.reply(401 if register else 407, "Who are you",
                             [("WWW-Authenticate" if register else "Proxy-Authenticate", ", ".join(parts))])
