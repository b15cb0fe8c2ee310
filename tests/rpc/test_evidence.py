# SPDX-License-Identifier: GPL-2.0-or-later
"""Evidence: what is kept of proven offenders, nothing of content, nobody forged, for how long, how it is erased."""
import base64
import json
import re
import time

import pytest

from lib.calls import call as call_script, calling_config
from lib.clock import Clock
from lib.grammar import parse_kamcmd
from lib.kamailio import Proxy
from lib.lan import Lan, address_of
from lib.memory import in_shared_memory
from lib.rawudp import Forger
from lib.sip import Guesser
from lib.svcrack import run_svcrack
from lib.wait import wait_for
from proxies import RpcFault

THRESHOLD, DAY = 5, 86400
TIME = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
HASH = r"[0-9a-f]{16}"
ROW = {
    "source": r"10\.78\.1\.\d+", "address": r"10\.78\.1\.\d+", "port": r"\d{4,5}", "transport": "udp|tcp",
    "local_address": r"10\.78\.0\.1", "local_port": r"\d+", "proof": "token|nonce|stream", "first": TIME, "last": TIME,
    "failures": r"\d+", "wrong_password": r"\d+", "no_user": r"\d+", "malformed": r"\d+", "script": r"\d+",
    "methods": None, "users": r"\d+", "banned": "0|1", "bans": r"\d+", "reason": "|threshold", "ban_time": r"\d+",
    "network": r"10\.78\.1\.0/24", "campaign": "0|1", "origin": r"[\w-]+", "imported": "0", "incident": HASH,
    "samples": None}
SAMPLE = {"time": TIME, "class": "wrong_password|no_user|malformed|script", "method": "[A-Z]+", "user": HASH,
          "user_agent": r"[ -~]{0,64}"}
REPORTER = "\n".join('modparam("authban", "report_%s", "%s")' % pair for pair in (
    ("org", "The Reporter"), ("contact", "abuse@example.com"), ("domain", "example.com")))


@pytest.fixture(scope="module")
def lan():
    with Lan() as made:
        yield made


@pytest.fixture(scope="module")
def proxy(lan, tmp_path_factory):
    config = calling_config(tmp_path_factory.mktemp("evidence"))
    lan.of_svcrack = lan.attacker_address()  # it cannot choose one: the first of the namespace
    return lan.proxy(AB_THRESHOLD=THRESHOLD, settings={"extra": REPORTER, "config": config})


def evidence(node, source):
    """One row; None when nothing is kept."""
    try:
        return node.rpc("authban.evidence_get", source)
    except RpcFault as fault:
        assert fault.code == 404, fault
        return None


AGENT = "an agent that ages"


def send_guesses(guesser, count):
    """Waits for challenges only: the last guess of a ban is not answered."""
    for number in range(count):
        header = guesser.answer_header(guesser.challenge(), "wrong-%d-%f" % (number, time.time()))
        guesser.link.send(guesser.build([header, ("User-Agent", AGENT)]))


def fits(row, form):
    assert set(row) == set(form)
    for name, pattern in form.items():
        assert pattern is None or re.fullmatch(pattern, str(row[name])), "%s: %r" % (name, row[name])


def everything(node, sources):
    """All that anybody can ask of a proxy, with attachments decoded, and its log."""
    texts = [node.rpc(command, *more) for command, more in (
        ("authban.evidence", (1000,)), ("authban.users", (1000,)), ("authban.list", (1000,)),
        ("authban.top", (1000,)), ("authban.networks", (1000,)), ("authban.status", ()))]
    for source in sources:
        texts += [evidence(node, source), node.rpc("authban.get", source)]
        try:
            report = node.rpc("authban.report", source)
        except RpcFault:
            continue
        texts.append(report)
        texts += [base64.b64decode(item["payload"]).decode() for item in json.loads(report).get("evidence", ())]
    return "\n".join([*map(str, texts), node.log()])


