# SPDX-License-Identifier: GPL-2.0-or-later
"""policy_file: policies that change while running; a wrong line is named with its number, and the rest counts."""
import concurrent.futures
import os
import re

import pytest

from lib.calls import PolicyGuesser, calling_config
from lib.lan import address_of
from proxies import RpcFault

THRESHOLD = 5
RESULT = 'authban_result("$rc", "$au", "$hdr(X-Policy)")'
CONFIGURED = 'modparam("authban", "policy", "fixed: threshold=2")\n'


def write(path, *lines):
    path.write_text("".join(line + "\n" for line in lines))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("policies") / "policies"
    write(path, "# of the carriers", "", "carrier: threshold=9, ban_time=60   # ticket 12", "hotel: threshold=3")
    return path


@pytest.fixture(scope="module")
def proxy(lan, file):
    config = calling_config(file.parent, RESULT)
    extra = CONFIGURED + 'modparam("authban", "policy_file", "%s")\n' % file
    return lan.proxy(AB_THRESHOLD=THRESHOLD, settings={"config": config, "extra": extra})


def guesses(lan, proxy, policy, limit=15):
    """How many guesses of a new source are evaluated under a policy: the last of them gets no answer."""
    guesser = lan.keep(PolicyGuesser("alice", proxy.target, source=lan.attacker_address(),
                                     netns=lan.net["attacker"], timeout=1.0))
    guesser.policy = policy
    for number in range(1, limit + 1):
        if not guesser.guess("wrong-%d" % number):
            return number, address_of(guesser)
    return None, address_of(guesser)


def guesses_of(lan, proxy, *policies):
    """The same for several at once: {policy: guesses}; each waits for a silence of its own."""
    with concurrent.futures.ThreadPoolExecutor(len(policies)) as pool:
        return dict(zip(policies, (took for took, _ in pool.map(lambda name: guesses(lan, proxy, name), policies))))


def listed(proxy):
    return {row["policy"]: row for row in proxy.rpc("authban.policy_list")}


def test_the_file_is_read_at_the_start(lan, proxy):
    rows = listed(proxy)
    assert {name: row["from"] for name, row in rows.items()} == {
        "fixed": "policy", "carrier": "policy_file", "hotel": "policy_file"}
    assert (rows["carrier"]["threshold"], rows["carrier"]["ban_time"], rows["carrier"]["ban_time_max"]) == (9, 60, 86400)
    took = guesses_of(lan, proxy, "fixed", "carrier", "hotel", None)
    print("\npolicy file: %s" % took)
    assert took == {"fixed": 2, "carrier": 9, "hotel": 3, None: THRESHOLD}


def test_a_reload_changes_every_worker_and_forgets_nothing(lan, proxy, file):
    _, banned = guesses(lan, proxy, "hotel")
    pids = set(proxy.pids())
    write(file, "hotel: threshold=4", "new.one: threshold=7")
    assert proxy.rpc("authban.policy_reload") == {"policies": 2, "wrong_lines": 0}
    assert set(listed(proxy)) == {"fixed", "hotel", "new.one"}
    took = guesses_of(lan, proxy, "fixed", "carrier", "hotel", "new.one")
    print("\npolicy reload: %s" % took)
    assert took == {"fixed": 2, "carrier": THRESHOLD, "hotel": 4, "new.one": 7}
    assert proxy.rpc("authban.get", banned)["state"] == "banned" and set(proxy.pids()) == pids
    # by kamcmd the same, and a name that comes back
    write(file, "carrier: threshold=8", "hotel: threshold=4")
    status, text = proxy.kamcmd("authban.policy_reload")
    assert status == 0 and "policies: 2" in text
    assert guesses_of(lan, proxy, "carrier", "new.one") == {"carrier": 8, "new.one": THRESHOLD}


