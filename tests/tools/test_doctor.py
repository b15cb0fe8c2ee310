# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/doctor: a healthy proxy is all OK; each thing that is wrong is found by its own line, and nothing else is."""
import contextlib
import os
import re
import subprocess
import time

import pytest

from lib import ROOT, SCRIPTS, acl
from lib.fleet import cluster_key, wait_connected, wait_disconnected
from lib.kamailio import Proxy, module_path
from authban_ops import kamconfig, look_config, look_redis, look_running  # noqa: E402 (in scripts/)

LINE = re.compile(r"^(OK|WARN|FAIL) +([a-z_ ]+): ([ -~]+)$")
PASSWORDS = (acl.SECRET, "of-the-test", "the%20secret")


def run(*words):
    """(exit status, {subject: [(level, text)]}); each line is as promised."""
    done = subprocess.run([os.path.join(SCRIPTS, "doctor"), *map(str, words)], capture_output=True, text=True,
                          timeout=30, stdin=subprocess.DEVNULL, check=False)
    assert not done.stderr, done.stderr
    found = {}
    for line in done.stdout.splitlines():
        match = LINE.match(line)
        assert match, line
        assert (match.group(1) == "OK") != (" -> " in line), line
        found.setdefault(match.group(2), []).append((match.group(1), match.group(3)))
    assert not any(secret in done.stdout for secret in PASSWORDS), done.stdout
    levels = {level for rows in found.values() for level, _ in rows}
    assert done.returncode == (2 if "FAIL" in levels else 1 if "WARN" in levels else 0)
    return done.returncode, found


def of(proxy, *more):
    """The arguments that tell doctor how a proxy of the tests was started."""
    words = ["--config", proxy.config, "--socket", proxy.rpc_socket, "-m", 64]
    for name, value in proxy.defines.items():
        if value is True:
            words += ["-A", name]
        elif value not in (None, False):
            bare = isinstance(value, int) or name.startswith("LISTEN_")
            words += ["-A", "%s=%s" % (name, value) if bare else '%s="%s"' % (name, value)]
    return [*words, *more]


def bad(found):
    """{subject: (level, text)} of what is not OK."""
    return {subject: row for subject, rows in found.items() for row in rows if row[0] != "OK"}


def only(found, subject, level, part):
    """This is what is wrong, and nothing else."""
    wrong = bad(found)
    assert set(wrong) == {subject}, wrong
    assert wrong[subject][0] == level and part in wrong[subject][1], wrong


@contextlib.contextmanager
def made(**settings):
    """A proxy that is not started: its configuration only."""
    proxy = Proxy(**settings)
    try:
        yield proxy
    finally:
        proxy.close()


def offline(words=(), **settings):
    with made(**settings) as proxy:
        return run(*of(proxy, "--offline", *words))[1]


@pytest.fixture(scope="module")
def redis():
    with acl.redis_with_users() as server:
        yield server


def test_a_healthy_one_is_all_ok(redis):
    with Proxy(redis=acl.url_of(redis), key_file=cluster_key(redis)) as proxy:
        wait_connected(proxy)
        before = redis.command("DBSIZE")
        begin = time.monotonic()
        status, found = run(*of(proxy))
        took = time.monotonic() - begin
        print("\ndoctor: %d lines in %.2f s, all %s" % (sum(map(len, found.values())), took, set(
            level for rows in found.values() for level, _ in rows)))
        assert status == 0 and not bad(found)
        assert {"binary", "module", "config", "proof", "redis", "rights", "clock", "memory", "running", "table",
                "sync", "mode", "breaker", "early"} <= set(found)
        time.sleep(1.1)
        assert redis.command("DBSIZE") == before, redis.command("KEYS", "*")
        wait_connected(proxy)
        redis.kill()
        wait_disconnected(proxy)
        found = run(*of(proxy))[1]
        redis.start()
        assert {subject: row[0] for subject, row in bad(found).items()} == {"redis": "FAIL", "sync": "FAIL"}, bad(found)


