# SPDX-License-Identifier: GPL-2.0-or-later
"""Rows as authban.evidence and authban.list answer them, and the files that authban-report reads beside them."""
import contextlib
import datetime
import hashlib
import io
import ipaddress
import json
import os
import subprocess
import sys

from . import SCRIPTS

AT = datetime.datetime(2026, 1, 31, 12, 0, tzinfo=datetime.timezone.utc)

# What must not leave, in places where it could: a readable user, and an attacker's own words
# Sources of a network are estimated by keyed hashes; with this key ten addresses from .10 on of the two networks
# of the campaigns are more than net_sources (8) and not half as many again.
CAMPAIGN_KEY = "the-cluster-key-of-the-campaigns-6"
USERS = ["alice", "bob-4711", "+4930123456"]
PASSWORD, NONCE = "hunter2-the-password", "Y2ZjMDgyNzU4YzM4MjA1N2Y5NmE4MDQ5ZjE3"
RESPONSE = "6629fae49393a05397450978507c4ef1"
PRIVATE = [*USERS, PASSWORD, NONCE, RESPONSE]

CONFIG = """\
[reporter]
org = Example Telecom
contact = abuse@reporter.example
domain = reporter.example

[providers]
map = providers.map
aws_ranges = ip-ranges.json

[contacts]
Nobody Knows Ltd = abuse@nobody.example
"""
MAP = """\
# CIDR CONTACT NAME
203.0.113.0/24 abuse@one.example Provider One   # a comment
198.51.100.0/25 https://two.example/abuse#form Provider Two
198.51.100.128/25 - Nobody Knows Ltd
2001:db8:1::/48 abuse@six.example Provider Six
"""
AWS_RANGES = {"syncToken": "1", "createDate": "2026-01-01-00-00-00",
              "prefixes": [{"ip_prefix": "192.0.2.0/24", "region": "eu-west-2", "service": "EC2"}],
              "ipv6_prefixes": [{"ipv6_prefix": "2001:db8:aaaa::/48", "region": "us-east-1", "service": "EC2"}]}


def when(seconds):
    """The time so many seconds before AT, as the module writes it."""
    return (AT - datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def sample(number, **more):
    """One sample."""
    row = {"time": when(300 - number), "class": "wrong_password" if number % 2 else "no_user", "method": "REGISTER",
           "user": "%016x" % (number + 0xabc), "user_agent": "friendly-scanner"}
    row.update(more)
    return row


def row(number=7, **more):
    """Evidence of 203.0.113.NUMBER, proven and banned; more: other values."""
    made = {
        "source": "203.0.113.%d" % number, "address": "203.0.113.%d" % number, "port": 40000 + number,
        "transport": "udp", "local_address": "198.18.0.1", "local_port": 5060, "proof": "token", "first": when(300),
        "last": when(200), "failures": 9, "wrong_password": 5, "no_user": 2, "malformed": 1, "script": 1,
        "methods": {"REGISTER": 7, "INVITE": 2}, "users": 2, "banned": 1, "bans": 1, "reason": "threshold",
        "ban_time": 600, "network": "203.0.113.0/24", "campaign": 0, "origin": "proxy-a", "imported": 0,
        "incident": "%016x" % (number + (1 << 60)), "samples": [sample(n) for n in range(8)]}
    made.update(more)
    return made


def elsewhere(address, network=None, **more):
    """Evidence of another address or of an IPv6 /64 with its network."""
    digits = int.from_bytes(hashlib.sha256(address.encode()).digest()[:8], "big")
    source = str(ipaddress.ip_network(address + "/64", strict=False)) if ":" in address else address
    return row(**{**dict(source=source, address=address, network=network or address.rsplit(".", 1)[0] + ".0/24",
                         incident="%016x" % digits), **more})


def hostile(number=66):
    """A row whose every free text tries to carry what must not leave, or to break a form."""
    words = ["alice\r\nBcc: x@y.example", "sip:alice@example.org", "=cmd|'/c calc'!A0 " + PASSWORD, "nonce=" + NONCE,
             RESPONSE, "bob-4711 \x1b[31m\0", '", "x": "', "\u202e" + USERS[2]]
    samples = [sample(n, user=USERS[n % 3], user_agent=text) for n, text in enumerate(words)]
    return row(number, samples=samples, reason="alice " + PASSWORD, origin="proxy-of-alice",
               methods={"REGISTER": 3, "alice": 2})


def ban(source, **more):
    """A row of authban.list."""
    made = {"source": source, "state": "banned", "reason": "threshold", "failures": 9, "users": 2,
            "since": when(200)[:-5] + "Z", "ttl": 590, "origin": "proxy-a", "proof": "token", "repeats": 0}
    made.update(more)
    return made


class Desk:
    """A folder with a configuration, where the scripts are run: desk.report(rows, "--dry")."""

    def __init__(self, folder):
        self.folder = str(folder)
        self.write("report.conf", CONFIG)
        self.write("providers.map", MAP)
        self.write("ip-ranges.json", json.dumps(AWS_RANGES))
        self.state = self.path("state", "reported.json")
        self.out = self.path("out")

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, text, mode=0o600):
        """A file here; its path."""
        path = self.path(name)
        with open(path, "wb") as out:
            out.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(path, mode)
        return path

    def report(self, rows, *words, fetcher=None, at=AT):
        """authban-report in this process, at AT: (status, stdout, stderr)."""
        from authban_lib import report_command
        saved = self.write("evidence.json", json.dumps({"jsonrpc": "2.0", "result": rows, "id": 1}))
        return _captured(report_command.main, [
            *words, "--from", saved, "--config", self.path("report.conf"), "--state", self.state, "--out", self.out],
            fetcher=fetcher, at=at)

    def lists(self, *words, at=AT, stdin=None):
        """authban-lists in this process, at AT: (status, stdout, stderr)."""
        from authban_lib import lists_command
        if stdin is not None:
            words = [*words, self.write("stdin", stdin)]
        return _captured(lists_command.main, list(words), at=at)

    def run(self, script, *words, stdin=None):
        """A script as an operator runs it: the finished process."""
        return subprocess.run([sys.executable, os.path.join(SCRIPTS, script), *words], input=stdin or "",
                              capture_output=True, text=True, timeout=60, check=False, cwd=self.folder)

    def written(self, ending=""):
        """{path below the output folder: bytes} of files that end so."""
        found = {}
        for folder, _, names in os.walk(self.out):
            for name in names:
                if name.endswith(ending):
                    path = os.path.join(folder, name)
                    with open(path, "rb") as text:
                        found[os.path.relpath(path, self.out)] = text.read()
        return found


def _captured(main, words, **more):
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        status = main(words, **more)
    return status, out.getvalue(), errors.getvalue()
