# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/doctor reads what real configurations are made of: substdef, ifdef, ifexp, KEMI; sentinels and clusters."""
import os
import re
import subprocess

import pytest

from lib import ROOT, acl
from lib.fleet import cluster_key
from lib.topologies import MASTER, Cluster, Sentinels
from authban_ops import cfgwords, kamconfig, look_config, servers  # in scripts/
from test_doctor import bad, made, of, offline, run

LUA = os.path.join(ROOT, "etc", "kamailio-authban.lua")
KEMI = os.path.join(ROOT, "etc", "kamailio-authban-kemi.cfg")


def config(tmp_path, text, defines=()):
    path = tmp_path / "kamailio.cfg"
    path.write_text(text)
    return kamconfig.Config(str(path), defines)


# --- the preprocessor ---

def test_substitutions(tmp_path):
    made_of = config(tmp_path, '#!substdef "!HOST!192.0.2.5!g"\n#!subst "/PORT/6380/"\n#!substdefs "/NODE/proxy-7/g"\n'
                     '#!define LIFE 7200\n'
                     'modparam("authban", "redis", "redis://HOST:PORT/0")\nmodparam("authban", "node", NODE)\n'
                     'modparam("auth", "nonce_expire", LIFE)\nmodparam("auth", "secret", "PORT and PORT")\n')
    assert made_of.param("authban", "redis") == "redis://192.0.2.5:6380/0" and made_of.param("authban", "node") == "proxy-7"
    assert made_of.number("auth", "nonce_expire", 1) == 7200
    assert made_of.param("auth", "secret") == "6380 and PORT", "without g the first one only"
    assert not made_of.unclear


@pytest.mark.parametrize("defines,mode,loads", [
    ({}, "ban", False), ({"DRY": ""}, "dry_run", False), ({"CAPTURE": "1"}, "ban", True),
    ({"DRY": "", "CAPTURE": "1", "LEVEL": "3"}, "off", True)])
def test_conditions(tmp_path, defines, mode, loads):
    made_of = config(tmp_path, '#!trydef LEVEL 1\n#!ifdef DRY\n#!ifexp LEVEL > 2\n#!define MODE "off"\n#!else\n'
                     '#!define MODE "dry_run"\n#!endif\n#!else\n#!define MODE "ban"\n#!endif\n'
                     '#!ifndef CAPTURE\n#!else\nloadmodule "sipcapture.so"\n#!endif\nmodparam("authban", "mode", MODE)\n',
                     defines)
    assert made_of.param("authban", "mode") == mode and made_of.loads("sipcapture") == loads and not made_of.unclear


@pytest.mark.parametrize("text,value", [
    ("A == 5", True), ("A > 5", False), ("A >= 5 && NAME == \"x\"", True), ("!(A == 5)", False), ("UNKNOWN == 1", False),
    ("NAME != 'y' || UNKNOWN", True), ("A + 1 == 6", True), ('NAME =~ "x"', None), ("A ==", None), ("", None),
    ("__import__('os')", None), ("A if A else A", None), ("9 ** 9", None)])
def test_expressions(text, value):
    assert cfgwords.condition(text, {"A": "5", "NAME": '"x"'}) is value


def test_what_is_not_understood_is_told(tmp_path):
    made_of = config(tmp_path, '#!ifexp NAME =~ "x"\nloadmodule "sipcapture.so"\n#!endif\n#!subst "nothing"\n')
    (one,) = look_config.look_at_unclear(made_of)
    assert made_of.loads("sipcapture") and one.level == "WARN" and "2 lines" in one.what and "ifexp NAME" in one.what


def test_statements_over_lines_and_texts_beside_each_other(tmp_path):
    made_of = config(tmp_path, '#!define PLACE "192.0.2.5"\nmodparam("authban", "redis",\n    "redis://" PLACE ":6379/0")\n'
                     'modparam("authban|auth", "secret",  # two modules\n  "x" /* y */ "z"\n)\nloadmodule "auth.so"\n')
    assert made_of.param("authban", "redis") == "redis://192.0.2.5:6379/0"
    assert made_of.param("auth", "secret") == "xz" and made_of.modules == ["auth.so"]


def test_a_real_configuration_with_all_of_it(tmp_path):
    """Kamailio's own reader and ours agree: -c accepts it, and the finding is the one that the values give."""
    text = '#!substdef "!LIFE!7200!g"\n#!ifdef WITH_LONG\nmodparam("auth", "nonce_expire",\n    LIFE)\n#!endif\n'
    assert not bad(offline(extra=text))
    wrong = bad(offline(extra="#!define WITH_LONG\n" + text))
    assert set(wrong) == {"nonces"} and "7200 s" in wrong["nonces"][1], wrong


def test_what_kamailio_defines_by_itself():
    """As the real one does: what -c would refuse stands where it is not read."""
    text = '#!ifdef KAMAILIO_%d\nmodparam("auth", "nonce_expire", 7200)\n#!else\nnonsense\n#!endif\n'
    major = int(re.search(r"kamailio (\d+)[.]", binary_version()).group(1))
    assert set(bad(offline(extra=text % major))) == {"nonces"}
    assert set(bad(offline(extra=text.replace("nonsense", "") % (major + 1)))) == set()


def binary_version():
    return subprocess.run(["kamailio", "-V"], capture_output=True, text=True, check=True).stdout


