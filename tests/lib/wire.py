# SPDX-License-Identifier: GPL-2.0-or-later
"""authban's records in Redis (ab_wire.h, ab_nodes.h): of a stranger, unsigned or with a wrong MAC, and of Node."""
import hashlib
import hmac
import os
import struct

PREFIX = "authban"
LOG = "{%s:0}:log" % PREFIX
NODES = "{%s:0}:nodes" % PREFIX
FORGET = "{%s:0}:forget" % PREFIX
MARK = "{%s:0}:mark" % PREFIX
BANNED, UNBANNED = 1, 3
SOURCE, ALLOW, PAIR, NETWORK, USER = range(1, 6)
SIGNED = 1
VERSION = 2
_MASK = (1 << 64) - 1


def _rotate(x, b):
    return (x << b | x >> (64 - b)) & _MASK


def _round(v):
    v[0] = (v[0] + v[1]) & _MASK
    v[2] = (v[2] + v[3]) & _MASK
    v[1], v[3] = _rotate(v[1], 13) ^ v[0], _rotate(v[3], 16) ^ v[2]
    v[0] = _rotate(v[0], 32)
    v[2] = (v[2] + v[1]) & _MASK
    v[0] = (v[0] + v[3]) & _MASK
    v[1], v[3] = _rotate(v[1], 17) ^ v[2], _rotate(v[3], 21) ^ v[0]
    v[2] = _rotate(v[2], 32)


def siphash13(data):
    """With a key of zeros, as places are hashed."""
    v = [0x736f6d6570736575, 0x646f72616e646f6d, 0x6c7967656e657261, 0x7465646279746573]
    padded = data + b"\0" * (7 - len(data) % 8) + bytes([len(data) & 255])
    for (word,) in struct.iter_unpack("<Q", padded):
        v[3] ^= word
        _round(v)
        v[0] ^= word
    v[2] ^= 0xff
    for _ in range(3):
        _round(v)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def place(source, bits=128):
    """Field of the map for an IPv4 source."""
    return bytes([1, bits]) + bytes(map(int, source.split(".")))


def map_key(source, bits=128):
    return "{%s:0}:b:%d" % (PREFIX, (siphash13(place(source, bits)) >> 32) % 256)


def count_bucket(source):
    return (siphash13(place(source)) >> 32) % 4096


def count_key(source, start, window=600):
    return "{%s:0}:c:%d.%d:%d" % (PREFIX, window, start, count_bucket(source))


def state_record(source, now_ms, state=BANNED, seconds=600, bits=128, reason=b"stranger", origin=b"stranger",
                 signature=None, kind=SOURCE, user=0):
    """A ban (or unban) of an IPv4 source, or of 16 bytes; signature: 16 bytes, or None for an unsigned one."""
    address = source if isinstance(source, bytes) else b"\0" * 10 + b"\xff\xff" + bytes(map(int, source.split(".")))
    body = struct.pack("!BBBB16sBBBQ QQQ HI", VERSION, SIGNED if signature else 0, kind, bits, address, state, 1, 1, user,
                       now_ms << 16 | 7, now_ms, now_ms + seconds * 1000, 9, 1)
    for text in (reason, origin):
        body += bytes([len(text)]) + text
    return body + (signature or b"")


def share_field(source):
    """Of a proxy that there is not."""
    return place(source) + b"strg" + os.urandom(4) + b"\1"


def share_value(count=1000, signature=None):
    return struct.pack("!BBHII", VERSION, SIGNED if signature else 0, count, 0xffffffff, 0xffffffff) + (signature or b"")


def node_id(name):
    """What stands for a proxy's name in shares."""
    return struct.pack("<Q", siphash13(name.encode()))[:4]


class Node:
    """A proxy that knows the key and says what it likes: Node(secret, "node-9").ban("192.0.2.1", now_ms).

    version: of its records, and what it says that it speaks.
    """

    def __init__(self, secret, name, version=VERSION):
        self.key = hmac.new(secret, b"authban wire 1", hashlib.sha256).digest()
        self.name, self.version = name, version
        self.id, self.boot, self.number = node_id(name), os.urandom(4), int.from_bytes(node_id(name)[:2], "little")

    def mac(self, label, *parts):
        data = label + bytes([len(PREFIX)]) + PREFIX.encode() + b"".join(parts)
        return hmac.new(self.key, data, hashlib.sha256).digest()

    def state(self, source, now_ms, state=BANNED, seconds=600, bits=128, proof=1, kind=SOURCE, reason=b"threshold",
              origin=None, more=b""):
        """A signed state; more: bytes that a later version might add."""
        address = source if isinstance(source, bytes) else b"\0" * 10 + b"\xff\xff" + bytes(map(int, source.split(".")))
        body = struct.pack("!BBBB16sBBBQ QQQ HI", self.version, SIGNED, kind, bits, address, state, proof, 1, 0,
                           now_ms << 16 | self.number, now_ms, now_ms + seconds * 1000, 9, 1)
        for text in (reason, (origin or self.name).encode()):
            body += bytes([len(text)]) + text
        body += more
        return body + self.mac(b"state", body)[:16]

    def share(self, source, start, count, window=600, users=1, epoch=0):
        """(key, field, value) of a signed share."""
        field = place(source) + self.id + self.boot + b"\1"
        body = struct.pack("!BBHII", self.version, SIGNED, count, users, epoch)
        mac = self.mac(b"share", struct.pack("!II", window, start), field, body)
        return count_key(source, start, window), field, body + mac[:8]

    def announcement(self, started_ms, now_ms, module=b"9.9.9", more=b""):
        """(field, value) for NODES."""
        body = struct.pack("!BBQQ", self.version, SIGNED, started_ms, now_ms)
        for text in (self.name.encode(), module):
            body += bytes([len(text)]) + text
        body += more
        return self.id + self.boot, body + self.mac(b"node", body)[:16]
