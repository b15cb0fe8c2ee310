# SPDX-License-Identifier: GPL-2.0-or-later
"""The cluster key is changed one proxy after the other, without a moment in which neighbours do not understand each
other: first the new one second, then the two change places, then the old one goes."""
import itertools

import pytest

from lib.fleet import banned, fleet, known, status, wait_banned, wait_connected
from lib.kamailio import Proxy
from lib.sip import Guesser
from lib.traffic import RoundRobin
from lib.wait import holds_for, wait_for

OLD, NEW = "the-old-key-of-the-cluster-0123456789abcdef", "the-new-key-of-the-cluster-0123456789abcdef"
STEPS = [(OLD,), (OLD, NEW), (NEW, OLD), (NEW,)]


def understands(reader, writer):
    return STEPS[writer][0] in STEPS[reader]


@pytest.fixture(scope="module")
def steps(tmp_path_factory):
    """A proxy at each step, all on one Redis."""
    folder = tmp_path_factory.mktemp("keys")
    with fleet(0) as (redis, _):
        nodes = []
        try:
            for number, keys in enumerate(STEPS):
                path = folder / str(number)
                path.write_text("\n".join(keys) + "\n")
                path.chmod(0o600)
                nodes.append(Proxy(node="node-%d" % number, redis=redis.url, defines={"AB_THRESHOLD": 5},
                                   key_file=str(path)))
                nodes[-1].start()
                wait_connected(nodes[-1])
            yield nodes
            for node in nodes:
                node.end()
        finally:
            for node in nodes:
                node.close()


def test_bans_reach_the_steps_before_and_after(steps):
    for writer, node in enumerate(steps):
        node.rpc("authban.ban", "127.16.1.%d" % (1 + writer), 600)
    pairs = list(itertools.product(range(4), range(4)))
    for reader, writer in pairs:
        if understands(reader, writer):
            wait_banned([steps[reader]], "127.16.1.%d" % (1 + writer))
    apart = [(reader, writer) for reader, writer in pairs if not understands(reader, writer)]
    holds_for(lambda: not any(banned(steps[reader], "127.16.1.%d" % (1 + writer)) for reader, writer in apart), 0.3,
              "the first step and the last are strangers")
    refused = [status(node)["redis_refused"]["mac"] for node in steps]
    print("\nkey rotation: steps=4 understood=%d of %d, refused mac=%s" % (16 - len(apart), 16, refused))
    assert all(understands(step, step + 1) and understands(step + 1, step) for step in range(3))
    assert apart == [(0, 2), (0, 3), (3, 0), (3, 1)] and refused[1] == refused[2] == 0 < refused[0]


def test_counts_are_one_sum(steps):
    for node in steps[:3]:
        with RoundRobin([node], "127.16.2.1") as attacker:
            attacker.send(1)
    with RoundRobin([steps[1]], "127.16.2.1") as attacker:
        attacker.send(1)
    wait_for(lambda: known(steps[1], "127.16.2.1")["failures"] == 4, 2, "the second step sums up all three")


def login(made, shown):
    """The answer to the right password with a challenge of another step."""
    with Guesser("alice", made.target, source="127.16.3.1") as guesser:
        challenge = guesser.challenge()
    with Guesser("alice", shown.target, source="127.16.3.1") as guesser:
        return guesser.answer(challenge, "alice-secret")


def test_tokens_of_the_other_key_prove_the_address(steps):
    answers = {(made, shown): login(steps[made], steps[shown]) for made in range(4) for shown in range(4)}
    print("\nkey rotation, tokens: %s" % answers)
    for (made, shown), answer in answers.items():
        assert answer == (200 if understands(shown, made) else 401), (made, shown)
