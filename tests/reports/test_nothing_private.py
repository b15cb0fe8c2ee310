# SPDX-License-Identifier: GPL-2.0-or-later
"""No report and no list has a user's name, a password, a nonce or a digest response, encoded or not."""
import base64
import json
import os
import re
import urllib.parse

import pytest

from lib.offenders import PRIVATE, ban, hostile, row, sample
from lib.offenders import USERS
from authban_lib import evidence


def decoded(data):
    """Everything that is in some bytes: as they are, and each run of base64 or quoted-printable in them decoded."""
    text = data.decode("utf-8", "replace")
    texts = [text, text.replace("=\n", "").replace("=\r\n", ""), urllib.parse.unquote(text)]
    for run in re.findall(r"[A-Za-z0-9+/\r\n]{16,}={0,2}", text) + re.findall(r"[A-Za-z0-9+/]{16,}={0,2}", text):
        run = "".join(run.split())
        try:
            inner = base64.b64decode(run[:len(run) // 4 * 4])
        except ValueError:
            continue
        if inner and inner != data:
            texts += decoded(inner) if len(inner) > 24 else [inner.decode("utf-8", "replace")]
    return texts


def leaks(files, words=PRIVATE):
    """{(file, word)} of words that are anywhere in files {name: bytes}, in any case."""
    return {(name, word) for name, data in files.items() for text in decoded(name.encode() + b"\n" + data)
            for word in words if word.lower() in text.lower()}


def everything(desk):
    """All files of a desk besides those that a test put there."""
    found = desk.written()
    if os.path.exists(desk.state):
        with open(desk.state, "rb") as text:
            found["state"] = text.read()
    return found


AWS_HOSTILE = hostile(5) | {"source": "192.0.2.66", "address": "192.0.2.66", "network": "192.0.2.0/24"}
AWS_SECOND = hostile(6) | {"source": "192.0.2.67", "address": "192.0.2.67", "network": "192.0.2.0/24"}


@pytest.mark.parametrize("words", [(), ("--test",), ("--dry",)], ids=["real", "test", "dry"])
def test_nothing_private_is_written_or_printed(desk, words):
    status, out, errors = desk.report([hostile(), AWS_HOSTILE, AWS_SECOND], *words)
    assert status == 0 and "not as agreed" not in errors
    files = {**everything(desk), "stdout": out.encode(), "stderr": errors.encode()}
    assert leaks(files) == set()
    assert words == ("--dry",) or {"json", "eml", "csv", "txt"} <= {name.rsplit(".", 1)[-1] for name in files}
    print("\nprivate words in %d files: 0 of %d looked for" % (len(files), len(PRIVATE)))


def test_nothing_private_is_in_incidents(desk):
    for words in (["incidents"], ["incidents", "--json"]):
        _, out, errors = desk.report([hostile(), AWS_HOSTILE], *words)
        assert leaks({"stdout": out.encode(), "stderr": errors.encode()}) == set()


@pytest.mark.parametrize("word", PRIVATE)
def test_control_the_search_finds_each_word_in_every_form(desk, word):
    """The same reports with the word put where it does not belong: in clear, in base64, in a mail."""
    desk.report([row(1)])
    name, data = next(iter(desk.written(".xarf.json").items()))
    report = json.loads(data)
    log = base64.b64decode(report["evidence"][0]["payload"]) + word.encode()
    report["evidence"][0]["payload"] = base64.b64encode(log).decode()
    assert leaks({name: json.dumps(report).encode()}) == {(name, word)}
    assert leaks({"mail": b"xarf:\r\n" + base64.encodebytes(json.dumps(report).encode())}) == {("mail", word)}
    assert leaks({"clear": word.upper().encode()}) == {("clear", word)}
    assert leaks({name: data}) == set()


def test_control_the_rows_do_carry_them():
    rows = json.dumps([hostile()], ensure_ascii=False).encode()
    assert {word for _, word in leaks({"rows": rows})} == set(PRIVATE)


def test_keyed_hashes_of_users_stay_here_too(desk):
    """A report numbers users: even a hash would let two receivers compare."""
    desk.report([row(1)])
    hashes = [sample(n)["user"] for n in range(8)]
    assert leaks(everything(desk), hashes) == set()
    assert "user-1" in "".join(t for data in desk.written(".xarf.json").values() for t in decoded(data))


def test_lists_have_no_users_and_no_words_of_the_operator(desk):
    rows = [ban("203.0.113.7"), ban("203.0.113.8", reason="alice " + PRIVATE[3]), ban("203.0.113.9", proof="operator")]
    saved = desk.write("bans.json", json.dumps(rows))
    secret = desk.write("secret", "k" * 40)
    formats = ("plain", "nft", "crowdsec", "stix")
    runs = [("export", "--from", saved, "--node", "proxy-a", "--format", form) for form in formats]
    runs += [(*run, "--all") for run in runs]
    runs.append(("sign", "--issuer", "we", "--secret", secret, "--from", saved, "--node", "proxy-a"))
    for words in runs:
        status, out, errors = desk.lists(*words)
        assert status == 0, errors
        assert leaks({"out": out.encode()}, [*PRIVATE, "proxy-a", '"users"']) == set()
        assert "203.0.113.7" in out


@pytest.mark.parametrize("text, cleaned", [
    ("friendly-scanner", "friendly-scanner"),
    ("Grandstream GXP2160 1.0.9.1", "Grandstream GXP2160 1.0.9.1"),
    ("x sip:alice@example.org y", "x [removed] y"),
    ("ALICE's phone", "[removed]'s phone"),
    ("nonce=abc pass=1", "[removed] [removed]"),
    ("6629fae49393a05397450978507c4ef1", "[removed]"),
    ("a\r\nb\x1b\x00\u202e\"\\<>", "a??b???????"),
    ("x " * 60, ("x " * 60)[:64].strip())])
def test_a_user_agent_is_cut_to_a_program_name(text, cleaned):
    assert evidence.clean_user_agent(text, USERS) == cleaned
