# SPDX-License-Identifier: GPL-2.0-or-later
"""F22: others have taken all shared memory, or all of a worker's own: what is known guesses is counted and banned.

A challenge needs some of both, as every answer of Kamailio does; who has one already can guess.
"""
import time

from lib.attacks import new_password
from lib.fleet import THRESHOLD, banned, known
from lib.hog import Hog
from lib.sip import Guesser, Phone
from lib.traffic import RoundRobin, silent
from lib.wait import wait_for

# bytes given back; with less than the last Kamailio itself reads no request any more
LEVELS = [32000, 8000, 4000, 3000, 2500, 2000, 1500, 1000]


def hog():
    return Hog(memory=(32, 8), defines={"AB_THRESHOLD": THRESHOLD, "WITH_QOP": True})


def authban_lines(node):
    return node.log_lines("(ERROR|CRITICAL|BUG|ALERT|WARNING): authban")


def test_f22_shared_memory():
    with hog() as node:
        pids, sources = node.pids(), ["127.22.1.%d" % number for number in range(1, 21)]
        attackers = [RoundRobin([node], source) for source in sources]
        phone = Phone("bob", "bob-secret", node.target, source="127.22.2.1")
        late = Phone("carol", "carol-secret", node.target, source="127.22.2.2", timeout=0.5)
        try:
            assert phone.register().status == 200
            ours = node.shm_of_authban()
            left = node.take_shm()
            evaluated = [attacker.send(2 * THRESHOLD, 2000) for attacker in attackers]
            held = sum(banned(node, source) for source in sources)
            assert all(silent(node, source) for source in sources[:3])
            node.rpc("authban.ban", "127.22.3.1", 600)
            node.rpc("authban.unban", sources[0])
            statuses = phone.register().status, late.register().status
            grown, failures = node.shm_of_authban() - ours, node.authban()["failures"]
            assert banned(node, "127.22.3.1") and not banned(node, sources[0])
        finally:
            for one in attackers + [phone, late]:
                (one.stack if isinstance(one, RoundRobin) else one).close()
        lines = authban_lines(node)
        print("\nF22 shared memory: left=%d bytes; evaluated=%s banned=%d/%d; authban's own grew by %d bytes; a known"
              " phone got %d, a new one %d; lines of authban=%d" % (left, sorted(set(evaluated)), held, len(sources),
                                                                   grown, *statuses, len(lines)))
        assert left < 1000 and statuses[1] != 200, "the hog has it all"
        assert set(evaluated) == {THRESHOLD} and held == len(sources) and grown == 0
        assert failures == THRESHOLD * len(sources)
        assert node.pids() == pids
        assert len(lines) <= 2, lines


class Level:
    """An attacker and a phone with challenges from before; then the worker has next to no memory."""

    def __init__(self, node, number, back):
        self.node, self.back, self.source = node, back, "127.22.4.%d" % (number + 1)
        self.guesser = Guesser("alice", node.target, source=self.source, timeout=0.3)
        self.phone = Phone("bob", "bob-secret", node.target, source="127.22.5.%d" % (number + 1), timeout=0.2)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.guesser.close()
        self.phone.close()

    def guesses(self, challenge):
        """Twice as many as ban; how many were turned away."""
        for _ in range(2 * THRESHOLD):
            self.guesser.link.send(self.guesser.build([self.guesser.answer_header(challenge, new_password())]))
            time.sleep(0.005)
        refused, first = 0, self.guesser.cseq - 2 * THRESHOLD
        for number in range(2 * THRESHOLD):
            got = self.guesser.link.receive(time.monotonic() + 0.02, self.guesser.call_id, first + 1 + number)
            refused += bool(got) and got.status == 401
        return refused

    def play(self):
        """(refused, counted) while there is no memory, whether the phone was served, refused later."""
        challenge = self.guesser.challenge()
        assert self.phone.register().status == 200
        self.node.take_pkg(self.back)
        refused = self.guesses(challenge)
        served = self.phone.register().status == 200
        row = known(self.node, self.source)
        counted = row["failures"] if row else 0
        self.node.free_pkg()
        wait_for(lambda: self.node.pkg_free() > 1_000_000, 2, "there is memory again")
        later = 0 if banned(self.node, self.source) else self.guesses(self.guesser.challenge())
        assert banned(self.node, self.source) and self.phone.register().status == 200
        return refused, counted, served, later


def test_f22_private_memory():
    with hog() as node:
        pids, failures, rows = node.pids(), 0, []
        for number, back in enumerate(LEVELS):
            with Level(node, number, back) as level:
                refused, counted, served, later = level.play()
            rows.append("%d:%d/%d%s" % (back, refused, counted, "" if served else "-"))
            assert refused <= counted <= THRESHOLD, (back, refused, counted)
            assert refused + later <= THRESHOLD - 1 and counted + later >= THRESHOLD - 1
            failures += THRESHOLD
            assert node.authban()["failures"] == failures, "nothing of the phone is counted"
        lines = authban_lines(node)
        print("\nF22 private memory, bytes given back:guesses refused/counted (-: the phone got no answer): %s;"
              " crashes=0 lines of authban=%d %s" % (" ".join(rows), len(lines), lines[-1:]))
        assert node.pids() == pids
