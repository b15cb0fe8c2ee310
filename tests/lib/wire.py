# SPDX-License-Identifier: GPL-2.0-or-later
"""authban's records in Redis (ab_wire.h), for a stranger who writes some: unsigned, or with a wrong MAC."""
import os
import struct

PREFIX = "authban"
LOG = "{%s:0}:log" % PREFIX
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
