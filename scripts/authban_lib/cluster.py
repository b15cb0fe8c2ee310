# SPDX-License-Identifier: GPL-2.0-or-later
"""Evidence as the proxies of a cluster tell it each other through Redis: ab_evidence_wire.h, read by a second hand.

Each record is what one proxy has seen itself; without samples and users, which stay with it. Whatever is in Redis
is hostile: without the cluster key nothing is read, and what its MAC does not fit is counted and left out.
"""
import hashlib
import hmac
import ipaddress
import socket
import ssl
import struct
import urllib.parse

from . import Problem, addresses, files, timestamp

PREFIX = "authban"
RECORDS_MAX = 100_000
VERSION, SIGNED, ERASURE, MAC = 2, 1, 2, 16
METHODS = ("OTHER", "REGISTER", "INVITE", "OPTIONS", "SUBSCRIBE", "PUBLISH", "MESSAGE", "REFER", "NOTIFY", "INFO",
           "UPDATE", "BYE")
TRANSPORTS = ("other", "udp", "tcp", "tls", "ws", "wss", "sctp")
PROOFS = ("none", "token", "stream", "nonce")
CLASSES = ("wrong_password", "no_user", "malformed", "script")
_HEAD = struct.Struct(">BBB16s16s16sHHBBBQQQI4I12IIHI")
_ESTIMATE = (0, 1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 13, 15, 17, 18, 20, 22, 24, 26, 29, 31, 34, 37, 41, 44, 49, 54, 59, 67,
             76, 89, 111, 111)  # ab_distinct.h
_ANSWER_MAX = 8 << 20


class Stream:
    """Bytes in and out of one Redis: stream("XREAD", ...)."""

    def __init__(self, url, password=None, timeout=5.0):
        found = urllib.parse.urlsplit(url)
        if found.scheme not in ("redis", "rediss", "redis+unix"):
            raise Problem("--redis wants one server, redis://HOST:PORT/DB, rediss:// or redis+unix://PATH; of a cluster"
                          " or behind sentinels name the master that has the key {PREFIX:0}:evidence")
        self.name = found.path if found.scheme == "redis+unix" else "%s:%d" % (found.hostname, found.port or 6379)
        try:
            self.sock = self._connect(found, timeout)
            self.lines = self.sock.makefile("rb")
        except (OSError, ValueError) as error:
            raise Problem("cannot reach Redis at %s: %s" % (self.name, error)) from None
        secret = password or urllib.parse.unquote(found.password or "")
        if secret:
            self(*filter(None, ("AUTH", urllib.parse.unquote(found.username or ""), secret)))
        if found.scheme != "redis+unix" and found.path.strip("/") not in ("", "0"):
            self("SELECT", found.path.strip("/"))

    @staticmethod
    def _connect(found, timeout):
        if found.scheme == "redis+unix":
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.settimeout(timeout)
            sock.connect(found.path)
            return sock
        sock = socket.create_connection((found.hostname or "127.0.0.1", found.port or 6379), timeout)
        if found.scheme == "redis":
            return sock
        return ssl.create_default_context().wrap_socket(sock, server_hostname=found.hostname)

    def close(self):
        """End of it."""
        self.lines.close()
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __call__(self, *words):
        data = b"*%d\r\n" % len(words)
        for word in (word if isinstance(word, bytes) else str(word).encode() for word in words):
            data += b"$%d\r\n%s\r\n" % (len(word), word)
        try:
            self.sock.sendall(data)
            return self._read([_ANSWER_MAX])
        except OSError as error:
            raise Problem("Redis at %s does not answer: %s" % (self.name, error)) from None

    def _read(self, left, depth=0):
        """left: bytes that an answer may still have."""
        line = self.lines.readline(1024)
        kind, rest = line[:1], line[1:-2].decode("ascii", "replace")
        if kind == b"-":
            raise Problem("Redis at %s refuses: %s" % (self.name, ascii(rest[:80])[1:-1]))
        if kind == b"+":
            return rest.encode()
        if kind not in (b":", b"$", b"*") or not rest.lstrip("-").isdigit() or depth > 5:
            raise Problem("%s does not speak Redis's protocol" % self.name)
        size = int(rest)
        if kind == b":" or size < 0:
            return size if kind == b":" else None
        left[0] -= size + 16
        if left[0] < 0:
            raise Problem("Redis at %s sends more than it was asked for" % self.name)
        if kind == b"$":
            return self.lines.read(size + 2)[:-2]
        return [self._read(left, depth + 1) for _ in range(size)]


