# SPDX-License-Identifier: GPL-2.0-or-later
"""What is a failure, of whom, and what is none: T7, T8, T11, T12, T13, malformed credentials, a dead database."""
import re
import sqlite3

import pytest

from lib.lan import address_of, counted
from lib.kamailio import REALM
from lib.sip import malformed_credentials
from lib.wait import wait_for

THRESHOLD = 5
UNTIL_BANNED_407 = [407] * (THRESHOLD - 1) + [0]
UNTIL_BANNED = [401] * (THRESHOLD - 1) + [0]


def guesses(guesser, count=THRESHOLD):
    return [guesser.guess("wrong-%d" % number) for number in range(count)]


def figure(what, guesser, proxy, statuses):
    row = proxy.bans().get(address_of(guesser))
    print("\n%s: statuses=%s banned=%d failures=%s proof=%s" % (
        what, statuses, bool(row), row and row["failures"], row and row["proof"]))
    return row


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("method", ["REGISTER", "INVITE", "SUBSCRIBE", "PUBLISH", "MESSAGE", "BYE"])
def test_every_method_counts(lan, proxy5, method, transport):
    """T7. BYE has a To tag, as within a call that does not exist."""
    guesser = lan.guesser(proxy5, method=method, transport=transport, to_tag="abc" if method == "BYE" else None)
    statuses = guesses(guesser)
    row = figure("T7 %s %s" % (method, transport), guesser, proxy5, statuses)
    assert statuses == (UNTIL_BANNED if method == "REGISTER" else UNTIL_BANNED_407)
    assert row["failures"] == THRESHOLD
    assert row["proof"] == ("token" if transport == "udp" else "stream")


def test_methods_count_together(lan, proxy5):
    guesser = lan.guesser(proxy5)
    statuses = []
    for guesser.method in ("REGISTER", "INVITE", "SUBSCRIBE", "MESSAGE", "PUBLISH"):
        statuses.append(guesser.guess())
    assert figure("T7 a method each", guesser, proxy5, statuses)["failures"] == THRESHOLD
    assert statuses == [401, 407, 407, 407, 0]


@pytest.mark.parametrize("kind", ["known", "unknown"])
def test_each_users_guesses_count(lan, proxy5, kind):
    """Guesses at names count as guesses at passwords do, and distinct names are told."""
    guesser = lan.guesser(proxy5)
    name = "alice" if kind == "known" else "nobody-%d"
    statuses = [guesser.guess("wrong-%d" % n, user=name % n if "%" in name else name) for n in range(THRESHOLD)]
    row = figure("names %s" % kind, guesser, proxy5, statuses)
    assert statuses == UNTIL_BANNED
    # an estimate out of 32 bits: of five users two or three may share one
    assert row["users"] == 1 if kind == "known" else THRESHOLD - 2 <= row["users"] <= THRESHOLD


def without_random_parts(response, user):
    """The answer with every random value replaced by as many x, and the user's name by u."""
    text = "\r\n".join([response.start] + ["%s: %s" % pair for pair in response.headers]) + repr(response.body)
    pattern = r'((?:nonce|opaque)="|;tag=|;branch=|call-id: |rport=|cseq: )([^";\r\n ]+)'
    text = re.sub(pattern, lambda m: m.group(1) + "x" * len(m.group(2)), text)
    return text.replace(user, "u" * len(user))


@pytest.mark.parametrize("method", ["REGISTER", "INVITE"])
@pytest.mark.parametrize("right_speech", [True, False])
def test_answers_do_not_tell_who_exists(lan, proxy5, method, right_speech):
    """T8: byte-equal but for nonce, token and tags; the two names have the same length."""
    answers = {}
    for user in ("alice", "zelda"):
        guesser = lan.guesser(proxy5, user, method=method, kind="real" if right_speech else "svcrack",
                              source_port=6000)
        guesser.call_id = "0123456789abcdef"
        first = guesser.send()
        guesser.answer(first.challenge())
        answers[user] = [without_random_parts(r, user).replace(address_of(guesser), "ip")
                         for r in (first, guesser.last)]
    same = answers["alice"] == answers["zelda"]
    print("\nT8 %s %s: equal=%s bytes=%s" % (
        method, "wrong" if right_speech else "malformed", same, [len(a) for a in answers["alice"]]))
    assert answers["alice"] == answers["zelda"]
    assert len(answers["alice"][1]) > 200


# The address that each of these names is a bystander's.
FORGED = {
    "via": (b"Via: ", b"Via: SIP/2.0/UDP %(ip)s:5060;branch=z9hG4bKx\r\nVia: "),
    "received": (b";rport;", b";rport;received=%(ip)s;"),
    "x-forwarded-for": (b"Max-Forwards:", b"X-Forwarded-For: %(ip)s\r\nMax-Forwards:"),
    "x-real-ip": (b"Max-Forwards:", b"X-Real-IP: %(ip)s\r\nMax-Forwards:"),
    "forwarded": (b"Max-Forwards:", b"Forwarded: for=%(ip)s\r\nMax-Forwards:"),
    "identity": (b"Max-Forwards:", b"P-Asserted-Identity: <sip:alice@%(ip)s>\r\nMax-Forwards:"),
    "contact": (b"Max-Forwards:", b"Contact: <sip:alice@%(ip)s>\r\nMax-Forwards:"),
    "route": (b"Max-Forwards:", b"Path: <sip:%(ip)s;lr>\r\nMax-Forwards:"),
}


def lying_guess(guesser, lie, number):
    """A guess with an honest challenge and a header that names somebody else."""
    old, new = lie
    header = guesser.answer_header(guesser.challenge(), "wrong-%d" % number)
    data = guesser.build([header]).replace(old, new, 1)
    assert new in data
    guesser.link.send(data)