def test_dry_run_and_a_stock_redis():
    from lib.redis import Redis
    with Redis(password="of-the-test") as server, Proxy(
            redis=server.url, key_file=cluster_key(server), defines={"AB_MODE": "dry_run"}) as proxy:
        wait_connected(proxy)
        status, found = run(*of(proxy))
        assert status == 1
        wrong = bad(found)
        assert set(wrong) == {"mode", "rights"} and "may do everything" in wrong["rights"][1], wrong


def test_a_small_table_that_is_full():
    with Proxy(extra='modparam("authban", "size", 64)') as proxy:
        for number in range(200):
            proxy.rpc("authban.ban", "127.31.1.%d" % (number + 1), 600)
        only(run(*of(proxy))[1], "table", "FAIL", "gave way")


def test_nobody_answers():
    with made() as proxy:
        only(run(*of(proxy))[1], "running", "FAIL", "no answer")


# --- binary and module ---

def patched(tmp_path, old, new):
    with open(module_path(), "rb") as file:
        data = file.read()
    assert old in data and len(old) == len(new)
    path = tmp_path / "authban.so"
    path.write_bytes(data.replace(old, new))
    return str(path)


def test_no_binary():
    found = offline(["--kamailio", "/nonexistent/kamailio"])
    only(found, "binary", "FAIL", "does not run")


def test_no_module(tmp_path):
    only(offline(["-L", tmp_path], defines={"AB_MODULE": "authban.so"}), "module", "FAIL", str(tmp_path))


def test_a_module_of_another_version(tmp_path):
    path = patched(tmp_path, _version(), b"\0kamailio 5.4.9 (")
    wrong = bad(offline(defines={"AB_MODULE": path}))
    assert set(wrong) == {"module", "config"} and "was built for kamailio 5.4.9" in wrong["module"][1], wrong


def _version():
    with open(module_path(), "rb") as file:
        return re.search(rb"\0kamailio \d\.\d\.\d \(", file.read()).group(0)


def test_a_module_with_other_flags(tmp_path):
    wrong = bad(offline(defines={"AB_MODULE": patched(tmp_path, b"USE_MCAST", b"USE_MCASX")}))
    assert set(wrong) == {"module", "config"} and "missing USE_MCAST; more USE_MCASX" in wrong["module"][1], wrong


def test_no_module_of_kamailio(tmp_path):
    path = tmp_path / "authban.so"
    path.write_bytes(b"nothing")
    assert "is no module" in bad(offline(defines={"AB_MODULE": str(path)}))["module"][1]


# --- the configuration ---

def test_no_configuration(tmp_path):
    found = run("--offline", "--config", tmp_path / "none.cfg", "--module", module_path())[1]
    only(found, "config", "FAIL", "cannot read")


def test_a_configuration_without_us(tmp_path):
    path = tmp_path / "kamailio.cfg"
    path.write_text('loadmodule "auth.so"\n#loadmodule "authban.so"\n/* loadmodule "authban.so" */\nrequest_route {}\n')
    only(run("--offline", "--config", path, "--module", module_path())[1], "config", "FAIL", "does not load authban")


def test_kamailio_refuses_it():
    only(offline(extra="route[X] { nonsense(1); }"), "config", "FAIL", "nonsense")


def extra(**auth):
    return "".join('modparam("auth", "%s", %s)\n' % pair for pair in auth.items())


