# SPDX-License-Identifier: GPL-2.0-or-later
"""Every example of README.md, docs/*.md and the module's manual is run: loaded, called or typed."""
import concurrent.futures
import json
import os
import re
import subprocess

import pytest

from lib import examples, frame
from lib.machine import Machine

# What cannot be run here, as it stands in the documents, and why. What is in them no more must go from here too.
NOT_RUN = {
    "make run": "starts proxies and a Redis for a trial and keeps them; CI's own `make test` has the same parts",
    "make test": "that is what runs this test",
    "make deb": "tests/package/test_deb.py does, and installs what comes of it",
    "git clone /srv/authban.git authban": "`make test-newuser` does, and the three after it",
    "cd authban": "the same",
    "apt-get install ./build/deb/kamailio-authban-modules_*.deb": "the same",
    "make KSRC=/usr/src/kamailio KAMAILIO=/usr/local/sbin/kamailio": "a kamailio that is not Debian's;"
        " scripts/compile-against builds with such trees",
    "journalctl -u kamailio -n 50": "the journal of a machine with systemd",
    "editor /etc/authban/report.conf": "an editor waits for a person",
    "ssh -L 8088:127.0.0.1:8088 proxy-a": "another machine",
    "curl -s https://feed.example/list.txt | authban-lists import --source example-feed":
        "a server outside; the import itself: tests/reports/test_feeds.py",
    "curl -s https://apiban.example/api/KEY/banned | authban-lists import --source apiban": "the same",
    'curl -s -H "X-Api-Key: KEY" http://127.0.0.1:8080/v1/decisions/stream?startup=true | authban-lists import'
    " --source crowdsec": "a CrowdSec that runs; the import itself: tests/reports/test_feeds.py",
    "cscli decisions import -i bans.json": "the same; the form itself: tests/reports/test_list_formats.py",
    "kamctl rpc authban.evidence 50 >first.json": "kamctl wants the FIFO of jsonrpcs; lib/fakerpc.py and --from are"
        " tested in tests/reports",
    "kamctl rpc authban.evidence 50 50 >second.json": "the same",
    "authban-report --from first.json --from second.json --dry": "what the two before it would have written",
    "authban-report --dry --redis redis://authban@192.0.2.10:6379/0  --redis-password-file"
    " /etc/kamailio/redis-password --cluster-key-file /etc/kamailio/cluster-key":
        "a Redis of another machine; tests/reports/test_cluster.py",
}
# a text that looks like a command belongs into a block of sh
COMMAND = re.compile(r"^\s*(\$ )?(kamcmd|kamctl|kamailio|authban-\w+|scripts/|make|curl|nft|openssl|head|chown|chmod|cp"
                     r"|promtool|apt|systemctl|redis-cli)\b", re.M)
# parameters of the manual that cannot be set together with the others, or need a server
ALONE = ("redis", "cluster_key", "backend", "result_map", "backend_timeout", "proof", "event_callback", "watch_",
         "redis_tls", "mode", "size", "auth_checks", "policy_file", "allow_file")


def of_kind(*kinds):
    return [example for example in examples.everything() if example.kind in kinds]


def ids(example):
    return example.place.replace("modules/authban/doc/authban_admin.xml", "manual")


def test_each_example_has_a_kind_that_is_tested():
    found = examples.everything()
    count = {kind: sum(example.kind == kind for example in found) for kind in sorted({e.kind for e in found})}
    print("\nexamples: %d in %d documents and the manual: %s" % (len(found), len(examples.documents()), count))
    assert set(count) <= {"cfg", "sh", "rpc", "nft", "json", "text", "lua", "policy_file", "allow_file"}
    # a listing of the manual that is new and of no known kind would be taken for a configuration, and loaded
    assert len(found) > 100


def test_no_command_hides_in_a_text():
    assert not [example.place for example in of_kind("text") if COMMAND.search(example.text)]


@pytest.mark.parametrize("bad", ["x\n\n```\nkamcmd x\n```\n", "x\n\n```bash\nls\n```\n", "x\n\n    kamcmd x\n"])
def test_control_a_block_of_no_kind_is_seen(monkeypatch, bad):
    monkeypatch.setattr(examples, "read", lambda path: bad)
    with pytest.raises(ValueError):
        examples.of_markdown("docs/new.md")


# --- configurations ---

def test_configurations_are_loaded(tmp_path):
    """All of them at once, by `kamailio -c`, two at a time."""
    frame.copy_includes(tmp_path)
    found = of_kind("cfg")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        said = list(pool.map(lambda pair: frame.check(pair[1].text, tmp_path, "example-%d.cfg" % pair[0]),
                             enumerate(found)))
    wrong = {example.place: lines for example, lines in zip(found, said) if lines}
    print("\nexamples cfg: loaded=%d wrong=%d" % (len(found), len(wrong)))
    assert not wrong, "\n".join("%s: %s" % pair for pair in wrong.items())


