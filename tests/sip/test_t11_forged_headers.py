# SPDX-License-Identifier: GPL-2.0-or-later
"""T11: whatever a request says about where it comes from, the key is the address that the packet came from.

Each variant of the header lies names a bystander; every variant is a failure of the attacker's own.
"""
import os
import random

import pytest

from lib import peers
from lib.crowd import Crowd
from lib.kamailio import RpcFault, peer_config
from lib.lan import address_of
from lib.wait import wait_for
import proxies

LONG = bool(os.environ.get("AUTHBAN_LONG"))
VARIANTS = 10_000 if LONG else 2_000
HIGH = 10_000  # the largest threshold: nobody is banned while variants are tried
SEED = 11

NEW_HEADERS = [
    "X-Forwarded-For: %s", "X-Forwarded-For: 127.0.0.1, %s", "X-Real-IP: %s", "Forwarded: for=%s;proto=sip",
    'Forwarded: for="[%s]:5060"', "X-Client-IP: %s", "True-Client-IP: %s", "CF-Connecting-IP: %s",
    "X-AUTH-IP: %s", "X-Source-IP: %s", "P-Asserted-Identity: <sip:alice@%s>",
    "P-Preferred-Identity: <sip:alice@%s>", "Remote-Party-ID: <sip:alice@%s>;party=calling",
    "P-Access-Network-Info: IEEE-802.11;network-provided=%s", "P-Visited-Network-ID: %s",
    "P-Charging-Vector: icid-value=1;orig-ioi=%s", "Contact: <sip:alice@%s:5060>",
    "Contact: <sip:alice@%s;received=%s>",
    "Path: <sip:%s;lr>", "Path: <sip:%s;lr;received=sip:%s:5060>", "Record-Route: <sip:%s;lr>",
    "History-Info: <sip:alice@%s>;index=1", "Diversion: <sip:alice@%s>", "Referred-By: <sip:alice@%s>",
    "Via: SIP/2.0/UDP %s:5060;branch=z9hG4bKx", "v: SIP/2.0/UDP %s;received=%s;rport=5060;branch=z9hG4bKy",
    "Call-Info: <sip:%s>", "Organization: %s", "Subject: %s", "P-Src-IP: %s", "X-Kamailio-Source: %s",
]
VIA_PARTS = [";received=%s", ";received=%s;rport=5060", ";maddr=%s", ";alias;received=%s", ";ttl=1;received=[%s]",
             ";i=%s", ";rport=1;received=%s;maddr=%s"]
FIRST_VIAS = ["Via: SIP/2.0/UDP %s:5060;branch=z9hG4bKa;received=%s", "Via: SIP/2.0/UDP %s;rport;branch=z9hG4bKb",
              "Via: SIP/2.0/TCP %s:5061;branch=z9hG4bKc", "Via: SIP/2.0/UDP [%s]:5060;branch=z9hG4bKd",
              "v: SIP/2.0/UDP %s:5060 ;branch=z9hG4bKe, SIP/2.0/UDP %s:5060;branch=z9hG4bKf"]


def named(text, address):
    return text.replace("%s", address)


def lie(choose, data, address):
    """One request with one to four lies in it; the credentials stay what they are."""
    lines = data.decode().split("\r\n")
    for _ in range(choose.randint(1, 4)):
        kind = choose.choice(["header", "header", "via", "first via", "from", "host"])
        if kind == "header":
            lines.insert(choose.randint(2, 7), named(choose.choice(NEW_HEADERS), address))
        elif kind == "via":
            lines = [line.replace(";rport", named(choose.choice(VIA_PARTS), address) + ";rport", 1)
                     if line.startswith("Via:") else line for line in lines]
        elif kind == "first via":
            lines.insert(1, named(choose.choice(FIRST_VIAS), address))
        elif kind == "from":
            lines = [line.replace("From: <", 'From: "%s" <' % address) for line in lines]
        else:
            lines = [line.replace("Via: SIP/2.0/UDP 10.", "Via: SIP/2.0/UDP 99.", 1) for line in lines]
    return "\r\n".join(lines).encode()