@pytest.mark.parametrize("text,wanted", [
    ('modparam("authban", "proof", "nonce")\n' + extra(auth_checks_no_dlg=0), {"proof": "no bit 8 in auth_checks_no_dlg"}),
    ('modparam("authban", "proof", "nonce")\n' + extra(nonce_count=1), {"proof": "nonce_count is 1"}),
    ('modparam("authban", "proof", "none")', {"proof": "forged packet"}),
    (extra(secret='"short"'), {"nonces": "5 characters"}),
    (extra(nonce_expire=86400), {"nonces": "86400 s"}),
    ('modparam("authban", "early", 0)', {"early": "early is 0"}),
    ('loadmodule "sipcapture.so"\nmodparam("sipcapture", "capture_on", 0)', {"early": "sipcapture"}),
    ('modparam("authban", "size", 1048576)', {"memory": "MB"}),
    ('modparam("authban", "allow_file", "/nonexistent/allow")', {"allow_file": "cannot read"})])
def test_settings(text, wanted):
    wrong = bad(offline(extra=text))
    assert set(wrong) == set(wanted), wrong
    assert all(part in wrong[subject][1] for subject, part in wanted.items()), wrong


def test_proof_by_nonce_is_well_where_auth_checks_it():
    assert not bad(offline(extra='modparam("authban", "proof", "nonce")'))


def changed(tmp_path, *pairs):
    """etc/kamailio-authban.cfg with other words."""
    with open(os.path.join(ROOT, "etc", "kamailio-authban.cfg"), encoding="utf-8") as text:
        text = text.read()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "changed.cfg"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("old,new,part", [
    ("if (!authban_check()) { exit; }", "# if (!authban_check()) { exit; }", "authban_check() is not called"),
    ('authban_result("$rc")', '$rc > 0', "nothing is counted"),
    ("if (!authban_proven())", "if (!$T_branch_idx)", "authban_proven() is not called"),
    ('authban_challenge("$fd", CHALLENGE_FLAGS)', 'auth_challenge("$fd", CHALLENGE_FLAGS)', "without our token")])
def test_script(tmp_path, old, new, part):
    wrong = bad(offline(config=changed(tmp_path, (old, new))))
    wrong.pop("config", None)
    assert set(wrong) == {"script"} and part in wrong["script"][1], wrong


def test_loaded_too_early(tmp_path):
    path = changed(tmp_path, ("loadmodule AB_MODULE\n", ""), ('loadmodule "auth.so"', 'loadmodule AB_MODULE\nloadmodule "auth.so"'))
    wrong = bad(offline(config=path))
    wrong.pop("config", None)
    assert set(wrong) == {"load"} and "before auth" in wrong["load"][1], wrong


def test_includes_defines_and_kemi(tmp_path):
    (tmp_path / "other.cfg").write_text('modparam("auth", "nonce_expire", LIFE) # 300\n')
    path = tmp_path / "kamailio.cfg"
    path.write_text('#!define LIFE 7200\n#!trydef LIFE 60\n#!ifdef NEVER\nloadmodule "sipcapture.so"\n#!else\n'
                    'loadmodule "auth.so" // "x.so"\n#!endif\nloadmodule "app_lua.so"\nloadmodule "authban.so"\n'
                    'include_file "other.cfg"\nimport_file "missing.cfg"\nmodparam("auth|auth_db", "secret", "a#b\\"c//")\n')
    config = kamconfig.Config(str(path))
    assert config.modules == ["auth.so", "app_lua.so", "authban.so"]
    assert config.number("auth", "nonce_expire", 1) == 7200 and config.param("auth_db", "secret") == 'a#b\\"c//'
    # which script it is cannot be told
    assert [one.level for one in look_config.look_at_script(config)] == ["WARN"]


# --- Redis ---

def offline_redis(server, url, **settings):
    return offline(redis=url, key_file=cluster_key(server), **settings)


def test_redis_turns_us_away(redis):
    only(offline_redis(redis, acl.url_of(redis, "of-the-tests")), "redis", "FAIL", "WRONGPASS")


def test_redis_without_a_password(redis):
    only(offline_redis(redis, "redis://127.0.0.1:%d/0" % redis.port), "redis", "FAIL", "NOAUTH")


def test_redis_is_something_else(redis):
    with made() as proxy:
        only(offline_redis(redis, "redis+unix://" + proxy.folder + "/none"), "redis", "FAIL", "cannot reach")