# --- KEMI ---

def kemi(tmp_path, change=lambda text: text, **settings):
    path = tmp_path / "routes.lua"
    with open(LUA, encoding="utf-8") as text:
        path.write_text(change(text.read()))
    return bad(offline(config=KEMI, defines={"LUA_SCRIPT": str(path)}, **settings))


def test_our_lua_is_well(tmp_path):
    assert not kemi(tmp_path)


@pytest.mark.parametrize("old,new,part", [
    ("KSR.authban.check()", "-1 * KSR.x.nothing()", "authban_check() is not called"),
    ("KSR.authban.result(rc)", "KSR.x.nothing(rc)", "nothing is counted"),
    ("KSR.authban.proven()", "KSR.x.nothing()", "authban_proven() is not called"),
    ("KSR.authban.challenge(realm,", "KSR.auth.auth_challenge(realm,", "without our token"),
    ("\tif KSR.authban.check() < 0 then\n\t\treturn 1\n\tend", "\t-- KSR.authban.check()", "authban_check() is not called")])
def test_a_script_that_lacks_something(tmp_path, old, new, part):
    def change(text):
        assert old in text
        return text.replace(old, new)
    wrong = kemi(tmp_path, change)
    assert set(wrong) == {"script"} and part in wrong["script"][1], wrong


def test_a_script_that_is_not_there(tmp_path):
    wrong = bad(offline(config=KEMI, defines={"LUA_SCRIPT": str(tmp_path / "none.lua")}))
    assert wrong["script"][0] == "FAIL" and "cannot read the script" in wrong["script"][1], wrong


def test_a_callback_that_is_not_there(tmp_path):
    wrong = kemi(tmp_path, extra='modparam("authban", "event_callback", "on_event")')
    assert set(wrong) == {"events"} and "no such function" in wrong["events"][1], wrong


def test_an_engine_for_single_functions_is_no_kemi(tmp_path):
    """A native script that calls some Lua is looked into itself."""
    assert not bad(offline(extra='loadmodule "app_lua.so"\n'))


# --- sentinels ---

def seen(server, url, **settings):
    with made(redis=url, key_file=cluster_key(server), **settings) as proxy:
        return run(*of(proxy, "--offline"))[1]


def test_sentinels():
    with Sentinels() as group:
        found = seen(group, group.url)
        assert not bad(found), bad(found)
        assert "3 name 127.0.0.1:%d as the master of %s" % (group.master.port, MASTER) in found["sentinels"][0][1]
        unknown = bad(seen(group, group.url.replace("/" + MASTER, "/another")))
        assert set(unknown) == {"redis"} and "knows no master another" in unknown["redis"][1], unknown
        alone = group.url.split(",", maxsplit=1)[0] + "/" + MASTER
        few = bad(seen(group, alone))
        assert set(few) == {"sentinels"} and few["sentinels"][0] == "WARN" and "only 1" in few["sentinels"][1], few
        wrong = bad(seen(group, group.url.replace(acl.LOGIN, "authban:of-the-tests")))
        assert set(wrong) == {"redis"} and "no sentinel answers" in wrong["redis"][1] and "WRONGPASS" in wrong["redis"][1]
        group.sentinels[0].close()
        lost = bad(seen(group, group.url))
        assert set(lost) == {"sentinels"} and lost["sentinels"][0] == "WARN" and "2 of 3" in lost["sentinels"][1], lost
        print("\ndoctor, sentinels: %s; %s" % (found["sentinels"][0][1], lost["sentinels"][1]))


def test_sentinels_without_a_password():
    """They want none, and the password is for the servers behind them."""
    with Sentinels() as group:
        for one in group.sentinels:
            one.command("ACL", "SETUSER", "default", "nopass")
        assert not bad(seen(group, group.url))


# --- clusters ---

def test_a_cluster():
    with Cluster() as cluster:
        found = seen(cluster, cluster.url)
        assert not bad(found), bad(found)
        assert found["cluster"][0][1] == "3 masters serve all slots"
        home = cluster.owner(0)
        assert found["redis"][0][1].startswith("127.0.0.1:%d answers" % home.port)
        assert servers.slot_of("authban") == cluster.slot_of(0)
        # rights are needed where the bans are, and elsewhere too; the node of the bans is looked at
        home.command("ACL", "SETUSER", acl.USER, "-xadd")
        lacking = bad(seen(cluster, cluster.url))
        home.command("ACL", "SETUSER", acl.USER, "+xadd")
        assert set(lacking) == {"rights"} and "XADD" in lacking["rights"][1], lacking
        lost = next(node for node in cluster.nodes if node is not home)
        lost.kill()
        partly = bad(seen(cluster, cluster.url))
        assert partly["cluster"][0] in ("WARN", "FAIL") and str(lost.port) in partly["cluster"][1], partly
        print("\ndoctor, cluster: %s; %s" % (found["cluster"][0][1], partly["cluster"][1]))


def test_a_cluster_with_slots_that_nobody_serves():
    with Cluster() as cluster:
        free = (cluster.slot_of(0) + 1) % 16384
        for one in cluster.nodes:
            one.command("CLUSTER", "DELSLOTS", free)
        wrong = bad(seen(cluster, cluster.url))
        assert wrong["cluster"][0] == "FAIL" and "1 of 16384 slots are served by nobody" in wrong["cluster"][1], wrong
