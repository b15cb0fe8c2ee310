# SPDX-License-Identifier: GPL-2.0-or-later
"""Addresses that packets were forged from are nowhere: no report, no list, not in Redis, not in our memory.

The packets are those of T9 (tests/sip/test_t9_forged_sources.py), made as raw UDP by the attacker, each in
another one's name. In the same places the attacker's own address is found: he has failed with it.
"""
import contextlib
import json
import os

import pytest

from lib.fleet import cluster_key, wait_banned
from lib.lan import Lan
from lib.memory import shared_memory
from lib.offenders import Desk
from lib.rawudp import Forger
from lib.redis import Redis
from lib.remains import forms, in_redis
from lib.wait import wait_for

THRESHOLD, PACKETS, RATE = 5, 3000, 3000
VICTIMS = ["10.78.3.%d" % (1 + n) for n in range(200)]


class Scene:
    """Two proxies on one Redis, after the flood and the attacker's own ban."""

    def __init__(self, stack, folder):
        lan = stack.enter_context(Lan())
        # they are there: answers to nobody would fill the proxy's socket
        lan.net.add_addresses("phone", [address + "/16" for address in VICTIMS])
        self.redis = stack.enter_context(Redis())
        self.snapshot = os.path.join(folder, "snapshot")
        settings = {"redis": self.redis.unix_url, "key_file": cluster_key(self.redis), "extra":
                    'modparam("authban", "snapshot", "%s")\nmodparam("authban", "snapshot_interval", 1)\n'}
        self.nodes = [lan.proxy(AB_THRESHOLD=THRESHOLD, settings=dict(
            settings, node="proxy-%d" % number, extra=settings["extra"] % (self.snapshot + str(number))))
            for number in (1, 2)]
        for node in self.nodes:
            wait_for(lambda node=node: node.rpc("authban.status")["redis"] == "connected", 5, "Redis")
        with lan.guesser(self.nodes[0]) as guesser, Forger(lan.net["attacker"]) as forger:
            self.attacker = guesser.link.local[0]
            self._flood(guesser, forger)
            for number in range(THRESHOLD):
                guesser.link.send(guesser.build([guesser.answer_header(guesser.challenge(), "own-%d" % number)]))
            wait_banned(self.nodes, self.attacker, 3)
        key = "{authban:0}:evidence"
        wait_for(lambda: self.redis.command("EXISTS", key), 8, "the evidence is told")
        wait_for(lambda: forms(self.attacker)["mapped"] in self.saved(), 5, "the snapshot has the ban")

    def _flood(self, guesser, forger):
        """Wrong passwords with a token and nonce of the attacker's own, with made-up ones, with none."""
        own = guesser.challenge()
        made_up = dict(own, nonce="A" * len(own["nonce"]), opaque="A" * len(own["opaque"]))
        packets = [guesser.build([guesser.answer_header(challenge, "forged-%d" % n)]) for n in range(PACKETS // 3)
                   for challenge in (own, made_up, dict(own, opaque=None))]
        before = self.nodes[0].authban()["unproven"]
        sent = forger.send(lambda n: (VICTIMS[n % len(VICTIMS)], 5060), self.nodes[0].target, packets, rate=RATE)
        wait_for(lambda: self.nodes[0].authban()["unproven"] - before >= 0.9 * sent, 5, "the forged packets arrive")
        print("\nforged: %d packets in the name of %d addresses, unproven %d" % (
            sent, len(VICTIMS), self.nodes[0].authban()["unproven"] - before))

    def saved(self):
        """Both snapshots."""
        data = b""
        for number in "12":
            with contextlib.suppress(FileNotFoundError), open(self.snapshot + number, "rb") as text:
                data += text.read()
        return data


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        yield Scene(stack, str(tmp_path_factory.mktemp("forged")))


def found(data, addresses):
    """How many of the addresses are in it, in any form: mapped, as our records have them, or as text."""
    prefixes = {forms(address)["mapped"][:-1] for address in addresses} | {b".".join(
        address.encode().split(b".")[:3]) + b"." for address in addresses}
    if not any(prefix in data for prefix in prefixes):
        return []
    return [address for address in addresses
            if any(forms(address)[form] in data for form in ("mapped", "text"))]


@pytest.mark.parametrize("number", [0, 1])
def test_not_in_what_a_proxy_answers(scene, number):
    node = scene.nodes[number]
    answers = json.dumps([node.rpc("authban." + command, 1000) for command in
                          ("evidence", "list", "top", "networks", "users")]).encode()
    assert found(answers, VICTIMS) == [] and found(answers, [scene.attacker])
    assert found(node.log().encode(), VICTIMS) == [] and found(node.log().encode(), [scene.attacker])


def test_not_in_redis_nor_in_the_snapshots(scene):
    for name, data in (("Redis", in_redis(scene.redis)), ("snapshots", scene.saved())):
        print("\nforged: %s, %d bytes: %d of %d addresses, the attacker's own: %d" % (
            name, len(data), len(found(data, VICTIMS)), len(VICTIMS), len(found(data, [scene.attacker]))))
        assert found(data, VICTIMS) == [] and found(data, [scene.attacker])


@pytest.mark.parametrize("number", [0, 1])
def test_not_in_our_shared_memory(scene, number):
    """As our records have them. (Kamailio's own may keep text of messages for a while.)"""
    pid = next(iter(scene.nodes[number].pids()))
    data = b"".join(shared_memory(pid))
    wanted = {forms(address)["mapped"][:-1] for address in VICTIMS}
    assert not [prefix for prefix in wanted if prefix in data]
    assert forms(scene.attacker)["mapped"] in data


def test_not_in_a_report_nor_in_a_list(scene, tmp_path):
    """The attacker's own is of no public network, so for the report he is given one."""
    desk = Desk(tmp_path)
    rows = [dict(row, source="203.0.113.77", address="203.0.113.77", network="203.0.113.0/24")
            if row["source"] == scene.attacker else row for row in scene.nodes[0].rpc("authban.evidence", 1000)]
    from authban_lib import timestamp
    status, out, errors = desk.report(rows, at=timestamp.now())
    assert status == 0 and "1 report written" in out, errors
    files = "".join(name + data.decode() for name, data in desk.written().items()).encode()
    assert found(files, VICTIMS) == [] and found(files, ["203.0.113.77"])
    for form in ("plain", "nft", "crowdsec", "stix"):
        done = desk.run("authban-lists", "export", "--format", form, "--all", "--rpc", scene.nodes[0].rpc_socket)
        assert found(done.stdout.encode(), VICTIMS) == [] and found(done.stdout.encode(), [scene.attacker]), form
