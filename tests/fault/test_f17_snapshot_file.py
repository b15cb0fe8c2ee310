# SPDX-License-Identifier: GPL-2.0-or-later
"""F17: a snapshot that is torn, foreign, old or too large is ignored with one line, and nothing of it counts."""
import os
import time

import pytest

from lib import snapshot
from lib.fleet import banned
from lib.traffic import answers, silent

BANS = ["127.51.1.%d" % number for number in range(1, 51)]
FACTS = [(line, 5, 0x1234567890 + line) for line in range(100)]
FOREIGN_KEY = b"another cluster's key, 32 bytes and more"


def whole(age=0, shift=0, **more):
    return snapshot.make([snapshot.ban(source, age=age, shift=shift) for source in BANS], FACTS, age,
                         shift=shift, **more)


def flipped(position):
    data = bytearray(whole())
    data[position] ^= 4
    return bytes(data)


# name: (what makes the bytes, words of the one line)
BAD = {
    "empty": (lambda: b"", "ends too early"),
    "torn in the prologue": (lambda: whole()[:11], "ends too early"),
    "torn in the middle": (lambda: whole()[:2000], "ends too early"),
    "its last byte missing": (lambda: whole()[:-1], "ends too early"),
    "one byte more": (lambda: whole() + b"\0", "content that cannot be"),
    "a bit of the head": (lambda: flipped(30), "was changed"),
    "a bit of a ban": (lambda: flipped(-200), "was changed"),
    "a bit of the end": (lambda: flipped(-1), "was changed"),
    "zeros in the place of blocks": (lambda: whole()[:512] + b"\0" * 512 + whole()[1024:], "was changed"),
    "another program's": (lambda: b"REDIS0011\xfa\tredis-ver\0057.0.15" * 10, "no snapshot of authban"),
    "a newer version": (lambda: b"authban\n\x02" + whole()[9:], "newer authban"),
    "another cluster's": (lambda: whole(secret=FOREIGN_KEY), "a cluster key"),
    "too old": (lambda: whole(age=100), "more than snapshot_max_age"),
    "too large": (lambda: whole() + b"\0" * (1 << 21) + b"\0" * 64 * 4 * 205, "too large"),
}


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "authban.snapshot")


def starts_with(path, data, more=""):
    """A proxy that finds this file; a small table, so that little is too large."""
    snapshot.write(path, data)
    return snapshot.alone(path, more + '\nmodparam("authban", "size", 64)\n'
                          'modparam("authban", "snapshot_max_age", 60)')


def complaints(node):
    return [line.split("(): ", 1)[1] for line in node.log_lines("(WARNING|ERROR): authban ")]


@pytest.mark.parametrize("name", BAD)
def test_f17_a_bad_file_is_ignored(path, name):
    make, words = BAD[name]
    with starts_with(path, make()) as node:
        said = complaints(node)
        print("\nF17 %s: %s" % (name, said))
        assert len(said) == 1 and words in said[0] and path in said[0]
        assert not node.bans() and not node.log_lines("facts loaded")
        assert answers(node, BANS[0])
        snapshot.wait_written(path)  # a good one takes its place
        assert len(complaints(node)) == 1


def test_f17_control_a_good_file_of_a_second_hand(path):
    """The format is as documented, so the bad ones above are bad for their own reason."""
    with starts_with(path, whole(age=50)) as node:
        print("\nF17 a good file: %s" % node.log_lines("facts loaded")[0].split("(): ")[1])
        assert not complaints(node) and set(node.bans()) == set(BANS)
        assert silent(node, BANS[-1])
        assert all(540 <= row["ttl"] <= 551 for row in node.bans().values())
        assert node.log_lines(" 100 facts loaded")


@pytest.mark.parametrize("shift", [3600, -3600, 10 * 365 * 86400])
def test_f17_the_wall_clock_has_jumped(path, shift):
    """F20 over a restart: the time that is left is right all the same."""
    with starts_with(path, whole(age=50, shift=shift)) as node:
        ttls = [row["ttl"] for row in node.bans().values()]
        print("\nF17 the clock was ahead by %d s: bans=%d ttl=%d..%d of 550" % (shift, len(ttls), min(ttls), max(ttls)))
        assert len(ttls) == len(BANS) and 540 <= min(ttls) and max(ttls) <= 551
        assert not complaints(node) and silent(node, BANS[0]) and answers(node, "127.51.9.9")
        # and a new ban over the old version
        node.rpc("authban.unban", BANS[0])
        assert answers(node, BANS[0])


def test_f17_what_is_over_stays_over(path):
    ends = snapshot.make([snapshot.ban(source, seconds=20, age=50) for source in BANS], age=30)
    with starts_with(path, ends) as node:
        assert not node.bans() and node.log_lines(" 50 records are over")
        print("\nF17 bans that ended in the meantime: 50 of 50 stay over")


@pytest.mark.parametrize("what,words", [
    ("a folder", "is no file"), ("a pipe", "is no file"), ("a link", "cannot be read"),
    ("another user's", "another user"), ("writable by all", "other users")])
def test_f17_a_file_that_is_no_file_of_ours(path, what, words):
    node = starts_with(path, whole())
    if what == "another user's":
        if os.geteuid() != 0:
            pytest.skip("only root can give a file away")
        os.chown(path, 65534, 65534)
    elif what == "writable by all":
        os.chmod(path, 0o666)
    else:
        os.rename(path, path + ".real")
        {"a folder": os.mkdir, "a pipe": os.mkfifo,
         "a link": lambda name: os.symlink(name + ".real", name)}[what](path)
    begin = time.monotonic()
    with node:
        took = time.monotonic() - begin
        said = complaints(node)
        print("\nF17 %s: %s, started after %.2fs" % (what, said, took))
        assert len(said) == 1 and words in said[0]
        assert not banned(node, BANS[0])


def test_f17_only_its_owner_reads_it(path):
    with snapshot.alone(path) as node:
        snapshot.wait_written(path)
        assert os.stat(path).st_mode & 0o777 == 0o600
        node.stop()
        assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)]
    print("\nF17 mode of the file: 600")
