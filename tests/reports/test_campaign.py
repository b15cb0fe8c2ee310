# SPDX-License-Identifier: GPL-2.0-or-later
"""From the real svcrack at 20 addresses of two providers to incidents, reports and lists.

The providers are those of 2010: ten instances at a cloud that publishes its ranges, ten at a small one that
only the operator's own map knows. Forged packets beside them must appear nowhere.
"""
import concurrent.futures
import json
import re
import subprocess

import pytest

from lib.kamailio import Proxy, REALM
from lib.netns import Net
from lib.rawudp import Forger
from lib.sip import Guesser
from lib.svcrack import run_svcrack
from lib.wait import wait_for
from authban_lib import rpc, timestamp, xarf

PROXY, THRESHOLD, EACH, FORGED = "198.51.100.1", 5, 10, 200
CLOUD = ["192.0.2.%d" % (10 + n) for n in range(EACH)]
SMALL = ["203.0.113.%d" % (10 + n) for n in range(EACH)]
WORDS = ["word-%d-of-the-list" % n for n in range(40)]


def host(address):
    return "h" + address.split(".")[2] + "-" + address.split(".")[3]


def route(net, name, *words):
    subprocess.run(["ip", "-n", net[name], "route", "add", *words, "dev", "eth0"], check=True, timeout=10)


@pytest.fixture(scope="module")
def net():
    hosts = {host(address): [address + "/24"] for address in CLOUD + SMALL}
    with Net(dict(hosts, proxy=[PROXY + "/24"])) as made:
        for name in hosts:
            route(made, name, PROXY)
        for prefix in ("192.0.2.0/24", "203.0.113.0/24"):
            route(made, "proxy", prefix)
        yield made


def forge(net, proxy):
    """Wrong passwords in the name of the cloud's other addresses, with a token of the attacker's own."""
    with Guesser("alice", proxy.target, source=SMALL[0], netns=net[host(SMALL[0])], timeout=2) as guesser:
        challenge = guesser.challenge()
        packets = [guesser.build([guesser.answer_header(challenge, "forged-%d" % n)]) for n in range(FORGED)]
        with Forger(net[host(SMALL[0])]) as forger:
            forger.send(lambda n: ("192.0.2.%d" % (200 + n % 20), 5060), proxy.target, packets, rate=1000)
    wait_for(lambda: proxy.authban()["unproven"] >= 0.9 * FORGED, 5, "the forged packets arrive")


@pytest.fixture(scope="module")
def attacked(net):
    """The proxy after the attack."""
    with Proxy(host=PROXY, netns=net["proxy"], node="proxy-of-the-test",
               defines={"AB_THRESHOLD": THRESHOLD, "AB_NET_SOURCES": 8, "AB_USER_SOURCES": 50}) as proxy:
        forge(net, proxy)
        with concurrent.futures.ThreadPoolExecutor(EACH) as pool:
            cracks = list(pool.map(lambda address: run_svcrack(
                proxy.target, "alice", WORDS, netns=net[host(address)], silence=1, deadline=20), CLOUD + SMALL))
        assert all(crack.sent for crack in cracks)
        wait_for(lambda: len(proxy.bans()) == 2 * EACH, 5, "20 bans")
        yield proxy


@pytest.fixture
def office(desk, attacked):
    """The operator's desk, beside the proxy: office(script, words...)."""
    desk.state = desk.path("reported.json")

    def run(*words, script="authban-report"):
        more = ["--config", desk.path("report.conf"), "--state", desk.state, "--out", desk.out]
        return desk.run(script, *words, "--rpc", attacked.rpc_socket, *(more if script == "authban-report" else ()))
    run.desk = desk
    return run


def written(office):
    """All files below the output folder as {name: text}."""
    return {name: data.decode() for name, data in office.desk.written().items()}


def test_incidents_show_both_providers_and_their_campaigns(office):
    done = office("incidents", "--json")
    assert done.returncode == 0, done.stderr
    groups = json.loads(done.stdout)
    found = {(group["provider"], group["campaign"]): sorted(one["address"] for one in group["offenders"])
             for group in groups}
    assert found == {("Amazon Web Services", "192.0.2.0/24"): sorted(CLOUD),
                     ("Provider One", "203.0.113.0/24"): sorted(SMALL)}
    print("\ncampaign: " + "; ".join("%s %s %d sources %d failures" % (
        group["provider"], group["campaign"], group["sources"], group["failures"]) for group in groups))


def test_each_source_is_reported_once(office, attacked):
    done = office("--since", "1h")
    assert done.returncode == 0 and "20 reports written" in done.stdout, done.stderr
    files = written(office)
    reports = [json.loads(text) for name, text in files.items() if name.endswith(".xarf.json")]
    assert sorted(report["source_identifier"] for report in reports) == sorted(CLOUD + SMALL)
    rows = {row["address"]: row for row in rpc.pages(rpc.connect(attacked.rpc_socket), "authban.evidence")}
    for report in reports:
        assert xarf.faults(report) == []
        row = rows[report["source_identifier"]]
        assert (report["source_port"], report["first_seen"]) == (row["port"], row["first"])
        assert report["destination_ip"] == PROXY and report["destination_port"] == attacked.port
        assert timestamp.parse(report["first_seen"]) <= timestamp.parse(report["last_seen"])
    assert sum(name.endswith(".aws.json") for name in files) == EACH
    assert sum(name.endswith(".eml") for name in files) == EACH
    assert sum(name.endswith(".csv") for name in files) == 2
    again = office("--since", "1h")
    assert "nothing to report" in again.stdout and written(office) == files


def test_one_provider_alone(office):
    assert "10 reports written" in office("--provider", "amazon").stdout
    assert "10 reports written" in office().stdout


def test_nothing_of_users_or_passwords_is_in_any_file(office, attacked):
    office()
    files = dict(office.desk.written())
    from test_nothing_private import leaks
    assert files and leaks(files, ["alice", *WORDS, REALM, attacked.node, "forged-"]) == set()
    name, data = next(iter(files.items()))
    assert leaks({name: data + b"YWxpY2UgYW5kIHdvcmQtMS1vZi10aGUtbGlzdA=="}, ["alice", WORDS[1]]) == {
        (name, "alice"), (name, WORDS[1])}, "control: the search finds them in base64"


@pytest.mark.parametrize("form", ["plain", "nft", "crowdsec", "stix"])
def test_lists_have_all_twenty_and_nobody_else(office, form):
    done = office("export", "--format", form, script="authban-lists")
    assert done.returncode == 0, done.stderr
    assert sorted(set(re.findall(r"\d+\.\d+\.\d+\.\d+", done.stdout))) == sorted(CLOUD + SMALL)


def test_a_signed_list_goes_from_one_operator_to_another(office):
    desk = office.desk
    secret = desk.write("secret", "0123456789abcdef" * 4)
    done = office("sign", "--issuer", "victim-telecom", "--secret", secret, script="authban-lists")
    assert done.returncode == 0, done.stderr
    taken = desk.run("authban-lists", "verify", "--issuer", "victim-telecom", "--secret", secret, "--serials",
                     desk.path("serials"), desk.write("list.json", done.stdout))
    assert sorted(line.split()[0] for line in taken.stdout.splitlines()) == sorted(CLOUD + SMALL), taken.stderr


def test_who_is_pardoned_is_not_reported(office, attacked):
    """Last, because it changes the proxy."""
    attacked.rpc("authban.unban", SMALL[3])
    done = office()
    assert "19 reports written" in done.stdout and "%s: not reported" % SMALL[3] in done.stderr
