# SPDX-License-Identifier: GPL-2.0-or-later
"""Known-good facts in Redis (ab_credit.h), by a second hand that has the cluster key, or not."""
import hashlib
import hmac
import struct
import time

from . import wire

HOUR, FACTS = 3600, 64


def key_of(hour=None):
    """The list of an hour; default: of this one."""
    return "{%s:0}:g:%d" % (wire.PREFIX, int(time.time()) // HOUR if hour is None else hour)


def record(facts, secret, made=None, node=b"test", prefix=wire.PREFIX.encode()):
    """Signed with the cluster key `secret`; made: cluster seconds, which are Redis's."""
    body = bytes([1, 1]) + node + struct.pack(">I", int(time.time() if made is None else made))
    body += b"".join(struct.pack(">Q", fact) for fact in facts)
    key = hmac.digest(secret, b"authban wire 1", hashlib.sha256)
    return body + hmac.digest(key, b"facts" + bytes([len(prefix)]) + prefix + body, hashlib.sha256)[:16]


def fill(redis, secret, count, hours=20, each=FACTS):
    """So many facts that nobody meant, spread over the hours before the last one; returns how many records."""
    now, records = int(time.time()), 0
    with redis.client() as client:
        for hour in range(hours):
            made, here = now - (hour + 2) * HOUR, count // hours
            key = key_of(made // HOUR)
            for begin in range(0, here, each * 100):
                batch = [record([(0x9e3779b97f4a7c15 * (hour << 40 | begin + block + n + 1)) & (1 << 64) - 1
                                 for n in range(min(each, here - begin - block))], secret, made)
                         for block in range(0, min(each * 100, here - begin), each)]
                client("RPUSH", key, *batch)
                records += len(batch)
    return records


def memory(redis):
    """(bytes that Redis keeps of facts, records)."""
    with redis.client() as client:
        keys = client("KEYS", "{*}:g:*")
        return (sum(client("MEMORY", "USAGE", key, "SAMPLES", 0) for key in keys),
                sum(client("LLEN", key) for key in keys))
