# SPDX-License-Identifier: GPL-2.0-or-later
"""Whose address it is and who is told, in the order: map, [contacts], AWS's ranges, look-ups when asked for."""
import ipaddress
import json
import shutil
import socket
import struct

import pytest

from lib.mmdb import write_asn_database
from lib.offenders import elsewhere, row
from authban_lib import Problem, addresses, asn, contacts, providers


def book(desk, **more):
    return providers.Book(providers.read_map(desk.path("providers.map")),
                          providers.read_aws(desk.path("ip-ranges.json")), **more)


def at(text):
    return ipaddress.ip_address(text)


@pytest.mark.parametrize("address, name, contact, aws", [
    ("203.0.113.7", "Provider One", "abuse@one.example", False),
    ("198.51.100.7", "Provider Two", "https://two.example/abuse#form", False),
    ("198.51.100.200", "Nobody Knows Ltd", "abuse@nobody.example", False),
    ("2001:db8:1:9::1", "Provider Six", "abuse@six.example", False),
    ("192.0.2.7", "Amazon Web Services", providers.AWS_FORM, True),
    ("2001:db8:aaaa:1::", "Amazon Web Services", providers.AWS_FORM, True),
    ("198.18.1.1", "unknown", None, False)])
def test_the_files_tell(desk, address, name, contact, aws):
    found = book(desk, contacts={"nobody knows ltd": "abuse@nobody.example"}).find(at(address))
    assert (found.name, found.contact, found.aws) == (name, contact, aws)


def test_the_longest_prefix_counts(desk):
    desk.write("providers.map", "203.0.113.0/24 a@wide.example Wide\n203.0.113.8/29 - Narrow\n203.0.113.9 - One\n"
                                "2001:db8::/32 - Wide six\n2001:db8:7::/48 - Narrow six\n")
    found = {text: book(desk).find(at(text)).name for text in
             ("203.0.113.7", "203.0.113.8", "203.0.113.9", "203.0.113.16", "2001:db8:7::1", "2001:db8:8::1")}
    assert list(found.values()) == ["Wide", "Narrow", "One", "Wide", "Narrow six", "Wide six"]


def test_a_big_map_agrees_with_a_slow_search():
    nets = [ipaddress.ip_network((0xcb007100 >> (32 - bits) << (32 - bits), bits)) for bits in range(8, 33)]
    prefixes = addresses.Prefixes()
    for net in nets:
        prefixes.add(net, net.prefixlen)
    for number in range(256):
        for base in ("203.0.113.0", "203.0.112.0", "203.1.0.0", "202.0.0.0"):
            addr = ipaddress.ip_address(base) + number
            assert prefixes.find(addr) == max((net.prefixlen for net in nets if addr in net), default=None)


@pytest.mark.parametrize("line, why", [
    ("203.0.113.0/24 abuse@one.example", "CIDR CONTACT NAME"), ("203.0.113.7/24 - x", "bits behind"),
    ("all - x", "not an IP address"), ("203.0.113.0/24 abuse x", "no mail address"),
    ("203.0.113.0/24 javascript:alert(1) x", "no mail address"), ("203.0.113.0/33 - x", "out of range"),
    ("203.0.113.0/24 a@b.example\u202e x", "no mail address")])
def test_a_wrong_map_is_told_with_its_line(desk, line, why):
    desk.write("providers.map", "# first\n" + line + "\n")
    with pytest.raises(Problem, match="line 2") as told:
        providers.read_map(desk.path("providers.map"))
    assert why in str(told.value)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"prefixes": [1], "ipv6_prefixes": []}',
                                  '{"prefixes": [{"ip_prefix": "x"}], "ipv6_prefixes": []}', "[" * 100000])
def test_wrong_ranges_of_aws_are_told(desk, text):
    desk.write("ip-ranges.json", text)
    with pytest.raises(Problem, match="is not AWS's ip-ranges.json"):
        providers.read_aws(desk.path("ip-ranges.json"))


# --- the ASN database ---

ASNS = {"203.0.113.0/24": (64500, "EXAMPLE-ONE"), "2001:db8::/32": (64501, "Example Six AS"),
        "198.51.100.0/25": (64502, "")}


@pytest.fixture(params=["python3-maxminddb", "mmdblookup"])
def database(request, desk, monkeypatch):
    path = desk.path("asn.mmdb")
    write_asn_database(path, ASNS)
    if request.param == "mmdblookup":
        monkeypatch.setattr(asn, "maxminddb", None)
    if asn.maxminddb is None and not shutil.which("mmdblookup"):
        pytest.skip("neither python3-maxminddb nor mmdblookup is installed")
    return asn.open_database(path, warn=pytest.fail)


def test_the_asn_database_names_providers(desk, database):
    one = providers.Book(asn=database, contacts={"as64500": "abuse@as.example", "example six as": "six@as.example"})
    assert one.find(at("203.0.113.9")) == ("EXAMPLE-ONE", "abuse@as.example", "[contacts]", False, 64500)
    assert one.find(at("2001:db8::5")).contact == "six@as.example"
    assert one.find(at("198.51.100.3")).name == "AS64502"
    assert one.find(at("198.51.100.130"))[:2] == ("unknown", None)


