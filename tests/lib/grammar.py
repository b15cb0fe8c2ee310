# SPDX-License-Identifier: GPL-2.0-or-later
"""The strict grammar of the log lines of bans and unbans, and of what kamcmd prints."""
import ipaddress
import re

KEYS = ["ip", "event", "reason", "failures", "users", "ttl", "repeats", "proof", "origin"]
_USER = re.compile(r"^[0-9a-f]{16}$")  # a keyed hash, in lines about a user or a pair
_HEAD = re.compile(r"^ *\d+\(\d+\) NOTICE: authban \[[^\]]*\]: authban_news\(\): (.*)$")
_TOKEN = re.compile(r"^[!-~]*$")


def parse_line(line):
    """A ban's or unban's line as a dictionary; ValueError when it breaks the grammar."""
    found = _HEAD.match(line)
    if not found or len(line.encode()) > 512:
        raise ValueError("not a line of a ban: %r" % line[:600])
    pairs = [word.partition("=") for word in found.group(1).split(" ")]
    names = [name for name, _, _ in pairs]
    if names not in (KEYS, [*KEYS, "user"]) or not all(mark for _, mark, _ in pairs):
        raise ValueError("other keys: %r" % line)
    values = {name: value for name, _, value in pairs}
    if not all(_TOKEN.match(value) and '"' not in value and "\\" not in value for value in values.values()):
        raise ValueError("foreign bytes: %r" % line)
    if not _USER.match(values.get("user", "0" * 16)) or (values["ip"] == "-" and "user" not in values):
        raise ValueError("no such user: %r" % line)
    if values["ip"] != "-":
        ipaddress.ip_network(values["ip"])
    return dict(values, **{name: int(values[name]) for name in ("failures", "users", "ttl", "repeats")})


def news(node, source):
    """All lines about one source, parsed."""
    return [parse_line(line) for line in node.log_lines(r"authban_news\(\): ip=%s " % re.escape(source))]


def all_news(node):
    return [parse_line(line) for line in node.log_lines(r"authban_news\(\)")]


def parse_kamcmd(text):
    """Structs in kamcmd's output: [{name: value}]; a struct inside one is a value of nothing but "{"."""
    rows = []
    for line in text.splitlines():
        if line == "{":
            rows.append({})
        elif rows and line.startswith("\t") and not line.startswith(("\t\t", "\t}")):
            name, _, value = line.strip().partition(": ")
            rows[-1][name.rstrip(":")] = value
    return rows