@pytest.mark.parametrize("without", ["xadd", "hset", "hgetall", "expire", "set"])
def test_a_right_is_missing(redis, without):
    redis.command("ACL", "SETUSER", acl.USER, "-" + without)
    try:
        found = offline_redis(redis, acl.url_of(redis))
    finally:
        redis.command("ACL", "SETUSER", acl.USER, "+" + without)
    only(found, "rights", "FAIL", "may not %s with" % without.upper())


def test_another_prefix(redis):
    found = offline_redis(redis, acl.url_of(redis), extra='modparam("authban", "redis_prefix", "other")')
    only(found, "rights", "FAIL", "may not GET SET")


def test_a_replica(redis):
    redis.command("REPLICAOF", "127.0.0.1", "1")
    try:
        found = offline_redis(redis, acl.url_of(redis))
    finally:
        redis.command("REPLICAOF", "NO", "ONE")
    only(found, "redis", "FAIL", "is a slave")


def test_no_cluster_key_and_no_secret(redis, tmp_path):
    path = changed(tmp_path, ('modparam("auth", "secret", AUTH_SECRET)', ""))
    wrong = bad(offline(config=path, redis=acl.url_of(redis)))
    assert set(wrong) == {"nonces", "cluster key"}, wrong


def test_files_of_secrets(redis, tmp_path):
    short, open_to_all = tmp_path / "short", tmp_path / "open"
    short.write_text("x")
    open_to_all.write_text("the secret/of authban")
    open_to_all.chmod(0o644)
    wrong = bad(offline(redis="redis://authban@127.0.0.1:%d/0" % redis.port, key_file=str(short),
                        defines={"AB_REDIS_PASSWORD_FILE": str(open_to_all)}))
    wrong.pop("config", None)
    assert {name: row[0] for name, row in wrong.items()} == {"cluster_key_file": "FAIL", "redis_password_file": "WARN"}


# --- what cannot be had from a real one in a second ---

GOOD = {"mode": "ban", "capacity": 1000, "entries": 5, "early": 1, "breaker": "closed", "redis": "connected",
        "redis_lag_ms": 3, "redis_dropped": 0, "redis_last_error": ""}
SHM = {"total": 64 << 20, "free": 40 << 20}


@pytest.mark.parametrize("change,shm,subject,level", [
    ({}, {}, None, None),
    ({"breaker": "open", "breaker_sources": 12, "breaker_age": 3}, {}, "breaker", "FAIL"),
    ({"entries": 900}, {}, "table", "WARN"), ({"refused": 1}, {}, "table", "FAIL"),
    ({"lock_timeouts": 2}, {}, "table", "WARN"), ({"redis_lag_ms": 5000}, {}, "sync", "WARN"),
    ({"redis_dropped": 7}, {}, "sync", "WARN"), ({"redis_last_error": "x\x1b[2J\n"}, {}, "sync", "WARN"),
    ({"redis": "disconnected", "redis_last_error": "refused"}, {}, "sync", "FAIL"),
    ({"mode": "off"}, {}, "mode", "WARN"), ({}, {"free": 1 << 20}, "shm", "WARN"),
    ({"capacity": "many", "entries": None}, {}, None, None)])
def test_what_a_proxy_tells(change, shm, subject, level):
    found = list(look_running.look_at_running(dict(GOOD, **change), dict(SHM, **shm), None))
    wrong = [(one.subject, one.level) for one in found if one.level != "OK"]
    assert wrong == ([(subject, level)] if subject else [])
    assert all(" " <= letter <= "~" for one in found for letter in one.what)


@pytest.mark.parametrize("offset,level", [(0, "OK"), (5, "WARN"), (-5, "WARN"), (100, "FAIL")])
def test_clocks(offset, level):
    (one,) = look_redis._look_at_clock(lambda *_: [str(int(time.time() + offset)), "500000"])
    assert one.level == level and "from Redis" in one.what
