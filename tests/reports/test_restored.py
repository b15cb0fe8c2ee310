# SPDX-License-Identifier: GPL-2.0-or-later
"""A ban that a proxy has from its snapshot is there after a restart, and is not reported again."""
from lib import snapshot
from lib.kamailio import Proxy
from lib.offenders import Desk
from lib.sip import Guesser
from lib.wait import wait_for

THRESHOLD, SOURCE = 3, "127.48.0.1"


def offenders(desk, node):
    done = desk.run("authban-report", "incidents", "--config", desk.path("report.conf"), "--state", desk.state,
                    "--rpc", node.rpc_socket)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_restored_ban_is_not_reported(tmp_path):
    desk, extra = Desk(tmp_path), snapshot.settings(str(tmp_path / "snapshot"))
    with Proxy(defines={"AB_THRESHOLD": THRESHOLD}, extra=extra, node="node-1") as node:
        with Guesser("alice", node.target, source=SOURCE, timeout=2) as guesser:
            for number in range(THRESHOLD):
                guesser.link.send(guesser.build([guesser.answer_header(guesser.challenge(), "wrong-%d" % number)]))
            wait_for(lambda: SOURCE in node.bans(), 3, "the ban")
        assert SOURCE in offenders(desk, node) and "1 offender," in offenders(desk, node), "control"
        node.stop()
        node.start()
        assert SOURCE in node.bans(), "the ban was restored"
        told = offenders(desk, node)
    print("\nrestored: 1 ban, reports: %s" % told.strip())
    assert told == "0 offenders, 0 to report\n"
