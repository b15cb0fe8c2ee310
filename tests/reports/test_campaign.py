# SPDX-License-Identifier: GPL-2.0-or-later
"""From the real svcrack at 20 addresses of two providers to incidents, reports and lists.

The providers are those of 2010: ten instances at a cloud that publishes its ranges, ten at a small one that
only the operator's own map knows. Forged packets beside them must appear nowhere.
"""
import base64
import concurrent.futures
import copy
import csv
import email
import email.policy
import io
import json
import re
import subprocess

import pytest

from lib import xarf_fields
from lib.kamailio import Proxy, REALM
from lib.netns import Net
from lib.offenders import CAMPAIGN_KEY
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
        headers = [guesser.answer_header(challenge, "forged-%d" % n) for n in range(FORGED)]
        packets = [guesser.build([header]) for header in headers]
        with Forger(net[host(SMALL[0])]) as forger:
            forger.send(lambda n: ("192.0.2.%d" % (200 + n % 20), 5060), proxy.target, packets, rate=1000)
    wait_for(lambda: proxy.authban()["unproven"] >= 0.9 * FORGED, 5, "the forged packets arrive")
    responses = [re.search('response="(\\w+)"', header[1]).group(1) for header in headers]
    return {challenge["nonce"], challenge["opaque"], *responses}


def own_guess(net, proxy):
    """One wrong password with all that SIP needs, from one of the sources: what must not be in a report of it."""
    with Guesser("alice", proxy.target, source=SMALL[0], netns=net[host(SMALL[0])], timeout=2) as guesser:
        challenge = guesser.challenge()
        header = guesser.answer_header(challenge, WORDS[0])
        guesser.link.send(guesser.build([header]))
        wait_for(lambda: proxy.authban()["failures"] == 1, 3, "it is counted")
    return {challenge["nonce"], challenge["opaque"], re.search('response="(\\w+)"', header[1]).group(1)}


@pytest.fixture(scope="module")
def attacked(net):
    """The proxy after the attack."""
    with Proxy(host=PROXY, netns=net["proxy"], node="proxy-of-the-test",
               extra='modparam("authban", "cluster_key", "%s")' % CAMPAIGN_KEY,
               defines={"AB_THRESHOLD": THRESHOLD, "AB_NET_SOURCES": 8, "AB_USER_SOURCES": 50}) as proxy:
        proxy.secrets = forge(net, proxy) | own_guess(net, proxy)
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


def test_each_report_is_valid_by_the_official_schema(office):
    folder = xarf_fields.schema_folder()
    if not folder:
        pytest.skip("no XARF schema: set XARF_SCHEMA, or put it into ../shared/xarf")
    office()
    problems = xarf_fields.official(folder)
    reports = [json.loads(text) for name, text in written(office).items() if name.endswith(".xarf.json")]
    reports += [json.loads(text)["report"]["xarf"] for name, text in written(office).items()
                if name.endswith(".aws.json")]
    assert len(reports) == 3 * EACH and [problems(report) for report in reports if problems(report)] == []
    for field in xarf_fields.REQUIRED:
        for report in reports:
            spoiled = copy.deepcopy(report)
            del spoiled[field]
            assert problems(spoiled) and xarf.faults(spoiled), "control: without %s it is not valid" % field
    print("\ncampaign: %d reports validate against the official schema, without any of %d fields none does" % (
        len(reports), len(xarf_fields.REQUIRED)))


def test_the_csv_and_the_mails_parse_back(office, attacked):
    office()
    rows = {row["address"]: row for row in rpc.pages(rpc.connect(attacked.rpc_socket), "authban.evidence")}
    lines = [line for name, text in written(office).items() if name.endswith(".csv")
             for line in csv.DictReader(io.StringIO(text, newline=""))]
    assert sorted(line["source_ip"] for line in lines) == sorted(CLOUD + SMALL)
    for line in lines:
        row = rows[line["source_ip"]]
        assert (int(line["source_port"]), int(line["failed_attempts"]), line["first_seen_utc"], line["transport"]) == (
            row["port"], row["failures"], row["first"], "udp")
    mails = [email.message_from_string(text, policy=email.policy.default)
             for name, text in written(office).items() if name.endswith(".eml")]
    assert len(mails) == EACH and {mail["To"] for mail in mails} == {"abuse@one.example"}
    for mail in mails:
        text, feedback, attached = mail.iter_parts()
        report = json.loads(attached.get_content())
        assert not mail.defects and feedback.get_content_type() == "message/feedback-report"
        assert report["source_identifier"] in SMALL and report["source_identifier"] in text.get_content()
    tokens = [json.loads(text)["clientToken"] for name, text in written(office).items() if name.endswith(".aws.json")]
    assert len(set(tokens)) == len(tokens) == EACH
    print("\ncampaign: %d lines of CSV, %d mails, %d requests for AWS parse back" % (
        len(lines), len(mails), len(tokens)))


def test_the_client_token_stays(office):
    """Whoever loses what was reported writes the same request again, and AWS takes it as one."""
    office("--provider", "amazon")
    first = {name: json.loads(text)["clientToken"] for name, text in written(office).items() if ".aws." in name}
    office.desk.state = office.desk.path("another.json")
    assert "10 reports written" in office("--provider", "amazon").stdout
    again = {name: json.loads(text)["clientToken"] for name, text in written(office).items() if ".aws." in name}
    assert again == first and len(first) == EACH


def test_one_provider_alone(office):
    assert "10 reports written" in office("--provider", "amazon").stdout
    assert "10 reports written" in office().stdout


def test_nothing_of_users_or_passwords_is_in_any_file(office, attacked):
    office()
    files = dict(office.desk.written())
    from test_nothing_private import leaks
    words = ["alice", *WORDS, REALM, attacked.node, "forged-", *attacked.secrets]
    assert files and leaks(files, words) == set()
    name, data = next(iter(files.items()))
    for word in ("alice", WORDS[1], *list(attacked.secrets)[:3]):
        put = data + base64.b64encode(("a %s of this test" % word).encode())
        assert leaks({name: put}, words) == {(name, word)}, "control: the search finds it in base64"
    print("\ncampaign: %d words searched for in %d files" % (len(words), len(files)))


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