def test_svcrack_leaves_evidence(lan, proxy):
    begin = time.time()
    crack = run_svcrack(proxy.target, "alice", range(1000, 1200), netns=lan.net["attacker"], silence=1)
    source = lan.of_svcrack
    row = evidence(proxy, source)
    fits(row, ROW)
    for sample in row["samples"]:
        fits(sample, SAMPLE)
    assert row == next(one for one in proxy.rpc("authban.evidence") if one["source"] == source)
    assert (row["address"], row["transport"], row["proof"], row["local_port"]) == (source, "udp", "token", proxy.port)
    assert row["failures"] == row["malformed"] == len(row["samples"]) == THRESHOLD == row["methods"]["REGISTER"]
    assert (row["banned"], row["bans"], row["reason"], row["users"]) == (1, 1, "threshold", 1)
    assert 560 <= row["ban_time"] <= 600 and row["first"] <= row["last"] and row["origin"] == proxy.node
    assert {sample["user_agent"] for sample in row["samples"]} == {"friendly-scanner"}
    assert time.gmtime(begin - 1) <= time.strptime(row["first"][:19], "%Y-%m-%dT%H:%M:%S") <= time.gmtime(begin + 20)
    status, text = proxy.kamcmd("authban.evidence_get", source)
    assert status == 0 and parse_kamcmd(text)[0]["incident"] == row["incident"]
    print("\nevidence: svcrack sent %d guesses, %d are evidence" % (crack.sent, row["failures"]))


def test_counts_by_class_method_and_user(lan, proxy):
    source = lan.attacker_address()
    with lan.guesser(proxy, "alice", source) as known, lan.guesser(proxy, "nobody-1", source) as unknown, \
            lan.guesser(proxy, "alice", source, method="INVITE", transport="tcp") as caller:
        assert known.guess("wrong-1") == unknown.guess("wrong-2") == 401 and caller.guess("wrong-3") == 407
        port = caller.link.local[1]
    row = evidence(proxy, source)
    assert (row["failures"], row["wrong_password"], row["no_user"], row["users"]) == (3, 2, 1, 2)
    assert row["methods"] == {"REGISTER": 2, "INVITE": 1}
    assert (row["transport"], row["proof"], row["port"], row["banned"]) == ("tcp", "stream", port, 0)
    users = [sample["user"] for sample in row["samples"]]
    assert users[0] == users[2] != users[1]
    # the same name as in the lists of users
    assert {users[0], users[1]} <= {one["user"] for one in proxy.rpc("authban.users", 1000)}


def test_nothing_of_content_is_told(lan, proxy):
    user, password = "a-secret-user", "a-secret-password"
    source, secrets = lan.attacker_address(), {user, password}
    with lan.guesser(proxy, user, source) as guesser:
        for number in range(THRESHOLD):
            challenge = guesser.challenge()
            header = guesser.answer_header(challenge, password + str(number))
            secrets |= {challenge["nonce"], challenge["opaque"], re.search('response="(\\w+)"', header[1]).group(1)}
            guesser.link.send(guesser.build([header, ("User-Agent", "the agent of this test")]))
    wait_for(lambda: (evidence(proxy, source) or {}).get("banned"), 3, "the ban")
    text = everything(proxy, [source])
    assert len(secrets) >= 2 + 2 + THRESHOLD  # a nonce is the same for a second
    assert not [secret for secret in secrets if secret in text]
    # the search finds what is there
    for there in ("the agent of this test", source, evidence(proxy, source)["samples"][0]["user"], "login_attack"):
        assert there in text
    pid = next(iter(proxy.pids()))
    assert in_shared_memory(pid, b"the agent of this test") >= THRESHOLD
    assert not [secret for secret in (user, password) if in_shared_memory(pid, secret.encode())]
    print("\nevidence: %d secrets searched for in %d bytes of answers and log" % (len(secrets), len(text)))