def test_without_a_reader_or_a_file_it_is_one_sentence(desk, monkeypatch):
    told = []
    assert asn.open_database(desk.path("none.mmdb"), told.append) is None
    monkeypatch.setattr(asn, "maxminddb", None)
    monkeypatch.setenv("PATH", "/nowhere")
    assert asn.open_database(desk.write("asn.mmdb", "x"), told.append) is None
    assert "is not there" in told[0] and "mmdb-bin" in told[1] and len(told) == 2
    status, out, errors = desk.report([row(1)], "--asn", desk.path("asn.mmdb"))
    assert status == 0 and "1 report written" in out and "mmdb-bin" in errors


def test_a_broken_database_is_told(desk):
    if asn.maxminddb is None:
        pytest.skip("python3-maxminddb is not installed")
    with pytest.raises(Problem, match="is not an ASN database"):
        asn.open_database(desk.write("asn.mmdb", "no database"), pytest.fail)


# --- look-ups: never by themselves ---

RDAP = {"entities": [{"roles": ["registrant"], "vcardArray": ["vcard", [["email", {}, "text", "no@no.example"]]],
                      "entities": [{"roles": ["technical", "abuse"], "vcardArray": ["vcard", [
                          ["version", {}, "text", "4.0"], ["email", {}, "text", "abuse@deep.example"]]]}]}]}


class Net:
    """Stands for the network: what it was asked, and what it answers."""

    def __init__(self, rdap="{}", texts=()):
        self.rdap, self.texts, self.asked = rdap, texts, []

    def get_url(self, url):
        self.asked.append(url)
        if isinstance(self.rdap, Exception):
            raise self.rdap
        return self.rdap

    def get_txt(self, name):
        self.asked.append(name)
        return self.texts

    def fetcher(self, told=None):
        return contacts.Fetcher((told if told is not None else []).append, self.get_url, self.get_txt)


UNKNOWN = elsewhere("198.18.7.7")


def test_nothing_is_looked_up_by_itself(desk, monkeypatch):
    def no_network(*_, **__):
        raise AssertionError("the network was used")
    for name in ("create_connection", "getaddrinfo", "socket"):
        monkeypatch.setattr(socket, name, no_network)
    net = Net(json.dumps(RDAP))
    status, out, _ = desk.report([UNKNOWN, row(1)], fetcher=net.fetcher())
    assert status == 0 and net.asked == [] and "no contact is known" in out
    with pytest.raises(AssertionError):
        contacts.fetch_url("http://127.0.0.1:9/")


def test_look_up_asks_only_for_what_no_file_knows(desk):
    net = Net(json.dumps(RDAP))
    rows = [UNKNOWN, elsewhere("198.18.7.8"), row(1), row(2, imported=1)]
    assert desk.report(rows, "--look-up", fetcher=net.fetcher())[0] == 0
    assert net.asked == ["https://rdap.org/ip/198.18.7.7"] or net.asked == ["https://rdap.org/ip/198.18.7.8"]
    assert sum(b"To: abuse@deep.example" in data for data in desk.written(".eml").values()) == 2


def test_dns_is_asked_when_rdap_knows_nobody():
    net = Net(texts=["not a mailbox", "abuse@dns.example"])
    assert net.fetcher().contact(at("198.18.7.7")) == ("abuse@dns.example", "abuse-contacts.abusix.zone")
    assert net.asked[1] == "7.7.18.198.abuse-contacts.abusix.zone"


@pytest.mark.parametrize("answer", [
    OSError("unreachable"), "", "[]", "{", '{"entities": 3}', '{"entities": [{"roles": 5}]}',
    json.dumps({"entities": [{"roles": ["abuse"], "vcardArray": ["vcard", [
        ["email", {}, "text", "x@y.example\r\nBcc: all@y.example"], ["email", {}, "text", 7], "email"]]}]})])
def test_a_hostile_answer_gives_no_mailbox(answer):
    told = []
    mailbox, how = Net(answer).fetcher(told).contact(at("198.18.7.7"))
    assert mailbox is None and "whois" in how


def dns_answer(number, texts, question="x.example"):
    data = struct.pack(">HHHHHH", number, 0x8180, 1, len(texts), 0, 0) + contacts.txt_query(question, number)[12:]
    for text in texts:
        strings = b"".join(bytes([len(part)]) + part for part in (text[i:i + 255] for i in range(0, len(text), 255)))
        data += b"\xc0\x0c" + struct.pack(">HHIH", 16, 1, 60, len(strings)) + strings
    return data


def test_dns_answers_are_read_strictly():
    assert contacts.txt_answer(dns_answer(7, [b"abuse@dns.example", b"x" * 300]), 7) == ["abuse@dns.example", "x" * 300]
    with pytest.raises(ValueError):
        contacts.txt_answer(dns_answer(8, [b"x"]), 7)
    good = dns_answer(7, [b"abuse@dns.example"])
    for cut in range(len(good)):
        try:
            assert contacts.txt_answer(good[:cut], 7) != ["abuse@dns.example"]
        except ValueError:
            pass
