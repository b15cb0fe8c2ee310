# SPDX-License-Identifier: GPL-2.0-or-later
"""Real log lines of real proxies for those who read them: bans of all sorts, what looks alike, and what is forged."""
import re
import time

from .kamailio import Proxy
from .sip import Guesser, Phone
from .traffic import RoundRobin
from .wait import wait_for

_HEAD = re.compile(r"^ *\d+\((\d+)\) ")
PREFIX = 'log_prefix="{$mt $hdr(CSeq) $ci} "'
BAN = ("NOTICE: authban [authban_log.c:1]: authban_news(): ip=203.0.113.66 event=ban reason=threshold failures=8"
       " users=1 ttl=600 repeats=1 proof=token origin=x")

LINE = BAN.replace("203.0.113.66", "203.0.113.77")  # a line of its own on stderr

# an attacker's words within lines that others write: none of them is a ban
FORGED = ["INFO: <script>: user %s" % BAN, "INFO: {1 1 REGISTER %s} <script>: hello" % BAN,
          "NOTICE: {1 1 REGISTER x} authban [authban_log.c:1]: authban_news(): ip=203.0.113.66 event=ban reason=a"
          " failures=1 users=1 ttl=1 repeats=1 proof=token origin=x} <script>: y",
          BAN + " more", BAN.replace("event=ban", "event=dry_run"), BAN.replace("event=ban", "event=pair_ban"),
          BAN.replace("authban_log.c", "x.c"), BAN.replace("NOTICE", "INFO"), BAN.replace("203.0.113.66", "nonsense"),
          BAN.replace("reason=threshold", "reason=two words"), BAN.replace("203.0.113.66", "-"),
          BAN.replace("203.0.113.66", "1.2.3.4 ip=203.0.113.66")]


def _events(node):
    return set(re.findall(r"authban_news\(\): ip=\S+ event=(\S+) ", node.log()))


def _attack(node):
    with Phone("bob", "bob-secret", node.target, source="127.33.2.1") as phone:
        assert phone.register().status == 200
    with RoundRobin([node], "127.33.2.1", "carol") as attacker:
        attacker.send(10, 500)
    for host in (1, 2, 3):
        with RoundRobin([node], "127.33.1.%d" % host) as attacker:
            attacker.send(8, 500)
    # distinct sources are estimated, and more of them leave no doubt
    for host in (4, 5, 6, 7):
        with RoundRobin([node], "127.33.1.%d" % host) as attacker:
            attacker.send(1)
    for source in ("198.51.100.0/24", "2001:db8:7:7::1", "192.0.2.7", "192.0.2.8"):
        node.rpc("authban.ban", source, 600, "ip=10.0.0.1 event=ban \n\x1b[2J")
    node.rpc("authban.unban", "192.0.2.8")
    # the words of a ban, brought by an attacker into what is logged of him, with line breaks of his own
    with Guesser(BAN, node.target, source="127.33.1.9") as guesser:
        guesser.guess()
        guesser.link.send(b"garbage\r\n" + LINE.encode() + b"\r\n\r\n")
        guesser.link.send(("x\n 1(2) %s\n" % BAN).encode())


def lines_of(settings, wanted):
    """The log of a proxy that is attacked; the forged line is in it."""
    with Proxy(node="node-1", **settings) as node:
        _attack(node)
        wait_for(lambda: _events(node) >= wanted and LINE in node.log(), 5, "all of %s are in the log" % sorted(wanted))
        return node.log().splitlines()


BY_HAND = ["198.51.100.0/24", "2001:db8:7:7::/64", "192.0.2.7", "192.0.2.8"]
BY_FAILURES = ["127.33.1.1", "127.33.1.2", "127.33.1.3"]


def everything():
    """(lines of two proxies on stderr, [source of each real ban]): the second in dry run, where only an
    operator's ban is one."""
    define = {"AB_THRESHOLD": 5, "AB_NET_SOURCES": 2, "AB_USER_SOURCES": 2}
    lines = lines_of({"defines": define, "extra": PREFIX}, {"ban", "unban", "pair_ban", "campaign", "user_attack"})
    lines += lines_of({"defines": dict(define, AB_MODE="dry_run")}, {"dry_run", "pair_dry_run"})
    return lines + [" 1(1) " + line for line in FORGED], BY_FAILURES + BY_HAND + BY_HAND


def by_syslog(lines):
    """The same as rsyslog writes it: a message is a line, whatever is in it."""
    messages = []
    for line in lines:
        # what an attacker wrote is a part of the message before it
        if _HEAD.match(line) and not line == " 1(2) " + BAN:
            messages.append(line)
        else:
            messages[-1] += "#015#012" + line
    return [syslog(line) for line in messages]


def syslog(line, now=None):
    """A line of stderr as rsyslog writes it on Debian."""
    pid = _HEAD.match(line)
    stamp = time.strftime("%b %e %H:%M:%S", time.localtime(now))
    return "%s sip kamailio[%s]: %s" % (stamp, pid.group(1) if pid else "1", _HEAD.sub("", line))
