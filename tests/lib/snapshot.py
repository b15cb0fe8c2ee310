# SPDX-License-Identifier: GPL-2.0-or-later
"""authban's snapshot file (ab_snapshot.h), written by a second hand: without a cluster key, or with one."""
import hashlib
import hmac
import os
import struct
import time

from . import wire
from .fleet import THRESHOLD
from .kamailio import Proxy
from .wait import wait_for

INTERVAL = 1
HEAD, FACTS, STATES, END = 1, 2, 3, 4
_PAYLOAD = 32768


def settings(path, interval=INTERVAL, more=""):
    """modparams for Proxy(extra=...)."""
    lines = ['modparam("authban", "snapshot", "%s")' % path,
             'modparam("authban", "snapshot_interval", %d)' % interval, more]
    return "\n".join(lines)


def _mac_key(secret):
    return hmac.digest(secret, b"authban snapshot 1", hashlib.sha256)


def _boot():
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as text:
        return bytes.fromhex(text.read().strip().replace("-", ""))


def _frames(kind, pieces):
    payload = b""
    for piece in pieces:
        if len(payload) + len(piece) > _PAYLOAD:
            yield kind, payload
            payload = b""
        payload += piece
    if payload:
        yield kind, payload


def make(records=(), facts=(), age=0, secret=b"", lines=32768, shift=0):
    """The bytes of a file: unsigned state records, facts (line, age, 40 bits), written `age` seconds ago.

    shift: seconds by which the wall clock was ahead then.
    """
    now = int((time.time() - age + shift) * 1000)
    mono = int((time.monotonic() - age) * 1000)
    head = struct.pack(">QQQ16sB16s16sI", now, now, max(mono, 0), _boot(), 0, b"g" * 16, b"u" * 16, lines)
    facts = [struct.pack(">I", line) + seconds.to_bytes(3, "big") + name.to_bytes(5, "big")
             for line, seconds, name in facts]
    states = [bytes([len(record)]) + record for record in records]
    key = _mac_key(secret)
    out = b"authban\n" + bytes([1, 1 if secret else 0]) + b"\0" * 6
    mac = out + b"\0" * 16
    for kind, payload in [(HEAD, head), *_frames(FACTS, facts), *_frames(STATES, states),
                          (END, struct.pack(">II", len(facts), len(states)))]:
        frame = struct.pack(">BI", kind, len(payload)) + payload
        mac = hmac.digest(key, mac + frame, hashlib.sha256)
        out += frame + mac
    return out


def ban(source, seconds=600, age=0, shift=0):
    """The record of a ban of an IPv4 address that was made `age` seconds ago."""
    return wire.state_record(source, int((time.time() - age + shift) * 1000), seconds=seconds)


def write(path, data):
    with open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as out:
        out.write(data)


def written_after(path, moment):
    """Whether the file was replaced since then (time.time())."""
    try:
        return os.stat(path).st_mtime > moment
    except FileNotFoundError:
        return False


def wait_written(path, timeout=5.0):
    """Until there is one that was begun from now on: a small one takes less than 0.1 s."""
    begin = time.time()
    wait_for(lambda: written_after(path, begin + 0.1), timeout, "a snapshot")


def alone(path, more="", **settings_of_proxy):
    """A proxy without a cluster; path "": without a snapshot; more: configuration text."""
    return Proxy(defines={"AB_THRESHOLD": THRESHOLD}, extra=settings(path, more=more) if path else "",
                 **dict({"memory": (128, 8)}, **settings_of_proxy))


def crash(path):
    """end(node): kill -9 of main and workers, as soon as all that is known now has been written."""
    def end(node):
        wait_written(path)
        node.kill()
    return end
