# SPDX-License-Identifier: GPL-2.0-or-later
"""Lists of others, line by line: what they say, not yet whether we take it (feed_limits.py).

Foreign text: a line is never longer in memory than LINE_MAX, a JSON document never than JSON_MAX. Behind the last
line that is read, lines are counted, up to REST_MAX bytes: a list without an end must not keep us for ever.
"""
import collections
import json
import re

from . import Problem

LINE_MAX = 1024
JSON_MAX = 32 << 20
REST_MAX = 1 << 30
FORMATS = ("auto", "plain", "lines", "apiban", "crowdsec")

Item = collections.namedtuple("Item", "number text ttl fault count", defaults=(1,))
Item.__doc__ = """number: of the line or element, from 1; ttl: seconds, 0 takes it back, None: not told;
fault: a sentence when it cannot be read; count: of how many lines it is said."""

_END_OF_ADDRESS = re.compile(r"[\s,;#]")
_DURATION = re.compile(r"(-?)((?:\d{1,9}(?:\.\d{1,9})?(?:h|m|s|ms|us|µs|ns))+)")
_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|ns)")
_UNIT = {"h": 3600, "m": 60, "s": 1, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


def read(stream, kind, lines_max=1_000_000):
    """Items of a binary stream, one after the other. kind: one of FORMATS."""
    if kind == "auto":
        head = stream.peek(256)[:256].lstrip(b"\xef\xbb\xbf \t\r\n")
        kind = "json" if head[:1] in (b"{", b"[") else "plain"
    if kind in ("plain", "lines"):
        return _lines(stream, kind, lines_max)
    return _document(stream, kind)


def _lines(stream, kind, lines_max):
    number = 0
    while True:
        line = stream.readline(LINE_MAX)
        if not line:
            return
        number += 1
        if number > lines_max:
            count, ended = _count_lines(stream, line)
            yield Item(number, "", None, "behind line %d, where reading ends" % lines_max, count)
            if not ended:
                yield Item(number + count, "", None, "the list has no end: the rest is not counted")
            return
        if len(line) == LINE_MAX and not line.endswith(b"\n"):
            _skip_line(stream)
            yield Item(number, line[:60].decode("ascii", "replace"), None, "longer than %d bytes" % LINE_MAX)
            continue
        text = line.decode("utf-8", "replace").removeprefix("\ufeff").strip()
        if text and text[0] not in "#;":
            yield _plain_item(number, text) if kind == "plain" else _own_item(number, text)


def _count_lines(stream, line):
    """(how many lines `line` and what is behind it are, whether that was all)."""
    count, size = 0, 0
    while line and size < REST_MAX:
        count += line.count(b"\n")
        size += len(line)
        last, line = line, stream.read(1 << 20)
    return count + (not line and not last.endswith(b"\n")), not line


def _skip_line(stream):
    while True:
        rest = stream.readline(1 << 16)
        if not rest or rest.endswith(b"\n"):
            return


def _plain_item(number, text):
    return Item(number, _END_OF_ADDRESS.split(text, maxsplit=1)[0], None, None)


def _own_item(number, text):
    words = text.split()
    if len(words) not in (2, 3) or not re.fullmatch(r"\d{1,10}", words[1], re.ASCII):
        return Item(number, text, None, "not as in CIDR TTL SOURCE")
    return Item(number, words[0], int(words[1]), None)


def _document(stream, kind):
    data = stream.read(JSON_MAX + 1)
    if len(data) > JSON_MAX:
        raise Problem("the list is longer than %d bytes" % JSON_MAX)
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise Problem("the list is not JSON") from None
    if kind in ("json", "apiban") and isinstance(document, dict) and "ipaddress" in document:
        return _apiban(document)
    streamed = isinstance(document, dict) and ("new" in document or "deleted" in document)
    if kind in ("json", "crowdsec") and (streamed or isinstance(document, list)):
        return _crowdsec(document)
    raise Problem("the list is neither APIBAN's answer nor CrowdSec's decisions")


def _apiban(document):
    values = document["ipaddress"]
    if not isinstance(values, list):
        raise Problem("APIBAN's ipaddress is not a list")
    if document.get("ID") == "none":
        return []  # it says so in words in place of an address
    return [Item(number, value, None, None) if isinstance(value, str) else _not_text(number, value)
            for number, value in enumerate(values, 1)]


def _crowdsec(document):
    """`new` and `deleted` of /v1/decisions/stream, or the list of /v1/decisions and of `cscli decisions import`."""
    if isinstance(document, list):
        document = {"new": document}
    items = []
    for part in ("deleted", "new"):
        rows = document.get(part) or []
        if not isinstance(rows, list):
            raise Problem("CrowdSec's %s is not a list" % part)
        items += [_decision(number, row, part == "deleted") for number, row in enumerate(rows, 1)]
    return items


def _decision(number, row, deleted):
    value = row.get("value") if isinstance(row, dict) else row
    if not isinstance(row, dict) or not isinstance(value, str):
        return _not_text(number, value)
    if str(row.get("scope", "ip")).lower() not in ("ip", "range"):
        return Item(number, value, None, "its scope is not ip or range")
    if row.get("type", "ban") != "ban":
        return Item(number, value, None, "its type is not ban")
    if deleted:
        return Item(number, value, 0, None)
    seconds = duration(row.get("duration"))
    if seconds is None:
        return Item(number, value, None, "its duration cannot be read")
    if seconds < 1:
        return Item(number, value, None, "it has expired")
    return Item(number, value, seconds, None)


def _not_text(number, value):
    return Item(number, repr(value)[:60], None, "not an address in text")


def duration(text):
    """Whole seconds of a duration of Go such as 3h59m59.5s; None when it is none."""
    found = _DURATION.fullmatch(text) if isinstance(text, str) and len(text) <= 60 else None
    if not found:
        return None
    seconds = int(sum(float(number) * _UNIT[unit] for number, unit in _PART.findall(found.group(2))))
    return -seconds if found.group(1) else seconds