WRONG = [
    ("hotel: threshold=0", "threshold 0 is out of range; allowed is 1 to 10000"),
    ("hotel: threshold=10001", "threshold 10001 is out of range"),
    ("hotel: treshold=5", '"treshold" cannot be set by a policy; allowed are threshold'),
    ("hotel: window=5", '"window" cannot be set by a policy'),
    ("hotel threshold=5", '"hotel" is not written as'),
    ("hotel: threshold=5 ban_time=9", '"ban_time" is not written as'),
    ("hotel: threshold=5,", "is not written as"),
    ("fixed: threshold=5", '"fixed" is no new name'),
    ("other: threshold=6", '"other" is no new name'),
    ("h/otel: threshold=5", '"h/otel" is not written as'),
    ("%s: threshold=5" % ("h" * 32), "is no new name of up to 31"),
    ("\x1b[31mhotel\x07: threshold=5", "is not written as"),
    (": threshold=5", "is not written as"),
    ("h" * 5000, "is not written as"),
]


@pytest.mark.parametrize("line,part", WRONG, ids=range(len(WRONG)))
def test_a_wrong_line_is_named_and_the_rest_counts(proxy, file, line, part):
    write(file, "hotel: threshold=4", "other: threshold=6")
    proxy.rpc("authban.policy_reload")
    before = listed(proxy)
    known = len(proxy.log())
    first = [] if line.startswith("hotel") else ["hotel: threshold=4"]
    write(file, "# a comment", "other: threshold=6", line, *first)
    answer = proxy.rpc("authban.policy_reload")
    said = [text.split("(): ", 1)[1] for text in proxy.log()[known:].splitlines() if "policy_file" in text]
    print("\nwrong line of policy_file: %s" % said)
    assert answer["wrong_lines"] == 1 and len(said) == 1
    assert "whose line 3 is wrong" in said[0] and part in said[0] and "the other lines count" in said[0]
    assert re.fullmatch(r"[ -~]{1,400}", said[0])
    assert listed(proxy) == before, "a policy whose line is wrong keeps what it had"


@pytest.mark.parametrize("kind,part", [("missing", "No such file"), ("folder", "Is a directory"), ("huge", "too large"),
                                       ("bytes", "is no text")])
def test_a_file_that_cannot_be_read_changes_nothing(proxy, file, kind, part):
    write(file, "hotel: threshold=4")
    proxy.rpc("authban.policy_reload")
    before = listed(proxy)
    file.unlink()
    if kind == "folder":
        file.mkdir()
    elif kind == "huge":
        file.write_text("# far too much\n" * 2000)
    elif kind == "bytes":
        file.write_bytes(b"hotel: threshold=7\n\0\n")
    try:
        with pytest.raises(RpcFault) as caught:
            proxy.rpc("authban.policy_reload")
    finally:
        if kind == "folder":
            os.rmdir(file)
        write(file, "hotel: threshold=4")
    assert caught.value.code == 500 and "nothing was changed" in caught.value.text
    assert part in proxy.log_lines("policy_file")[-1] and listed(proxy) == before


def test_an_eighth_name_is_one_too_many(lan, file, tmp_path):
    """Places are taken until the restart, so that a number in the table never means another policy."""
    path = tmp_path / "policies"
    write(path, *("p%d: threshold=%d" % (number, number + 2) for number in range(7)))
    one = lan.proxy(AB_THRESHOLD=THRESHOLD, settings={"extra": 'modparam("authban", "policy_file", "%s")\n' % path})
    write(path, "p9: threshold=5", "p3: threshold=50")
    assert one.rpc("authban.policy_reload") == {"policies": 1, "wrong_lines": 1}
    assert '"p9" is one policy too many; allowed are 7' in one.log_lines("policy_file")[-1]
    assert {row["policy"]: row["threshold"] for row in one.rpc("authban.policy_list")} == {"p3": 50}


def test_without_a_file_there_is_nothing_to_read(lan):
    one = lan.proxy()
    with pytest.raises(RpcFault, match="policy_file is not set") as caught:
        one.rpc("authban.policy_reload")
    assert caught.value.code == 409 and not one.rpc("authban.policy_list")
