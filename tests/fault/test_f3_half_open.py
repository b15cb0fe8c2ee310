# SPDX-License-Identifier: GPL-2.0-or-later
"""F3: the connection to Redis is half open: packets vanish, and no end of it is told. Our own deadline notices."""
import time

import pytest

from lib import faults
from lib.far import Far
from lib.fleet import banned, status, wait_banned, wait_disconnected
from lib.traffic import RoundRobin

BANS = ["127.6.3.%d" % number for number in range(1, 21)]


@pytest.fixture(scope="module")
def far():
    with Far(2) as both:
        yield both


def noticed(nodes, begin):
    """Seconds until all of them say so."""
    for node in nodes:
        wait_disconnected(node)
    return time.monotonic() - begin


@pytest.mark.parametrize("way", ["nothing comes back", "nothing goes out", "nothing at all"])
def test_f3_half_open(far, way):
    nodes, hosts = far.nodes, {"nothing comes back": ["redis"], "nothing goes out": [1, 2],
                               "nothing at all": ["redis", 1, 2]}[way]
    turn = len(hosts)
    for source in BANS:
        nodes[0].rpc("authban.ban", source, 600)
    wait_banned(nodes, BANS[-1])
    notes = faults.Notes(nodes)
    with faults.Load(nodes) as load:
        far.cut(*hosts)
        seen = noticed(nodes, time.monotonic())
        mine = ["127.6.%d.%d" % (10 + turn, 1 + number) for number in range(2)]
        for node, source in zip(nodes, mine):
            faults.assert_local_ban(node, source)
        assert not banned(nodes[1], mine[0])
        far.heal(*hosts)
        took = faults.assert_converges(nodes, mine)
        faults.report("F3 " + way, load, took, faults.lost(nodes, BANS), notes, noticed_after="%.2fs" % seen,
                      error=repr(status(nodes[0])["redis_last_error"]))
    assert seen <= 2.0


def test_f3_a_batch_under_way_is_sent_again(far):
    """Cut in the midst of an attack: what Redis may or may not have got counts once."""
    nodes, source = far.nodes, "127.6.4.1"
    with RoundRobin(nodes, source) as attacker:
        attacker.send(2)
        far.cut(1, 2)
        nodes[0].rpc("authban.ban", "127.6.4.9", 600)  # alone in the batch that is lost
        attacker.send(2)
        for node in nodes:
            wait_disconnected(node)
        far.heal(1, 2)
        faults.wait_sent(nodes)
        took = faults.assert_converges(nodes, ["127.6.4.9"])
        time.sleep(0.2)
        before = [banned(node, source) for node in nodes]
        after = attacker.send(20)
    wait_banned(nodes, source)
    print("\nF3 under way: counted_before=4 evaluated_after=%d agree_after=%.2fs" % (after, took))
    assert before == [False, False] and 1 <= after <= 1 + 5