@pytest.mark.parametrize("text", ['modparam("authban", "treshold", 8)', "if (!authban_chek()) { exit; }",
                                  'modparam("authban", "threshold", 0)', "route[AUTH] { if (true) { exit; }",
                                  'if (!authban_result("$rc") { exit; }', "authban_challenge(\"$fd\");"])
def test_control_a_wrong_example_is_seen(tmp_path, text):
    assert frame.check(text + "\n", tmp_path)


def test_the_parameters_of_the_manual_start_together(tmp_path):
    """A real start, which checks more than -c does."""
    lines = [line for example in of_kind("cfg") if example.place.startswith(examples.MANUAL)
             for line in re.findall(r'^modparam\("authban", "\w+", .*\)$', example.text, re.M)]
    names = {re.match(r'modparam\("authban", "(\w+)"', line).group(1): line for line in lines}
    chosen = [line for name, line in names.items() if not name.startswith(ALONE)]
    with Machine(tmp_path, extra="\n".join(chosen).replace("/var/lib/kamailio", str(tmp_path))) as machine:
        print("\nexamples of parameters: started with %d of %d" % (len(chosen), len(names)))
        assert machine.proxy.rpc("authban.status")["threshold"] == 12
    assert len(chosen) >= 35


# --- commands ---

@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    with Machine(tmp_path_factory.mktemp("machine")) as made:
        made.prepare()
        yield made


def test_commands_are_run(machine):
    ran, wrong, left = [], [], set()
    for example in of_kind("sh"):
        machine.before(example.text)
        for line in examples.commands(example.text):
            for command in [line] if line in NOT_RUN else line.split(" && "):
                if command in NOT_RUN:
                    left.add(command)
                    if command.startswith("editor "):
                        machine.edit_report()
                    continue
                said = machine.run(command)
                ran.append(command)
                if said:
                    wrong.append("%s: %s: %s" % (example.place, command, said))
    print("\nexamples sh: run=%d left=%d wrong=%d" % (len(ran), len(left), len(wrong)))
    assert not wrong, "\n".join(wrong)
    assert left == set(NOT_RUN), "no longer in the documents: %s" % (set(NOT_RUN) - left)


def keys(lines):
    return {match.group(1) for match in (re.match(r"\s*(\w+):", line) for line in lines) if match}


def test_calls_of_the_manual_are_answered(machine):
    """And the fields that the manual shows are those that there are."""
    wrong, number = [], 0
    for example in of_kind("rpc"):
        for command, answer in examples.calls(example.text):
            machine.before(command)
            number += 1
            said = machine.run(command)
            lacking = keys(answer) - keys(machine.last.splitlines())
            if said or lacking:
                wrong.append("%s: %s: %s lacking: %s" % (example.place, command, said, sorted(lacking)))
    print("\nexamples rpc: called=%d wrong=%d" % (number, len(wrong)))
    assert not wrong, "\n".join(wrong)


def test_files_of_the_manual_are_read(machine):
    policies, allowed = of_kind("policy_file"), of_kind("allow_file")
    assert len(policies) == len(allowed) == 1
    machine.write("kamailio/authban-policies", policies[0].text)
    assert machine.proxy.rpc("authban.policy_reload") == {"policies": 2, "wrong_lines": 0}
    machine.write("kamailio/authban-allow", allowed[0].text)
    assert machine.proxy.rpc("authban.allow_reload") == {"entries": 3}


def test_lua_runs(tmp_path):
    found = of_kind("lua")
    (example,) = (one for one in found if one.place.startswith(examples.MANUAL))
    # those of docs/install.md are parts of a function; `make test-newuser` runs them
    parts = ["local function part_%d()\n%s\nend\n" % (number, one.text) for number, one in enumerate(found) if one != example]
    assert len(parts) == 2
    with Machine(tmp_path, lua=example.text + "".join(parts), extra='modparam("authban", "event_callback", "ksr_authban_event")') as machine:
        machine.proxy.rpc("authban.ban", "198.51.100.9", 60)
        machine.wait_log(r"authban:ban 198\.51\.100\.9")


# --- the rest ---

def test_json_is_json():
    for example in of_kind("json"):
        json.loads(example.text)


def test_nft_takes_its_rules(machine):
    for example in of_kind("nft"):
        done = subprocess.run(machine.inside("nft", "-c", "-f", "-"), input=example.text, capture_output=True, text=True,
                              timeout=20, check=False)
        assert done.returncode == 0, done.stderr


def test_links_lead_somewhere():
    """Files that the documents name, as links or as code."""
    lost = []
    for path in examples.documents():
        text = examples.read(path)
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            if not os.path.exists(os.path.join(frame.ROOT, os.path.dirname(path), target)):
                lost.append("%s: %s" % (path, target))
        for target in re.findall(r"`((?:etc|docs|scripts|tests|modules)/[\w./-]+\w)`", text):
            if not os.path.exists(os.path.join(frame.ROOT, target)) and not target.endswith("_"):
                lost.append("%s: %s" % (path, target))
    assert not lost, lost
