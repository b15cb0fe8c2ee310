# SPDX-License-Identifier: GPL-2.0-or-later
"""A RADIUS server that knows SIP digests (RFC 5090's attributes), and the client's files for it."""
import hashlib
import os
import socket
import struct
import threading
import time

from .netns import inside

SECRET = b"secret-of-the-radius-test"
ACCEPT, REJECT = 2, 3

# What auth_radius looks for at its start; the numbers of RFC 2865 and RFC 5090.
STRINGS = {"User-Name": 1, "Reply-Message": 18, "Called-Station-Id": 30, "Calling-Station-Id": 31,
           "NAS-Identifier": 32, "Digest-Response": 103, "Digest-Realm": 104, "Digest-Nonce": 105,
           "Digest-Method": 108, "Digest-URI": 109, "Digest-QOP": 110, "Digest-Algorithm": 111,
           "Digest-Body-Digest": 112, "Digest-CNonce": 113, "Digest-Nonce-Count": 114,
           "Digest-User-Name": 115, "Sip-URI-User": 208, "SIP-AVP": 225}
NAMES = {number: name for name, number in STRINGS.items()}
DICTIONARY = "".join("ATTRIBUTE %s %d string\n" % pair for pair in STRINGS.items()) + """\
ATTRIBUTE NAS-IP-Address 4 ipaddr
ATTRIBUTE NAS-Port 5 integer
ATTRIBUTE Service-Type 6 integer
VALUE Service-Type Sip-Session 15
"""


def _md5(*parts):
    return hashlib.md5(b":".join(parts)).hexdigest().encode()


def _attributes(data):
    found = {}
    while len(data) >= 2 and 2 <= data[1] <= len(data):
        found[NAMES.get(data[0], data[0])] = data[2:data[1]]
        data = data[data[1]:]
    return found


class Radius:
    """`with Radius({"alice": "secret"}) as server: ...; server.silent = True`.

    delay: seconds before an answer; heard: requests so far; close(): nobody listens any more.
    """

    def __init__(self, users, host="127.0.0.1", netns=None):
        self.users = users
        self.silent, self.delay, self.heard = False, 0, 0
        with inside(netns):
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(0.1)
        self.socket.bind((host, 0))
        self.host, self.port = self.socket.getsockname()
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def _serve(self):
        while self.socket.fileno() >= 0:
            try:
                data, sender = self.socket.recvfrom(4096)
            except TimeoutError:
                continue
            except OSError:
                return
            self.heard += 1
            time.sleep(self.delay)
            if not self.silent:
                self.socket.sendto(self.answer(data), sender)

    def knows(self, of):
        """Whether a request's digest is right."""
        user = of.get("Digest-User-Name", b"")
        password = self.users.get(user.decode("latin-1"))
        if password is None:
            return False
        ha1 = _md5(user, of["Digest-Realm"], password.encode())
        ha2 = _md5(of["Digest-Method"], of["Digest-URI"])
        middle = [of[name] for name in ("Digest-Nonce-Count", "Digest-CNonce", "Digest-QOP") if name in of]
        return _md5(ha1, of["Digest-Nonce"], *middle, ha2) == of["Digest-Response"]

    def answer(self, data):
        code = ACCEPT if self.knows(_attributes(data[20:])) else REJECT
        head = struct.pack("!BBH", code, data[1], 20)
        return head + hashlib.md5(head + data[4:20] + SECRET).digest()

    def write_config(self, folder, timeout=1, retries=1):
        """radiusclient.conf in a folder; its path."""
        path = os.path.join(folder, "radiusclient.conf")
        with open(os.path.join(folder, "dictionary"), "w", encoding="ascii") as out:
            out.write(DICTIONARY)
        server = "%s:%d:%s" % (self.host, self.port, SECRET.decode())
        with open(path, "w", encoding="ascii") as out:
            out.write("nas-identifier test\nauthserver %s\nacctserver %s\ndictionary %s/dictionary\n"
                      "radius_timeout %d\nradius_retries %d\nbindaddr *\n" % (
                          server, server, folder, timeout, retries))
        return path
