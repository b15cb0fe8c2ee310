# SPDX-License-Identifier: GPL-2.0-or-later
"""F23: one worker, 64 workers, many sockets, async workers, no fork at all: the same count everywhere."""
import concurrent.futures
import time

import pytest

from lib.fleet import THRESHOLD, banned
from lib.kamailio import Proxy
from lib.sip import Guesser, Phone
from lib.traffic import silent
import proxies

# Passwords are checked in another process than the one that received the request.
ASYNC = """
async_workers=%d
loadmodule "async.so"

route[LATER] {
	if (!authban_proven()) { authban_challenge("$fd", "1"); exit; }
	if (is_present_hf("Authorization")) { update_stat("auth_evaluated", "+1"); }
	auth_check("$fd", "subscriber", "1");
	if (!authban_result("$rc")) { authban_challenge("$fd", "1"); exit; }
	t_reply("200", "OK");
	exit;
}
"""


class NoFork(Proxy):
    """fork=no, as with kamailio -D."""

    def command(self, *arguments):
        return ["-D" if word == "-DD" else word for word in super().command(*arguments)]


class Async(Proxy):
    """REGISTER goes to the async workers before anything is looked at but the ban."""

    def _wrap(self, config, extra):
        path = super()._wrap(config, extra)
        with open(config, encoding="utf-8") as text:
            whole = text.read().replace(
                "\troute(REQINIT);\n",
                '\troute(REQINIT);\n\tif (is_method("REGISTER")) { async_task_route("LATER"); exit; }\n', 1)
        with open(path, "w", encoding="utf-8") as out:
            out.write(whole.replace("request_route {", extra + "request_route {", 1))
        return path


def many_sockets(count):
    """More listen lines, and their ports."""
    ports = set()
    while len(ports) < count:
        ports.add(proxies.free_port())
    ports = sorted(ports)
    return "".join("listen=udp:127.0.0.1:%d\n" % port for port in ports), ports


def guess(node, source, transport, port=None):
    """How many guesses of one source are answered, each with a challenge of its own, and by a phone beside it."""
    target = node.host, port or node.port
    with Guesser("alice", target, source=source, transport=transport, timeout=0.5) as guesser:
        answered = 0
        while answered < 3 * THRESHOLD and guesser.guess("wrong-%d" % answered):
            answered += 1
    return answered


def registers(node, source, transport, port=None):
    with Phone("bob", "bob-secret", (node.host, port or node.port), source=source, transport=transport) as phone:
        return [phone.register().status for _ in range(2)] == [200, 200]


def check(name, node, transports=("udp", "tcp"), ports=(None,), answers=THRESHOLD - 1):
    """Banned at the threshold on every transport; a ban holds on all sockets; honest phones are served."""
    begin, rows = time.monotonic(), []
    node.start(20)
    started = time.monotonic() - begin
    for number, transport in enumerate(transports):
        source = "127.23.1.%d" % (number + 1)
        evaluated = node.evaluated()
        answered = guess(node, source, transport, ports[number % len(ports)])
        rows.append("%s evaluated=%d" % (transport, node.evaluated() - evaluated))
        assert node.evaluated() - evaluated == THRESHOLD and answered == answers, (name, rows, answered)
        assert banned(node, source) and silent(node, source)
        assert registers(node, "127.23.2.%d" % (number + 1), transport, ports[-1])
    errors, processes = node.log_lines("ERROR|CRITICAL|BUG|ALERT"), len(node.pids())
    assert not errors, errors
    took = node.stop()
    return "F23 %s: processes=%d started=%.1fs %s stopped=%.2fs" % (name, processes, started, " ".join(rows), took)


def one(children, **more):
    return Proxy(children=children, memory=(256, 8), defines={"AB_THRESHOLD": THRESHOLD}, **more)


def sockets():
    lines, ports = many_sockets(40)
    return one(1, extra=lines), {"ports": ports, "transports": ("udp", "udp", "udp")}


def in_async(workers):
    """The guess that bans is answered too: tm ends what the script leaves unanswered with a 500."""
    return Async(defines={"AB_THRESHOLD": THRESHOLD}, extra=ASYNC % workers), {"answers": THRESHOLD}


CASES = {
    "1 worker": lambda: (one(1), {}),
    "64 workers": lambda: (one(64), {}),
    "41 sockets": sockets,
    "1 async worker": lambda: in_async(1),
    "8 async workers": lambda: in_async(8),
    "fork=no": lambda: (NoFork(defines={"AB_THRESHOLD": THRESHOLD}), {"transports": ("udp",)}),
}


@pytest.fixture(scope="module")
def outcomes():
    """All at once: {name: text or error}."""
    def run(name):
        node, words = CASES[name]()
        try:
            return check(name, node, **words)
        except Exception as error:  # for the test of this case
            return error
        finally:
            node.close()
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        return dict(zip(CASES, pool.map(run, CASES)))


@pytest.mark.parametrize("name", CASES)
def test_f23(outcomes, name):
    if isinstance(outcomes[name], Exception):
        raise outcomes[name]
    print("\n" + outcomes[name])
