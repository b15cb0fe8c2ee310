# SPDX-License-Identifier: GPL-2.0-or-later
"""What is left of an address: its forms, and all that lies in Redis."""
import socket


def forms(address):
    """What an address looks like: text, four bytes (in both orders), IPv4-mapped."""
    four = socket.inet_aton(address)
    return {"text": address.encode(), "4 bytes": four, "reversed": four[::-1], "mapped": b"\xff\xff" + four}


def flat(value):
    """The bytes in a list of lists."""
    if isinstance(value, list):
        for part in value:
            yield from flat(part)
    else:
        yield str(value).encode("latin-1")


def in_redis(redis):
    """All names and contents of all keys, as they are (a DUMP would pack them)."""
    ask = {"hash": ("HGETALL",), "stream": ("XRANGE", "-", "+"), "string": ("GET",), "list": ("LRANGE", 0, -1)}
    with redis.client() as client:
        found = [client("KEYS", "*")]
        for key in found[0]:
            command, *more = ask[client("TYPE", key)]
            found.append(client(command, key, *more))
    return b"\n".join(flat(found))