def test_forged_sources_never_appear(lan, proxy):
    victim = lan.phone_address()
    with lan.guesser(proxy) as attacker, Forger(lan.net["attacker"]) as forger:
        challenge = attacker.challenge()
        guesses = [attacker.build([attacker.answer_header(challenge, "wrong-%d" % number)]) for number in range(300)]
        guesses += [attacker.build([("X-Call", "fail0")]) for _ in range(20)]
        before = int(proxy.authban()["unproven"])
        sent = forger.send((victim, 5060), proxy.target, guesses, rate=2000)
        wait_for(lambda: proxy.authban()["unproven"] >= before + 300, 3, "all are judged")
        assert evidence(proxy, victim) is None
        assert victim not in str(proxy.rpc("authban.evidence", 1000))
        # the same bytes from where the challenge went
        attacker.link.send(guesses[0])
        wait_for(lambda: evidence(proxy, address_of(attacker)), 2, "a true sender's failure is evidence")
    print("\nevidence: %d forged packets, no evidence of the victim" % sent)


def test_the_scripts_word_alone_is_no_evidence(lan, proxy):
    with lan.guesser(proxy) as udp, lan.guesser(proxy, transport="tcp") as tcp:
        assert call_script(udp, "fail0") == call_script(tcp, "fail0") == 1
        assert call_script(tcp, "fail1", "203.0.113.9") == 1
        assert evidence(proxy, address_of(udp)) is None and evidence(proxy, "203.0.113.9") is None
        row = evidence(proxy, address_of(tcp))
    assert (row["script"], row["failures"], row["proof"]) == (1, 1, "stream")


def test_an_operators_ban_is_no_evidence_and_an_unban_takes_it_back(lan, proxy):
    proxy.rpc("authban.ban", "203.0.113.20", 60)
    assert evidence(proxy, "203.0.113.20") is None
    with pytest.raises(RpcFault, match="no evidence"):
        proxy.rpc("authban.report", "203.0.113.20")
    with lan.guesser(proxy) as guesser:
        source = address_of(guesser)
        send_guesses(guesser, THRESHOLD)
    wait_for(lambda: (evidence(proxy, source) or {}).get("banned"), 3, "the ban")
    assert json.loads(proxy.rpc("authban.report", source))["source_identifier"] == source
    proxy.rpc("authban.unban", source)
    row = evidence(proxy, source)
    assert (row["banned"], row["bans"], row["failures"]) == (0, 0, THRESHOLD)
    with pytest.raises(RpcFault, match="has not been banned") as caught:
        proxy.rpc("authban.report", source)
    assert caught.value.code == 409


def test_pages_are_newest_first(lan, proxy):
    for _ in range(3):
        with lan.guesser(proxy) as guesser:
            guesser.guess("wrong")
    rows = proxy.rpc("authban.evidence", 1000)
    assert [row["last"] for row in rows] == sorted((row["last"] for row in rows), reverse=True) and len(rows) >= 3
    assert [row["incident"] for row in proxy.rpc("authban.evidence", 2, 1)] == [row["incident"] for row in rows[1:3]]
    assert not proxy.rpc("authban.evidence", 10, 1000)


@pytest.mark.parametrize("words,code", [
    (("authban.evidence", 0), 400), (("authban.evidence", "x"), 400), (("authban.evidence_get",), 400),
    (("authban.evidence_get", "x"), 400), (("authban.evidence_get", "192.0.2.1"), 404), (("authban.report", "x"), 400),
    (("authban.erase",), 400), (("authban.erase", "x"), 400), (("authban.erase_user",), 400)])
def test_faults(proxy, words, code):
    with pytest.raises(RpcFault) as caught:
        proxy.rpc(*words)
    assert caught.value.code == code


def test_erase_an_address(lan, proxy):
    source = lan.attacker_address()
    with lan.phone(proxy, source=source, host="attacker") as phone, lan.guesser(proxy, source=source) as guesser:
        assert phone.register().status == 200
        guesser.guess("wrong-1")
        assert proxy.rpc("authban.get", source)["known_good"] == "yes" and evidence(proxy, source)
        answer = proxy.rpc("authban.erase", source)
    assert answer["source"] == source and answer["evidence"] == 1 and answer["entries"] == 2 and answer["logins"] == 1
    assert evidence(proxy, source) is None
    row = proxy.rpc("authban.get", source)
    assert (row["known_good"], row["failures"], row["state"]) == ("no", 0, "none")
    assert proxy.rpc("authban.erase", source)["evidence"] == 0