def read_keys(path):
    """The MAC keys of a cluster_key_file: one or two lines."""
    lines = files.read_secret(path).decode("utf-8", "surrogateescape").strip("\r\n").split("\n")
    return [hmac.digest(line.rstrip("\r").encode("utf-8", "surrogateescape"), b"authban wire 1", hashlib.sha256)
            for line in lines[:2]]


def rows(stream, keys, warn, prefix=PREFIX):
    """Rows as authban.evidence has them, of each incident the last word."""
    found, dropped = {}, 0
    for record in _records(stream, "{%s:0}:evidence" % prefix):
        row = read(record, keys, prefix)
        if row:
            found[row["incident"]] = row
        elif len(record) < 2 or not record[1] & ERASURE:
            dropped += 1
    if dropped:
        warn("%d records in Redis are not signed with this cluster key, or are not as agreed: left out" % dropped)
    return list(found.values())


def _records(stream, key):
    last, seen = b"0-0", 0
    while seen < RECORDS_MAX:
        answer = stream("XREAD", "COUNT", 500, "STREAMS", key, last)
        if not answer:
            return
        try:
            entries = [(name, fields[1]) for name, fields in answer[0][1]]
        except (TypeError, ValueError, IndexError):
            raise Problem("%s in Redis is no stream of evidence" % key) from None
        for last, record in entries:
            yield record
        seen += len(entries)
    raise Problem("%s in Redis has more than %d records" % (key, RECORDS_MAX))


def read(record, keys, prefix=PREFIX):
    """One row, or None when it is not signed with one of the keys or not as agreed."""
    body, mac = record[:-MAC], record[-MAC:]
    if len(record) < _HEAD.size + 2 + MAC or body[:2] != bytes([VERSION, SIGNED]):
        return None
    signed = b"evidence" + bytes([len(prefix)]) + prefix.encode() + body
    if not any(hmac.compare_digest(hmac.digest(key, signed, hashlib.sha256)[:MAC], mac) for key in keys):
        return None
    try:
        return _row(_HEAD.unpack_from(body), body[_HEAD.size:])
    except (ValueError, IndexError, OverflowError):
        return None


def _row(head, texts):
    bits, source, address, local, port, local_port, transport, proof, flags = head[2:11]
    first, last, incident, failures = head[11:15]
    counts, methods, (users, bans, seconds) = head[15:19], head[19:31], head[31:]
    reason, origin = _texts(texts)
    net = _network(source, bits)
    wider = 24 if net.version == 4 else 48
    return {"source": addresses.text_of(net), "address": str(_address(address)), "port": port,
            "transport": TRANSPORTS[transport], "local_address": str(_address(local)), "local_port": local_port,
            "proof": PROOFS[proof], "first": timestamp.print_ms(timestamp.from_ms(first)),
            "last": timestamp.print_ms(timestamp.from_ms(last)), "failures": failures,
            **dict(zip(CLASSES, counts)), "methods": {name: n for name, n in zip(METHODS, methods) if n},
            "users": _ESTIMATE[users.bit_count()], "banned": 0, "bans": bans, "reason": reason, "ban_time": seconds,
            "network": str(net.supernet(new_prefix=wider)) if net.prefixlen > wider else "",
            "campaign": flags & 1, "origin": origin, "imported": 0, "incident": "%016x" % incident, "samples": []}


def _texts(data):
    first = data[0]
    second = data[first + 1]
    if len(data) != 2 + first + second:
        raise ValueError("lengths do not fit")
    return data[1:1 + first].decode("ascii"), data[2 + first:].decode("ascii")


def _address(data):
    found = ipaddress.IPv6Address(data)
    return found.ipv4_mapped or found


def _network(data, bits):
    found = _address(data)
    return ipaddress.ip_network((found, bits - 96 if found.version == 4 else bits))
