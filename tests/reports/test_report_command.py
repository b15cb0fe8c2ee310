# SPDX-License-Identifier: GPL-2.0-or-later
"""authban-report as an operator uses it: where evidence comes from, what he chooses, what he is told."""
import json
import os
import re
import socket

import pytest

from lib.fakerpc import FakeHttp, FakeRpc
from lib.offenders import CONFIG, elsewhere, row, when
from authban_lib import config, rpc


def addresses(desk):
    return sorted(json.loads(data)["source_identifier"] for data in desk.written(".xarf.json").values())


def many(count):
    return [row(n % 250, source="203.0.%d.%d" % (n // 250, n % 250), address="203.0.%d.%d" % (n // 250, n % 250),
                network="203.0.%d.0/24" % (n // 250), incident="%016x" % n, port=1024 + n) for n in range(count)]


@pytest.mark.parametrize("count", [0, 1, 39, 40, 123])
def test_every_page_is_read_from_the_socket(desk, count):
    with FakeRpc(desk.path("rpc"), {"authban.evidence": many(count)}) as proxy:
        found = list(rpc.pages(rpc.connect("unix:" + desk.path("rpc")), "authban.evidence"))
    assert found == many(count)
    assert [params for _, params in proxy.calls] == [[40, offset] for offset in range(0, count + 1, 40)]


def test_the_real_script_reads_a_socket_and_http(desk):
    for number, how in enumerate((FakeRpc(desk.path("rpc"), {"authban.evidence": [row(1)]}),
                                  FakeHttp({"authban.evidence": [row(1)]}))):
        with how as place:
            place = place if isinstance(place, str) else place.path
            done = desk.run("authban-report", "incidents", "--json", "--rpc", place, "--state",
                            desk.path("none%d" % number), "--map", desk.path("providers.map"))
        assert done.returncode == 0, done.stderr
        (group,) = json.loads(done.stdout)
        assert group["provider"] == "Provider One" and group["offenders"][0]["address"] == "203.0.113.1"


@pytest.mark.parametrize("table, why", [({"authban.evidence": 404}, "404 refused here"), (None, "no answer"),
                                        ({"authban.evidence": lambda *_: "text"}, "not a list of structs")])
def test_a_proxy_that_does_not_answer_is_one_sentence(desk, table, why):
    path = desk.path("rpc")
    if table is None:
        done = desk.run("authban-report", "incidents", "--rpc", path)
    else:
        with FakeRpc(path, table):
            done = desk.run("authban-report", "incidents", "--rpc", path, "--state", desk.path("none"))
    assert done.returncode == 1 and why in done.stderr
    assert done.stderr.count("\n") == 1 and "Traceback" not in done.stderr
    with FakeHttp({}) as place:
        done = desk.run("authban-report", "incidents", "--rpc", place)
    assert done.returncode == 1 and "500 refused here" in done.stderr


def test_a_reader_who_may_not_write_beside_the_socket_is_answered(desk, monkeypatch):
    def refused(self, name, real=socket.socket.bind):
        if name:
            raise PermissionError(13, "Permission denied")
        real(self, name)
    with FakeRpc(desk.path("rpc"), {"authban.evidence": [row(1)]}):
        monkeypatch.setattr(socket.socket, "bind", refused)
        assert list(rpc.pages(rpc.connect(desk.path("rpc")), "authban.evidence")) == [row(1)]


def test_nobody_else_can_answer(desk):
    """Another program sends to the name that we listen on: only the proxy's answer is read."""
    def other(*_):
        (name,) = [name for name in os.listdir(desk.folder) if name.startswith("rpc.")]
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as liar:
            with pytest.raises(PermissionError):
                liar.sendto(b'{"result": []}', desk.path(name))
        return [row(1)]
    with FakeRpc(desk.path("rpc"), {"authban.evidence": other}):
        assert rpc.connect(desk.path("rpc")).call("authban.evidence") == row(1)
    assert not [name for name in os.listdir(desk.folder) if name.startswith("rpc.")], "and the name is gone"


def test_a_saved_answer_comes_by_stdin(desk):
    for value in ([row(1)], row(1), {"jsonrpc": "2.0", "result": [row(1)], "id": 1}, {"result": row(1)}):
        done = desk.run("authban-report", "incidents", "--from", "-", "--state", desk.path("none"),
                        stdin=json.dumps(value))
        assert done.returncode == 0 and "1 offender, 1 to report" in done.stdout
    done = desk.run("authban-report", "incidents", "--from", "-", stdin="no json")
    assert done.returncode == 1 and "is not JSON" in done.stderr


def test_since_ip_and_provider_choose(desk):
    rows = [row(1, first=when(90000), last=when(80000)), row(2), row(3, last=when(3)), elsewhere("198.51.100.7")]
    for words, left in ((("--since", "1m"), ["203.0.113.3"]), (("--since", "2026-01-31T11:00:00Z"), 3),
                        (("--since", "2026-01-30"), 4), (("--ip", "203.0.113.0/24"), 3), (("--ip", "203.0.113.2"), 1),
                        (("--provider", "two"), ["198.51.100.7"]), (("--provider", "Provider"), 4), ((), 4)):
        _, out, _ = desk.report(rows, "incidents", "--json", *words)
        found = [one["address"] for group in json.loads(out) for one in group["offenders"]]
        assert found == left or len(found) == left, words
    six = elsewhere("2001:db8:1:2::9", "2001:db8:1::/48")
    assert "1 to report" in desk.report([six], "incidents", "--ip", "2001:db8:1:2::77")[1], "the source is a /64"
    for words in (("--since", "soon"), ("--ip", "all"), ("--since", "99999999999d")):
        assert desk.report(rows, *words)[0] == 1


def test_dry_writes_nothing_and_tells_what_it_would(desk):
    _, out, _ = desk.report([row(1), elsewhere("192.0.2.9")], "--dry")
    assert not desk.written()
    told = re.findall(r"^  (\S+)$", out, re.M)
    desk.report([row(1), elsewhere("192.0.2.9")])
    assert sorted(told) == sorted(name for name in desk.written() if not name.startswith("HOWTO"))


def test_incidents_are_grouped_by_campaign_and_provider(desk):
    rows = [row(n, campaign=n > 6) for n in range(1, 13)] + [elsewhere("198.51.100.%d" % n) for n in (7, 8)]
    rows = [dict(one, campaign=int(one["campaign"])) for one in rows] + [row(60, imported=1)]
    status, out, _ = desk.report(rows, "incidents")
    assert status == 0
    heads = [line for line in out.splitlines() if not line.startswith(" ")]
    # the early ones too
    assert heads[0].startswith("Provider One, campaign in 203.0.113.0/24: 13 sources, 117 failures")
    assert heads[1].startswith("Provider Two, single sources: 2 sources")
    assert heads[2] == "15 offenders, 14 to report" and len(heads) == 3
    assert "tell abuse@one.example (your map)" in out and "not reported: known only from elsewhere" in out
    print("\nincidents: 15 offenders in 2 groups")


@pytest.mark.parametrize("change, why", [
    ({"address": "203.0.114.1"}, "not in source"), ({"port": 0}, "port must be"), ({"port": True}, "port must be"),
    ({"transport": "udp\n"}, "transport must be"), ({"first": "2027-01-01T00:00:00Z"}, "not in order"),
    ({"last": "yesterday"}, "not a time"), ({"network": "198.51.100.0/24"}, "network is not around"),
    ({"incident": "../../x"}, "16 hex digits"), ({"failures": -1}, "failures must be"), ({"samples": 7}, "as agreed"),
    ({"source": "203.0.113.0/24/24"}, "as agreed"), ({"methods": [1]}, "as agreed"), ({"proof": "sure"}, "proof must"),
    ({"first": "2026-01-31T11:55:00+00:00"}, "not a time"), ({"last": "2030-01-01T00:00:00Z"}, "in the future"),
    ({"samples": [{"time": "x"}]}, "as agreed"), ({"source": "203.0.113.1%eth0"}, "not an IP address")])
def test_a_row_that_is_not_as_agreed_is_left_out_and_named(desk, change, why):
    status, out, errors = desk.report([row(1, **change), row(2)])
    assert status == 0 and "1 report written" in out and addresses(desk) == ["203.0.113.2"]
    assert why in errors and "row 1 is not as agreed" in errors and errors.count("\n") == 1
    missing = row(1)
    del missing[next(iter(change))]
    assert "is missing" in desk.report([missing], "incidents")[2]


@pytest.mark.parametrize("old, new, why", [
    ("org = Example Telecom", "org = ", "[reporter] org must be"),
    ("contact = abuse@reporter.example", "contact = nobody", "[reporter] contact must be a mail address"),
    ("contact = abuse@reporter.example", "contact = a@b.example\n   x", "[reporter] contact must be a mail address"),
    ("domain = reporter.example", "domain = -", "[reporter] domain must be"),
    ("[providers]", "[provider]", "no section [provider]"), ("map =", "maps =", "[providers] has no maps"),
    ("abuse@nobody.example", "gopher://x", "[contacts] nobody knows ltd must be"),
    ("[contacts]", "[targets]\n10.0.0.1 = here\n[contacts]", "[targets] 10.0.0.1"),
    ("[contacts]", "[contacts", "report.conf"), ("map = providers.map", "map = nowhere.map", "cannot read the map")])
def test_wrong_settings_are_one_sentence(desk, old, new, why):
    assert old in CONFIG
    desk.write("report.conf", CONFIG.replace(old, new))
    status, _, errors = desk.report([row(1)])
    assert status == 1 and why in errors and errors.count("\n") == 1 and not desk.written()


def test_the_example_is_a_good_configuration(desk):
    done = desk.run("authban-report", "--example")
    assert done.returncode == 0
    found = config.read(desk.write("example.conf", done.stdout))
    assert found.reporter.domain == "example.org" and found.sender == found.reporter and found.contacts


def test_without_a_configuration_it_says_how_to_make_one(desk):
    done = desk.run("authban-report", "--config", desk.path("none.conf"), "--from", "-", stdin="[]")
    assert done.returncode == 1 and "--example" in done.stderr


def test_where_sources_are_as_wide_as_networks(desk):
    """ipv4_prefix=24: there is no network around, and a report still names one address."""
    wide = row(1, source="203.0.113.0/24", network="")
    assert "1 report written" in desk.report([wide])[1] and addresses(desk) == ["203.0.113.1"]


def test_help_is_a_manual(desk):
    for script in ("authban-report", "authban-lists"):
        done = desk.run(script, "--help")
        assert done.returncode == 0 and "exit status" in done.stdout and "examples:" in done.stdout
        assert desk.run(script, "--version").stdout.startswith(script)
        assert desk.run(script, "--nonsense").returncode == 2
