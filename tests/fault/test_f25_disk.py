# SPDX-License-Identifier: GPL-2.0-or-later
"""F25: the disk of the snapshot is full, read-only or not there: one line a minute, and nothing else."""
import contextlib
import os
import subprocess
import time

import pytest

from lib import faults, snapshot
from lib.fleet import banned
from lib.traffic import Honest
from lib.wait import wait_for

BANS = 1500  # their records are larger than the disk
LINE = "ERROR: authban.*snapshot .* cannot be written"
TROUBLES = 3.5  # seconds; three tries


def mount(*words):
    return subprocess.run(["mount", *words], capture_output=True, text=True, timeout=10, check=False)


@pytest.fixture
def disk(tmp_path):
    """A folder on a disk of 64 kB."""
    folder = str(tmp_path / "disk")
    os.mkdir(folder)
    done = mount("-t", "tmpfs", "-o", "size=64k", "tmpfs", folder)
    if done.returncode != 0:
        pytest.skip("no right to mount: " + done.stderr.strip())
    with contextlib.ExitStack() as stack:
        stack.callback(subprocess.run, ["umount", folder], timeout=10, check=False)
        yield folder


def ban_many(node):
    for number in range(BANS):
        node.rpc("authban.ban", "127.52.%d.%d" % (number // 250, number % 250 + 1), 600)


def assert_nothing_else(node, name):
    """Through three tries: one line, all answered, counting and blocking as ever."""
    begin = time.monotonic()
    _, without = faults.honest_requests([node])
    with Honest([node]) as honest:
        answered, during = honest.run(faults.REQUESTS, 100)
    faults.assert_served(name, answered, during, without)
    faults.assert_local_ban(node, "127.6.25.1")
    time.sleep(max(0.0, begin + TROUBLES - time.monotonic()))
    lines = node.log_lines(LINE)
    assert len(lines) == 1, lines
    assert not faults.other_lines(node, 0)[1:]
    print("%s: %s" % (name, lines[0].split("(): ", 1)[1]))


def assert_back(node, path):
    """A snapshot is written again, and says so once."""
    snapshot.wait_written(path)
    wait_for(lambda: len(node.log_lines("is written again")) == 1, 1, "a line")


def test_f25_full(disk):
    path = os.path.join(disk, "authban.snapshot")
    with snapshot.alone(path) as node:
        snapshot.wait_written(path)
        small = os.path.getsize(path)
        ban_many(node)
        wait_for(lambda: node.log_lines(LINE), 5, "the disk is full")
        assert_nothing_else(node, "F25 full")
        assert os.path.getsize(path) == small, "the old one is whole"
        wait_for(lambda: os.listdir(disk) == ["authban.snapshot"], 2, "nothing is left over", 0.001)
        assert mount("-o", "remount,size=1m", disk).returncode == 0
        assert_back(node, path)
        node.stop()
        node.start()
        assert banned(node, "127.52.5.250")
        print("F25 full: space again, bans=%d after a restart" % node.authban()["banned"])


def test_f25_full_at_the_stop(disk):
    """The exit is not held up, and the snapshot before stays."""
    path = os.path.join(disk, "authban.snapshot")
    with snapshot.alone(path, 'modparam("authban", "snapshot_interval", 3600)') as node:
        node.rpc("authban.ban", "127.52.99.1", 600)
        node.stop()
        node.start()
        ban_many(node)
        took = node.stop()
        node.start()
        assert banned(node, "127.52.99.1") and not banned(node, "127.52.1.1")
        print("\nF25 full at the stop: stopped_after=%.3fs" % took)
        assert took < 1


def test_f25_read_only(disk):
    path = os.path.join(disk, "authban.snapshot")
    with snapshot.alone(path) as node:
        node.rpc("authban.ban", "127.52.99.2", 600)
        snapshot.wait_written(path)
        wait_for(lambda: mount("-o", "remount,ro", disk).returncode == 0, 3, "read-only", 0.05)
        wait_for(lambda: node.log_lines(LINE), 5, "it cannot write")
        assert_nothing_else(node, "F25 read-only")
        node.kill()
        node.start()
        assert banned(node, "127.52.99.2"), "what was written before is read"
        assert mount("-o", "remount,rw", disk).returncode == 0


def test_f25_no_folder(tmp_path):
    """Until somebody makes it."""
    path = str(tmp_path / "later" / "authban.snapshot")
    with snapshot.alone(path) as node:
        wait_for(lambda: node.log_lines(LINE), 5, "there is no folder")
        assert_nothing_else(node, "F25 no folder")
        os.mkdir(os.path.dirname(path))
        assert_back(node, path)