def bystander(number):
    return "198.51.%d.%d" % (100 + number // 250, 1 + number % 250)


@pytest.fixture(scope="module")
def telling(lan, tmp_path_factory):
    """Nobody is banned; each answer tells what $authban says of its source."""
    with open(proxies.CONFIG, encoding="utf-8") as text:
        config = text.read()
    check = "\tif (!authban_check()) { exit; }\n"
    assert config.count(check) == 1
    path = tmp_path_factory.mktemp("t11") / "telling.cfg"
    path.write_text(config.replace(check, check + '\tappend_to_reply("X-Key: $authban(net)\\r\\n");\n'))
    return lan.proxy(AB_THRESHOLD=HIGH, settings={"config": str(path)})


def send_variants(lan, proxy, source, count):
    """Variants with one challenge and a password each; a new bystander is named after each hundred.

    The answers: a few variants are no SIP to the core, and nobody answers them.
    """
    choose = random.Random(SEED)
    with Crowd(proxy.target, lan.net["attacker"]) as crowd:
        member = crowd.member(source, "alice")
        crowd.ask([member])
        assert member.challenge
        requests = [member.request("wrong-%d" % number) for number in range(count)]
        return crowd.exchange([(sender, lie(choose, data, bystander(number // 100)), key)
                               for number, (sender, data, key) in enumerate(requests)]).values()


def known(proxy, address):
    try:
        return proxy.rpc("authban.get", address)
    except RpcFault as fault:
        assert fault.code == 404
        return None


def at_rest(proxy, seen):
    seen.append(proxy.authban()["checked"])
    return seen[-3:] == [seen[-1]] * 3


def wait_at_rest(proxy):
    """Until nothing more is checked: a few variants are no SIP to the core and never come so far."""
    seen = []
    wait_for(lambda: at_rest(proxy, seen), 20,
             "the last variant was looked at", pause=0.2)


def test_the_key_is_always_the_packets_source(lan, telling):
    sources = [lan.attacker_address() for _ in range(-(-VARIANTS // 5_000))]
    each = VARIANTS // len(sources)
    keys, answered = [], 0
    for source in sources:
        answers = send_variants(lan, telling, source, each)
        answered += len(answers)
        keys.append({answer.header("x-key") for answer in answers})
    known_sources, counted = telling.rpc("authban.status")["sources"], [telling.rpc("authban.get", s)["failures"] for s in sources]
    strangers = [bystander(n) for n in range(-(-each // 100)) if known(telling, bystander(n))]
    print("\nT11 variants=%d answered=%d counted=%d sources=%d known=%d bystanders_known=%d $authban(net)=%s"
          % (VARIANTS, answered, sum(counted), len(sources), known_sources, len(strangers), keys))
    assert known_sources == len(sources) and not strangers, "nobody else is known"
    assert keys == [{source} for source in sources], "$authban(net) names the attacker alone"
    assert sum(counted) >= answered >= 0.9 * VARIANTS, "a lie is no reason not to count"


def test_a_liar_is_banned_himself_and_nobody_else(lan, proxy5):
    """The ban at the threshold, over 20 kinds of lies; every bystander registers afterwards."""
    choose = random.Random(SEED + 1)
    victim = lan.phone_address()
    liars = []
    for number in range(20):
        guesser = lan.guesser(proxy5)
        challenge = guesser.challenge()
        for guess in range(5):
            header = guesser.answer_header(challenge, "wrong-%d-%d" % (number, guess))
            guesser.link.send(lie(choose, guesser.build([header]), victim))
        liars.append(address_of(guesser))
    wait_for(lambda: set(liars) <= set(proxy5.bans()), 5, "all liars are banned")
    phone = lan.phone(proxy5, source=victim)
    status = phone.register().status
    print("\nT11 liars=20 banned=%d named_banned=%d victim=%d" % (
        len(set(liars) & set(proxy5.bans())), victim in proxy5.bans(), status))
    assert set(proxy5.bans()) == set(liars)
    assert status == 200


def test_control_a_script_that_trusts_a_header(lan, tmp_path):
    """htable keyed on X-Real-IP, as behind a load balancer: the bystander is banned, the liar is not."""
    with open(peer_config("htable"), encoding="utf-8") as text:
        config = text.read().replace("$si", "$hdr(X-Real-IP)")
    path = tmp_path / "trusting.cfg"
    path.write_text(config.replace('"registrar.cfg"', '"%s"' % peer_config("registrar")))
    proxy = lan.proxy(WITH_QOP=True, settings={"config": str(path)})
    victim, liar = lan.phone_address(), lan.attacker_address()
    with Crowd(proxy.target, lan.net["attacker"]) as crowd:
        member = crowd.member(liar, "alice")
        for guess in range(6):
            member.password = "wrong-%d" % guess
            crowd.ask([member], headers=[("X-Real-IP", victim)])
    banned = peers.banned(proxy, "authfail")
    peers.figure("T11", "htable by X-Real-IP", bystander_banned=int(victim in banned), liar_banned=int(liar in banned))
    assert banned == [victim]
