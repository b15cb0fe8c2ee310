# SPDX-License-Identifier: GPL-2.0-or-later
"""A tiny writer of MaxMind's DB format, so that tests need nobody's database."""
import ipaddress
import struct

_UINT16, _UINT32, _UINT64 = 5, 6, 9
_MARK = b"\xab\xcd\xefMaxMind.com"


def _encode(value):
    if isinstance(value, dict):
        return _control(7, len(value)) + b"".join(_encode(k) + _encode(v) for k, v in value.items())
    if isinstance(value, list):
        return _control(11, len(value)) + b"".join(map(_encode, value))
    if isinstance(value, str):
        return _control(2, len(value.encode())) + value.encode()
    kind, number = value if isinstance(value, tuple) else (_UINT32, value)
    data = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return _control(kind, len(data)) + data


def _control(kind, size):
    assert size < 29 + 256
    short, more = (size, b"") if size < 29 else (29, bytes([size - 29]))
    return (bytes([kind << 5 | short]) if kind < 8 else bytes([short, kind - 7])) + more


def write_asn_database(path, rows):
    """rows: {"203.0.113.0/24": (64500, "NAME"), ...}; an IPv6 tree with IPv4 in ::/96, records of 32 bits."""
    nodes, data, values = [[None, None]], b"", {}
    for text, (number, name) in rows.items():
        net = ipaddress.ip_network(text)
        values[text] = len(data)
        data += _encode({"autonomous_system_number": number, "autonomous_system_organization": name})
        bits = net.prefixlen + (96 if net.version == 4 else 0)
        at = 0
        for step in range(bits - 1):
            way = int(net.network_address) >> (127 - step) & 1
            if nodes[at][way] is None:
                nodes.append([None, None])
                nodes[at][way] = len(nodes) - 1
            at = nodes[at][way]
        nodes[at][int(net.network_address) >> (128 - bits) & 1] = ("data", values[text])
    count = len(nodes)
    tree = b"".join(struct.pack(">II", *(_record(record, count) for record in node)) for node in nodes)
    about = {"binary_format_major_version": (_UINT16, 2), "binary_format_minor_version": (_UINT16, 0),
             "build_epoch": (_UINT64, 1), "database_type": "Test-ASN", "description": {"en": "test"},
             "ip_version": (_UINT16, 6), "languages": ["en"], "node_count": count, "record_size": (_UINT16, 32)}
    with open(path, "wb") as out:
        out.write(tree + b"\0" * 16 + data + _MARK + _encode(about))


def _record(record, count):
    if record is None:
        return count
    return record if isinstance(record, int) else count + 16 + record[1]