@pytest.mark.parametrize("name", FORGED)
def test_only_the_packets_source_counts(lan, proxy5, name):
    """T11: the attacker's own address is banned, never the one that it names."""
    old, new = FORGED[name]
    bystander = lan.phone_address()
    guesser = lan.guesser(proxy5)
    before = set(proxy5.bans())
    for number in range(THRESHOLD):
        lying_guess(guesser, (old, new % {b"ip": bystander.encode()}), number)
    now = wait_for(lambda: set(proxy5.bans()) - before, 5, "somebody is banned")
    print("\nT11 %s: banned=%s named=%s" % (name, now, bystander))
    assert now == {address_of(guesser)}
    assert guesser.challenge() is None
    phone = lan.phone(proxy5, source=bystander)
    assert phone.register().status == 200


def test_an_own_account_does_not_reset(lan, proxy5):
    """T12: a good login with the attacker's own account before every guess at alice."""
    guesser = lan.guesser(proxy5)
    own = lan.phone(proxy5, "carol", source=address_of(guesser), host="attacker")
    statuses, logins = [], []
    for number in range(THRESHOLD):
        logins.append(own.register().status)
        statuses.append(guesser.guess("wrong-%d" % number))
    figure("T12 logins=%s" % logins, guesser, proxy5, statuses)
    assert logins == [200] * THRESHOLD
    assert statuses == UNTIL_BANNED
    # the user is banned at this source, and the account goes on: neither helps a guess
    before = proxy5.evaluated()
    assert guesser.guess("wrong-again") == 0 and own.register().status == 200
    assert proxy5.evaluated() == before + 1


@pytest.mark.parametrize("method", ["ACK", "CANCEL", "PRACK"])
@pytest.mark.parametrize("with_credentials", [False, True])
def test_methods_without_authentication_count_for_nobody(lan, method, with_credentials):
    """T13: neither a failure nor a success, whatever they carry; and they reset nothing."""
    proxy = lan.proxy(AB_THRESHOLD=THRESHOLD)
    guesser = lan.guesser(proxy)
    statuses = []
    for number in range(THRESHOLD):
        send_free_requests(guesser, method, with_credentials)
        statuses.append(guesser.guess("wrong-%d" % number))
    now = proxy.authban()
    figure("T13 %s credentials=%d requests=%d successes=%d" % (
        method, with_credentials, THRESHOLD * 10, now["successes"]), guesser, proxy, statuses)
    assert statuses == UNTIL_BANNED
    assert now["failures"] == THRESHOLD
    assert now["successes"] == 0


def send_free_requests(guesser, method, with_credentials):
    """Ten of them, with wrong passwords for a fresh challenge of this very address."""
    headers = [guesser.answer_header(guesser.challenge(), "wrong")] if with_credentials else []
    for _ in range(10):
        guesser.link.send(guesser.build(headers, method=method))


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_malformed_credentials_count_with_proof(lan, proxy5, transport):
    """As svcrack sends them; TCP is a proof, so there they count without a token too."""
    guesser = lan.guesser(proxy5, kind="svcrack", transport=transport)
    before = proxy5.authban()["malformed"]
    challenge = guesser.challenge()
    statuses = [guesser.answer(challenge, "wrong-%d" % n, opaque=transport == "udp") for n in range(THRESHOLD)]
    figure("malformed %s" % transport, guesser, proxy5, statuses)
    assert statuses == UNTIL_BANNED
    assert proxy5.authban()["malformed"] - before == THRESHOLD


def test_malformed_credentials_without_proof(lan, proxy5):
    guesser = lan.guesser(proxy5, kind="svcrack")
    before, unproven = counted(proxy5), proxy5.authban()["unproven"]
    challenge = dict(guesser.challenge(), opaque=None)
    name, value = malformed_credentials(challenge, "alice", "wrong", "REGISTER", "sip:" + REALM)
    broken = [(name, value), (name, "Digest garbage"), (name, 'Digest username="alice", realm="%s"' % REALM),
              (name, "Digest " + "x=" * 500), (name, "Basic YWxpY2U6eA==")]
    responses = [guesser.send([header]) for header in broken]
    print("\nmalformed without proof: statuses=%s counted=%s" % (
        [r and r.status for r in responses], counted(proxy5) == before))
    assert counted(proxy5) == before
    assert proxy5.authban()["unproven"] - unproven >= 3
    assert guesser.challenge(), "not banned"


def empty_file(path):
    """The disk has lost the table."""
    with open(path, "r+b") as file:
        file.truncate(0)
    return None


def locked_file(path):
    """Somebody holds the database for himself."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("BEGIN EXCLUSIVE")
    return db


@pytest.mark.parametrize("fault", [empty_file, locked_file])
def test_a_dead_database_is_nobodys_failure(lan, fault):
    """F28. (Moving the file away does nothing: the workers keep it open.)"""
    proxy = lan.proxy(AB_THRESHOLD=THRESHOLD)
    phone, guesser = lan.phone(proxy), lan.guesser(proxy)
    assert phone.register().status == 200
    held = fault(proxy.database)
    statuses = [phone.register().status for _ in range(10)] + [guesser.guess("wrong") for _ in range(10)]
    retry = phone.last.header("retry-after")
    if held:
        held.close()
    now = proxy.authban()
    print("\ndatabase %s: statuses=%s backend_errors=%d counted=%s" % (
        fault.__name__, sorted(set(statuses)), now["backend_errors"], counted(proxy)))
    assert statuses == [503] * 20
    assert retry == "30"
    assert now["backend_errors"] == 20
    assert set(counted(proxy).values()) == {0}
    if held:
        assert phone.register().status == 200, "it recovers by itself"
