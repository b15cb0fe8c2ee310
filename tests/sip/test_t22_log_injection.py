# SPDX-License-Identifier: GPL-2.0-or-later
"""T22: nothing that a request says gets into a line of authban, splits it, or keeps it from being written.

Thousands of guesses with wild bytes in every field that is counted or shown. Each line of authban is read
back by a strict grammar (lib/grammar.py). Commands with wild reasons: tests/rpc/test_log_lines.py.
"""
import collections
import os
import random
import re

import pytest

from lib import peers
from lib.crowd import Crowd
from lib.grammar import parse_line
from lib.kamailio import Proxy, peer_config
from lib.netns import Net
from lib.wait import wait_for

PROXY, ATTACKER, NETWORK = "10.86.0.1", "10.86.0.66", "10.87.0.0/16"
THRESHOLD, SEED = 5, 22
REQUESTS = 100_000 if os.environ.get("AUTHBAN_LONG") else 5_000
EACH = 10  # requests of one source; the rest of them meet its ban
FAKE_IP = "203.0.113.77"
FAKE = ("0(1) NOTICE: authban [authban_log.c:47]: authban_news(): ip=%s event=ban reason=threshold failures=9 users=1"
        " ttl=600 repeats=1 proof=token origin=proxy" % FAKE_IP)
AUTHBANS = re.compile(rb"^ *\d+\((\d+)\) [A-Z]+: authban \[")
FIELDS = ["username", "username", "realm", "nonce", "uri", "response", "cnonce", "nc", "algorithm", "opaque",
          "User-Agent", "From", "To", "Call-ID", "Contact", "Via", "Subject", "Reason"]


@pytest.fixture(scope="module")
def net():
    with Net({"proxy": [PROXY + "/24"], "attacker": [ATTACKER + "/24"]}) as made:
        made.any_ip("attacker", NETWORK, via=ATTACKER)
        yield made


def wild(choose):
    """Bytes that no log should ever see."""
    some = choose.choice
    return some([
        lambda: b"x\r\n " + FAKE.encode(), lambda: b"x\n" + FAKE.encode() + b"\n", lambda: b"x\r" + FAKE.encode(),
        lambda: b"x\r\n\t" + FAKE.encode() + b"\r\n y", lambda: b"\x1b]0;title\x07\x1b[2J\x1b[31m",
        lambda: b"A" * choose.choice([64, 128, 512, 1024, 4095, 4096, 4097, 9000]),
        lambda: b"ip=%s event=unban " % FAKE_IP.encode(), lambda: b"%s%n%x%1000000d", lambda: b"\0\0\0",
        lambda: bytes(choose.randrange(256) for _ in range(choose.randrange(1, 60))),
        lambda: b"gr\xc3\xbc\xc3\x9f \xff\xfe \xe2\x80\xa8", lambda: b"\\\" ' ` $(id) ; | &", lambda: b"",
        lambda: b"a" * 300 + b"\r\n " + FAKE.encode(), lambda: b"\x7f\x80\x9b31m"])()


def put(choose, data, field):
    """One field of a request gets wild bytes."""
    value = wild(choose)
    if field[0].islower():
        # half of them stay within their quotes
        found = re.search(rb'\b%s=(?:"[^"]*"|[^",\r]*)' % field.encode(), data)
        new = b'%s="%s"' % (field.encode(), value.replace(b'"', b"'") if choose.random() < 0.5 else value)
    else:
        found = re.search(rb"\r\n%s: ([^\r]*)" % field.encode(), data)
        new = b"\r\n%s: %s" % (field.encode(), value)
        if field in ("From", "To", "Contact"):
            new = b'\r\n%s: "%s" <sip:%s@sip.test>;tag=1' % (field.encode(), value, value)
        if field == "Via":
            new = b"\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK1" % value
    if not found:
        assert not field[0].islower(), field
        return data.replace(b"\r\nMax-Forwards", new + b"\r\nMax-Forwards", 1)
    return data[:found.start()] + new + data[found.end():]