def test_erase_a_user(lan, proxy):
    source = lan.attacker_address()
    with lan.guesser(proxy, "erase-me", source) as first, lan.guesser(proxy, "keep-me", source) as second:
        first.guess("wrong-1")
        second.guess("wrong-2")
    kept = evidence(proxy, source)["samples"][1]["user"]
    answer = proxy.rpc("authban.erase_user", "erase-me@" + proxy.realm)
    assert answer["samples"] == 1 and answer["entries"] == 1
    assert [sample["user"] for sample in evidence(proxy, source)["samples"]] == [kept]
    assert proxy.rpc("authban.erase_user", "erase-me@" + proxy.realm)["samples"] == 0


def guess_once(node, source, user="alice", times=1):
    before = node.authban()["failures"]
    with Guesser(user, node.target, source=source, timeout=2) as guesser:
        send_guesses(guesser, times)
        wait_for(lambda: node.authban()["failures"] == before + times, 3, "the failures are counted")


def test_retention_and_rotation():
    """A week in a moment: users get new names each day, and after evidence_ttl nothing is left, in memory neither."""
    settings = 'modparam("authban", "privacy_rotate", %d)' % DAY
    with Clock() as clock, Proxy(defines={"AB_THRESHOLD": 50}, extra=settings, **clock.settings) as node:
        pid, agent = next(iter(node.pids())), AGENT.encode()
        clock.advance(DAY - time.time() % DAY + 60)  # a period begins
        for _ in range(3):
            guess_once(node, "127.20.0.1")
        clock.advance(DAY / 2)
        guess_once(node, "127.20.0.1")
        clock.advance(DAY / 2)
        guess_once(node, "127.20.0.1")
        users = [sample["user"] for sample in evidence(node, "127.20.0.1")["samples"]]
        assert users[0] == users[-2] != users[-1]
        # erasing knows them of all periods
        guess_once(node, "127.20.0.2", "bob")
        assert node.rpc("authban.erase_user", "alice@" + node.realm)["samples"] == len(users)
        assert in_shared_memory(pid, agent) == 1
        clock.advance(7 * DAY - 60)
        assert evidence(node, "127.20.0.2") and in_shared_memory(pid, agent) == 1
        clock.advance(61)
        assert evidence(node, "127.20.0.2") is None and not node.rpc("authban.evidence")
        wait_for(lambda: not in_shared_memory(pid, agent), 4, "nothing is left in memory")
    print("\nevidence: gone after evidence_ttl, %d samples of one user over two periods erased" % len(users))


def test_privacy_off_shows_names_but_reports_none():
    settings = REPORTER + '\nmodparam("authban", "privacy", "off")'
    with Proxy(defines={"AB_THRESHOLD": 3}, extra=settings) as node:
        guess_once(node, "127.20.1.1", "readable", 3)
        assert {sample["user"] for sample in evidence(node, "127.20.1.1")["samples"]} == {"readable"}
        assert "readable" in {row["user"] for row in node.rpc("authban.users")}
        report = json.loads(node.rpc("authban.report", "127.20.1.1"))
        assert "readable" not in str(report)
        assert "readable" not in base64.b64decode(report["evidence"][0]["payload"]).decode()
        assert node.rpc("authban.erase_user", "readable@" + node.realm)["samples"] >= 1
        assert "readable" not in str(node.rpc("authban.evidence"))


def test_evidence_0_keeps_none():
    with Proxy(defines={"AB_THRESHOLD": 3}, extra='modparam("authban", "evidence", 0)') as node:
        guess_once(node, "127.20.1.1")
        for words in (("authban.evidence",), ("authban.evidence_get", "127.20.1.1")):
            with pytest.raises(RpcFault, match="parameter evidence is 0"):
                node.rpc(*words)
        with pytest.raises(RpcFault, match="report_org, report_contact and report_domain"):
            node.rpc("authban.report", "127.20.1.1")
