# SPDX-License-Identifier: GPL-2.0-or-later
"""A small client for Redis, and the URLs of the module's parameter redis."""
import collections
import socket
import ssl
import urllib.parse

from . import Problem, clean

Url = collections.namedtuple("Url", "kind tls unix places master db user password")
Url.__doc__ = """kind: server, sentinel or cluster; places: [(host, port)], of a unix socket [(path, 0)]."""

_SCHEMES = {"redis": ("server", False), "rediss": ("server", True), "redis+unix": ("server", False),
            "redis+sentinel": ("sentinel", False), "rediss+sentinel": ("sentinel", True),
            "redis+cluster": ("cluster", False), "rediss+cluster": ("cluster", True)}
_ELEMENTS_MAX, _BYTES_MAX = 10000, 1 << 20


def parse_url(text):
    """Problem when it is none; the password is never in the text of it."""
    scheme, mark, rest = text.partition("://")
    if not mark or scheme not in _SCHEMES:
        raise Problem("redis is not a URL that authban knows")
    kind, tls = _SCHEMES[scheme]
    login, at, rest = rest.rpartition("@")
    user, colon, password = login.partition(":") if at else ("", "", "")
    user, password = (urllib.parse.unquote(part) for part in (user, password))
    if scheme == "redis+unix":
        return Url(kind, tls, True, [(rest, 0)], "", 0, user, password)
    hosts, _, path = rest.partition("/")
    parts = path.split("/") if path else []
    master = parts.pop(0) if kind == "sentinel" and parts else ""
    try:
        places = [_place(host, 26379 if kind == "sentinel" else 6379) for host in hosts.split(",")]
        number = int(parts[0]) if parts and parts[0] else 0
    except ValueError:
        raise Problem("redis has a port or a database that is no number") from None
    return Url(kind, tls, False, places, master, number, user, password)


def _place(text, port):
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, int(rest[1:]) if rest else port
    host, colon, given = text.partition(":")
    return host, int(given) if colon else port


class Refused(Problem):
    """Redis answered with an error."""


class Client:
    """`with Client(place, url) as redis: redis("TIME")`. Text in, text out; Problem and Refused."""

    def __init__(self, place, url, ca=None, timeout=2.0):
        self.place = place
        try:
            self.sock = self._connect(url, ca, timeout)
        except OSError as error:
            raise Problem("cannot reach %s: %s" % (self.name, error.strerror or clean(error))) from None
        self.lines = self.sock.makefile("rb")

    @property
    def name(self):
        return clean(self.place[0] if not self.place[1] else "%s:%d" % self.place)

    def _connect(self, url, ca, timeout):
        if url.unix:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.settimeout(timeout)
            sock.connect(self.place[0])
            return sock
        sock = socket.create_connection(self.place, timeout)
        if not url.tls:
            return sock
        return ssl.create_default_context(cafile=ca or None).wrap_socket(sock, server_hostname=self.place[0])

    def close(self):
        self.lines.close()
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __call__(self, *words):
        data = b"*%d\r\n" % len(words)
        for word in (str(word).encode() for word in words):
            data += b"$%d\r\n%s\r\n" % (len(word), word)
        try:
            self.sock.sendall(data)
            return self._read()
        except OSError as error:
            raise Problem("%s does not answer: %s" % (self.name, error.strerror or clean(error))) from None

    def _read(self, depth=0):
        line = self.lines.readline(_BYTES_MAX)
        if not line.endswith(b"\r\n") or depth > 4:
            raise Problem("%s does not speak Redis's protocol" % self.name)
        kind, rest = line[:1], line[1:-2].decode("utf-8", "replace")
        if kind == b"+":
            return rest
        if kind == b"-":
            raise Refused(clean(rest))
        if kind not in b":$*" or not rest.lstrip("-").isdigit():
            raise Problem("%s does not speak Redis's protocol" % self.name)
        size = int(rest)
        if kind == b":":
            return size
        if size < 0:
            return None
        if size > (_BYTES_MAX if kind == b"$" else _ELEMENTS_MAX):
            raise Problem("%s sends more than it was asked for" % self.name)
        if kind == b"$":
            return self.lines.read(size + 2)[:-2].decode("utf-8", "replace")
        return [self._read(depth + 1) for _ in range(size)]