def sources(count):
    """At most forty of a network: none comes under watch."""
    return ["10.87.%d.%d" % (n % 250, 1 + n // 250) for n in range(count)]


def attack(net, proxy, count):
    """Every source has a valid token, so all that is judged counts; some bring one plain guess too many."""
    choose = random.Random(SEED)
    with Crowd(proxy.target, net["attacker"]) as crowd:
        members = [crowd.member(source, "user-%d" % n) for n, source in enumerate(sources(count // EACH))]
        crowd.ask(members, rate=2000)
        assert all(member.challenge for member in members)
        challenges = [member.challenge for member in members]
        for number in range(EACH):
            requests = []
            for member, challenge in zip(members, challenges):
                member.challenge = challenge
                source, data, key = member.request("wrong-%d" % number)
                for _ in range(choose.choice([0, 1, 1, 2, 3])):
                    data = put(choose, data, choose.choice(FIELDS))
                requests.append((source, data[:60_000], key))
            crowd.exchange(requests, rate=2000, quiet=0.2)


def logged(proxy):
    with open(proxy.log_path, "rb") as log:
        return log.read()


def lines_of_authban(proxy, log):
    """(lines that a process of the proxy wrote, lines that only look so).

    Kamailio's parser logs what it cannot read, line ends included, at level ERROR; on stderr that makes
    whole lines of the sender's choice. Not ours to mend; what tells them apart is the process's id.
    """
    pids = {b"%d" % pid for pid in proxy.pids()}
    looks = [(AUTHBANS.match(line), line) for line in log.split(b"\n")]
    ours = [line for match, line in looks if match and match.group(1) in pids]
    return ours, sum(bool(match) for match, _ in looks) - len(ours)


def test_every_line_keeps_the_grammar(net):
    with Proxy(host=PROXY, netns=net["proxy"], defines={"AB_THRESHOLD": THRESHOLD, "WITH_QOP": True}) as proxy:
        start = len(logged(proxy))
        attack(net, proxy, REQUESTS)
        now = proxy.authban()
        lines, forged = lines_of_authban(proxy, logged(proxy)[start:])
        status = proxy.rpc("authban.status")
    parsed = [parse_line(line.decode("ascii")) for line in lines]
    bans = collections.Counter(line["ip"] for line in parsed if line["event"] == "ban")
    longest = max(map(len, lines))
    print("\nT22 requests=%d counted=%d bans=%d authban_lines=%d parsed=%d longest=%d forged_by_the_core=%d" % (
        REQUESTS, now["failures"], now["bans"], len(lines), len(parsed), longest, forged))
    assert FAKE_IP not in bans, "a forged line"
    assert all(re.fullmatch(rb"[ -~]*", line) for line in lines) and longest <= 512
    assert set(bans.values()) == {1} and len(bans) == now["bans"] == status["banned"]
    # a user's name that the fuzzer made many of may come under watch
    assert {line["event"] for line in parsed} <= {"ban", "user_attack", "user_attack_restricted"}
    assert set(bans) <= set(sources(REQUESTS // EACH))
    assert len(bans) >= 0.3 * REQUESTS / EACH, "most sources must get as far as a ban"


def test_control_a_script_that_logs_what_it_was_told(net, tmp_path):
    """xlog of $ua: one folded header is a line of its own; xlog of $au: a long name, and no line at all."""
    with open(peer_config("logged"), encoding="utf-8") as text:
        config = text.read().replace("auth failed from $si", "auth failed from $si user=$au ua=$ua")
    path = tmp_path / "telling.cfg"
    path.write_text(config.replace('"registrar.cfg"', '"%s"' % peer_config("registrar")))
    with Proxy(config=str(path), host=PROXY, netns=net["proxy"], defines={"WITH_QOP": True}) as proxy, \
            Crowd(proxy.target, net["attacker"]) as crowd:
        member = crowd.member(ATTACKER, "alice")
        crowd.ask([member])
        crowd.ask([member], headers=[("User-Agent", "x\r\n " + FAKE)])
        wait_for(lambda: proxy.log_lines("ua=x"), 3, "the line of the guess")
        forged = [line for line in logged(proxy).split(b"\n") if AUTHBANS.match(line) and FAKE_IP.encode() in line]
        member.user = "a" * 5000
        status = crowd.ask([member])
        wanted = len(proxy.log_lines("auth failed from"))
        peers.figure("T22", "xlog", forged_lines=len(forged), long_name_answered=status[0],
                     long_name_lines=wanted - 1)
    assert len(forged) == 1 and parse_line(forged[0].decode().strip())
    assert status == [401] and wanted == 1
