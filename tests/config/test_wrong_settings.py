# SPDX-License-Identifier: GPL-2.0-or-later
"""Wrong settings stop the start with one sentence: parameter, value, what is allowed. Right ones start."""
import os
import re

import pytest

from lib.kamailio import Proxy
from lib.radius import Radius
import proxies

SHORT, LONG = "a-short-secret", "a-long-secret-of-the-test-0123456789abcdef"
REMOTE = "192.0.2.9"  # never asked: the start ends before


def authban(name, value):
    """One modparam; numbers are bare, texts quoted."""
    return 'modparam("authban", "%s", %s)' % (name, value if isinstance(value, int) else '"%s"' % value)


def auth(name, value):
    return authban(name, value).replace('"authban"', '"auth"', 1)


NONCE = authban("proof", "nonce")
BITS = "\n".join(auth("auth_checks_" + name, 8) for name in ("register", "no_dlg", "in_dlg"))
LOCAL_REDIS = authban("redis", "redis://127.0.0.1:1/0")
CUSTOM = authban("backend", "custom")
REMOTE_REDIS = authban("redis", "redis://:%s@%s/0" % (SHORT, REMOTE))

def report(org="Example", contact="abuse@example.com", domain="example.com"):
    """Who reports."""
    return "\n".join(authban("report_" + name, value)
                     for name, value in (("org", org), ("contact", contact), ("domain", domain)))


# name: (configuration, [what the sentence must say], [secrets that must not be said])
WRONG = {
    "threshold 0": (authban("threshold", 0), ["threshold is 0", "1 to 10000"]),
    "threshold text": (authban("threshold", "many"), ["threshold", '"many"', "1 to 10000"]),
    "threshold too large": (authban("threshold", 10001), ["threshold is 10001", "1 to 10000"]),
    "threshold half a number": (authban("threshold", "5x"), ["threshold", '"5x"']),
    "size text": (authban("size", "abc"), ["size", '"abc"', "a number from"]),
    "size too small": (authban("size", 1), ["size is 1", "a number from"]),
    "size beyond memory": (authban("size", 16777216), ["size is 16777216", "shared memory", "-m"]),
    "mode unknown": (authban("mode", "bann"), ["mode", '"bann"', "ban, dry_run or off"]),
    "mode number": (authban("mode", 7), ["mode is 7", "ban, dry_run or off"]),
    "proof unknown": (authban("proof", "magic"), ["proof is magic", "token, nonce or none"]),
    "proof number": (authban("proof", 1), ["proof is 1", "token, nonce or none"]),
    "backend unknown": (authban("backend", "ldap"),
                        ["backend is ldap", "auth_db, radius, uid_auth_db, diameter or custom"]),
    "feed_size too large": (authban("feed_size", 1000001), ["feed_size is 1000001", "0 to 1000000"]),
    "feed_size beyond memory": (authban("feed_size", 1000000), ["feed_size is 1000000", "shared memory", "-m"]),
    "feed_action unknown": (authban("feed_action", "deny"), ["feed_action is deny", "strict or ban"]),
    "feed_action number": (authban("feed_action", 1), ["feed_action is 1", "strict or ban"]),
    "feed_action without lists": (authban("feed_action", "ban"),
                                  ["feed_action is ban", "feed_size is 0", "1 to 1000000"]),
    "backend number": (authban("backend", 1), ["backend is 1", "auth_db, radius, uid_auth_db, diameter or custom"]),
    "custom without a map": (CUSTOM, ["backend is custom", "no result_map"]),
    "map without custom": (authban("result_map", "-1=error"),
                           ['result_map is "-1=error"', "backend is auth_db", "custom only"]),
    "map with an unknown word": (CUSTOM + "\n" + authban("result_map", "-1=error, -2=wrong"),
                                 ['"wrong" at character 14 is not one of the words', "wrong_password, unknown_user"]),
    "map with a number twice": (CUSTOM + "\n" + authban("result_map", "-1=error,-1=stale"),
                                ['"-1" at character 10 is a number that is given twice']),
    "map with a number out of range": (CUSTOM + "\n" + authban("result_map", "-17=error"),
                                       ['"-17" at character 1 is no number from -16 to -1']),
    "map with a success": (CUSTOM + "\n" + authban("result_map", "1=success"), ['"1" at character 1 is no number']),
    "map with an end missing": (CUSTOM + "\n" + authban("result_map", "-1="), ['"" at character 4']),
    "map empty": (CUSTOM + "\n" + authban("result_map", ""), ["result_map", "1 to 1024"]),
    "map number": (authban("result_map", 5), ["result_map is a number 5", "a text"]),
    "uid_auth_db that hides a failed database": (
        'loadmodule "uid_auth_db.so"\nmodparam("uid_auth_db", "check_all_ha1", 1)\n' + authban("backend", "uid_auth_db"),
        ["backend is uid_auth_db", "check_all_ha1 is 1", "check_all_ha1 0"]),
    "backend_timeout negative": (authban("backend_timeout", -1), ["backend_timeout is -1", "0 to 600000"]),
    "backend_timeout text": (authban("backend_timeout", "2s"), ["backend_timeout", '"2s"']),
    "window 0": (authban("window", 0), ["window is 0", "1 to 86400"]),
    "ban_time above its maximum": (authban("ban_time", 600) + "\n" + authban("ban_time_max", 60),
                                   ["ban_time", "600", "60", "ban_time_max"]),
    "ban_time_max negative": (authban("ban_time_max", -1), ["ban_time_max", "-1", "1 to"]),
    "grace 0": (authban("grace", 0), ["grace is 0", "1 to 86400"]),
    "ipv6_prefix 47": (authban("ipv6_prefix", 47), ["ipv6_prefix is 47", "48 to 128"]),
    "ipv4_prefix 33": (authban("ipv4_prefix", 33), ["ipv4_prefix is 33", "16 to 32"]),
    "early 2": (authban("early", 2), ["early is 2", "0 to 1"]),
    "watch_replies 2": (authban("watch_replies", 2), ["watch_replies is 2", "0 to 1"]),
    "watch_replies text": (authban("watch_replies", "yes"), ["watch_replies", '"yes"', "0 to 1"]),
    "watch_403 -1": (authban("watch_403", -1), ["watch_403 is -1", "0 to 1"]),
    "watch_403 alone": (authban("watch_403", 1), ["watch_403 is 1", "watch_replies is 0", "watch_replies 1"]),
    "policy_file empty": (authban("policy_file", ""), ["policy_file is a text \"\"", "1 to 4096"]),
    "policy_file number": (authban("policy_file", 1), ["policy_file is a number 1", "a text"]),
    "policy_file missing": (authban("policy_file", "%(missing)s"),
                            ["policy_file", "/missing", "cannot be read (No such file", "allowed is a file of up to"]),
    "policy_file is a folder": (authban("policy_file", "%(folder)s"), ["policy_file", "Is a directory"]),
    "node empty": (authban("node", ""), ["node is a text \"\"", "1 to"]),
    "node too long": (authban("node", "n" * 200), ["node is a text \"nnn", "1 to"]),
    "node number": (authban("node", 5), ["node is a number 5", "a text"]),
    "redis_prefix with a colon": (authban("redis_prefix", "a:b"), ['redis_prefix is "a:b"', "letters, digits"]),
    "redis_prefix empty": (authban("redis_prefix", ""), ["redis_prefix is a text \"\"", "1 to"]),
    "challenge_limit negative": (authban("challenge_limit", -1), ["challenge_limit is -1", "0 to 100000"]),
    "challenge_limit too large": (authban("challenge_limit", 100001), ["challenge_limit is 100001", "0 to 100000"]),
    "challenge_limit text": (authban("challenge_limit", "50/s"), ["challenge_limit", '"50/s"', "a number from"]),
    "challenge_slip negative": (authban("challenge_slip", -1), ["challenge_slip is -1", "0 to 1000"]),
    "event_callback without KEMI": (authban("event_callback", "on_event"),
                                    ['event_callback is "on_event"', "no KEMI script", "cfgengine"]),
    "event_callback empty": (authban("event_callback", ""), ["event_callback is a text \"\"", "1 to 64"]),
    "event_callback number": (authban("event_callback", 1), ["event_callback is a number 1", "a text"]),
    "snapshot without a whole path": (authban("snapshot", "authban.snapshot"),
                                      ['snapshot is "authban.snapshot"', "from / on"]),
    "snapshot that is a folder's name": (authban("snapshot", "/var/lib/"), ['snapshot is "/var/lib/"', "of a file"]),
    "snapshot empty": (authban("snapshot", ""), ["snapshot is a text \"\"", "1 to"]),
    "snapshot number": (authban("snapshot", 1), ["snapshot is a number 1", "a text"]),
    "snapshot_interval 0": (authban("snapshot_interval", 0), ["snapshot_interval is 0", "1 to 3600"]),
    "snapshot_interval text": (authban("snapshot_interval", "10s"), ["snapshot_interval", '"10s"', "1 to 3600"]),
    "snapshot_interval too large": (authban("snapshot_interval", 3601), ["snapshot_interval is 3601", "1 to 3600"]),
    "snapshot_max_age 0": (authban("snapshot_max_age", 0), ["snapshot_max_age is 0", "1 to 2592000"]),
    "snapshot_max_age too large": (authban("snapshot_max_age", 2592001), ["snapshot_max_age is 2592001", "1 to"]),
    "evidence negative": (authban("evidence", -1), ["evidence is -1", "0 to 65536"]),
    "evidence text": (authban("evidence", "some"), ["evidence", '"some"', "0 to 65536"]),
    "evidence_ttl 0": (authban("evidence_ttl", 0), ["evidence_ttl is 0", "1 to 31622400"]),
    "privacy unknown": (authban("privacy", "maybe"), ["privacy is maybe", "off or on"]),
    "privacy number": (authban("privacy", 0), ["privacy is 0", "off or on"]),
    "privacy_rotate 0": (authban("privacy_rotate", 0), ["privacy_rotate is 0", "1 to 31622400"]),
    "report_org alone": (authban("report_org", "Example"),
                         ["report_org, report_contact and report_domain", "all or none"]),
    "report_contact without @": (report(contact="abuse"), ['report_contact is "abuse"', "a mail address"]),
    "report_domain with a blank": (report(domain="a b"), ['report_domain is "a b"', "a domain"]),
    "report_org with a line": (report(org="a\tb"), ["report_org", "printable ASCII"]),
    "unknown parameter": (authban("treshold", 5), ["treshold"]),

    "nonce without bit 8": (NONCE + "\n" + auth("auth_checks_in_dlg", 1),
                            ["proof is nonce", "bit 8", "auth_checks_in_dlg (1)"]),
    "token with reply_to_via": ("reply_to_via=yes", ["proof is token", "reply_to_via is 1", "proof=none"]),
    "nonce with reply_to_via": (NONCE + "\n" + BITS + "\nreply_to_via=yes", ["proof is nonce", "reply_to_via is 1"]),
    "nonce with nonce_count": (NONCE + "\n" + auth("nonce_count", 1), ["proof is nonce", "nonce_count 0"]),
    "nonce with a short auth secret in a cluster": (
        "\n".join((NONCE, auth("secret", SHORT), LOCAL_REDIS)),
        ["proof is nonce", "secret has 14 bytes", "32 bytes or more"], [SHORT]),

    "cluster_key short": (authban("cluster_key", SHORT), ["cluster_key", "14 characters", "32"], [SHORT]),
    "cluster_key number": (authban("cluster_key", 20301234), ["cluster_key", "a text"], ["20301234"]),
    "cluster_key empty": (authban("cluster_key", ""), ["cluster_key", "0 characters"]),
    "key and file": (authban("cluster_key", LONG) + "\n" + authban("cluster_key_file", "%(long)s"),
                     ["cluster_key and cluster_key_file", "one of them"], [LONG]),
    "key file short": (authban("cluster_key_file", "%(short)s"), ["cluster_key_file", "14 bytes", "32 bytes"], [SHORT]),
    "second key short": (authban("cluster_key_file", "%(second_short)s"),
                         ["cluster_key_file", "second secret of 14 bytes", "32 bytes"], [SHORT, LONG]),
    "first key short": (authban("cluster_key_file", "%(first_short)s"),
                        ["cluster_key_file", "14 bytes", "32 bytes"], [SHORT, LONG]),
    "three keys": (authban("cluster_key_file", "%(three)s"), ["cluster_key_file", "one or two lines"], [LONG]),
    "an empty line before the key": (authban("cluster_key_file", "%(blank)s"),
                                     ["cluster_key_file", "one or two lines"], [LONG]),
    "peer_changes": (authban("peer_changes", -1), ["peer_changes is -1", "0 to 1000000"]),
    "key file missing": (authban("cluster_key_file", "%(missing)s"),
                         ["cluster_key_file", "/missing", "cannot be read", "No such file"]),
    "key file is a folder": (authban("cluster_key_file", "%(folder)s"), ["cluster_key_file", "no secret"]),
    "key file empty": (authban("cluster_key_file", "%(empty)s"), ["cluster_key_file", "no secret"]),
    "password file missing": (LOCAL_REDIS + "\n" + authban("redis_password_file", "%(missing)s"),
                              ["redis_password_file", "/missing", "cannot be read"]),

    "remote redis without a password": (
        authban("redis", "redis://%s/0" % REMOTE) + "\n" + authban("cluster_key", LONG),
        ["redis", REMOTE, "without a password", "on this machine"], [LONG]),
    "remote redis without a cluster_key": (REMOTE_REDIS, ["redis", REMOTE, "no cluster_key"], [SHORT]),
    "redis of another scheme": (authban("redis", "http://user:%s@h/" % SHORT),
                                ["redis is not a URL", "redis://", "redis+unix://"], [SHORT]),
    "redis with two servers": (authban("redis", "redis://127.0.0.1:1,127.0.0.1:2"),
                               ["redis is not a URL", "only redis+sentinel:// and redis+cluster:// name several"]),
    "redis sentinels without a master": (authban("redis", "redis+sentinel://:%s@127.0.0.1:1" % SHORT),
                                         ["redis is not a URL", "name of the master is missing",
                                          "redis+sentinel://host[:port],.../master"], [SHORT]),
    "redis with nine sentinels": (authban("redis", "redis+sentinel://1,2,3,4,5,6,7,8,9/m"), ["more than 8 hosts"]),
    "redis cluster with a database": (authban("redis", "redis+cluster://:%s@127.0.0.1:1/2" % SHORT),
                                      ["no other database than 0", "redis+cluster://host[:port],..."], [SHORT]),
    "redis sentinel remote without password": (
        authban("redis", "redis+sentinel://127.0.0.1:1,%s:2/m" % REMOTE) + "\n" + authban("cluster_key", LONG),
        ["redis names the remote server " + REMOTE, "without a password"], [LONG]),
    "redis cluster remote without a key": (authban("redis", "redis+cluster://:%s@127.0.0.1,%s" % (SHORT, REMOTE)),
                                           ["redis names the remote server " + REMOTE, "no cluster_key"], [SHORT]),
    "redis_shards 0": (authban("redis_shards", 0), ["redis_shards is 0", "1 to 64"]),
    "redis_shards too large": (authban("redis_shards", 65), ["redis_shards is 65", "1 to 64"]),
    "redis with TLS": (authban("redis", "rediss://:%s@%s/0" % (SHORT, REMOTE)) + "\n" + authban("cluster_key", LONG),
                       ["redis begins with rediss", "TLS", "hiredis 1.0"], [SHORT, LONG]),
    "TLS files without TLS": (LOCAL_REDIS + "\n" + authban("redis_tls_ca", "%(long)s"),
                              ["redis_tls_ca", "redis does not begin with rediss"]),
    "TLS certificate without TLS": (LOCAL_REDIS + "\n" + authban("redis_tls_cert", "%(long)s"),
                                    ["redis_tls_cert", "redis does not begin with rediss"]),
    "TLS key without TLS": (LOCAL_REDIS + "\n" + authban("redis_tls_key", "%(long)s"),
                            ["redis_tls_key", "redis does not begin with rediss"]),
    "sync_interval 0": (authban("sync_interval", 0), ["sync_interval is 0", "1 to 1000"]),
    "sync_interval 1001": (authban("sync_interval", 1001), ["sync_interval is 1001", "1 to 1000"]),
    "allow_local unknown": (authban("allow_local", "maybe"), ["allow_local is maybe", "auto, yes or no"]),
    "redis with a wrong port": (authban("redis", "redis://:%s@127.0.0.1:99999/0" % SHORT),
                                ["redis is not a URL", "port", "65535"], [SHORT]),
    "redis without a host": (authban("redis", "redis://:%s@/0" % SHORT), ["redis is not a URL", "no host"], [SHORT]),
    "redis number": (authban("redis", 6379), ["redis is a number", "a text"]),
}

RIGHT = {
    "nothing": "",
    "threshold 1": authban("threshold", 1),
    "threshold as text": authban("threshold", "10000"),
    "every mode by word": "\n".join(authban("mode", word) for word in ("off", "dry_run", "ban")),
    "mode by number": authban("mode", 1),
    "shortest times": "\n".join(authban(n, 1) for n in ("window", "ban_time", "ban_time_max", "grace")),
    "memory 0": authban("memory", 0),
    "replies where the Via says, only streams count": authban("proof", "none") + "\nreply_to_via=yes",
    "longest times": authban("ban_time", 604800) + "\n" + authban("ban_time_max", 2592000),
    "small table": authban("size", 16384),
    "odd size": authban("size", 20000),
    "every back end": "\n".join(authban("backend", word) for word in ("uid_auth_db", "diameter", "custom", "radius")),
    "a map": CUSTOM + "\n" + authban("result_map", " -16=password_or_timeout , -1 = ignore,-2=stale"),
    "backend_timeout": authban("backend_timeout", 600000),
    "prefixes": authban("ipv4_prefix", 24) + "\n" + authban("ipv6_prefix", 48),
    "early off": authban("early", 0),
    "watch_replies": authban("watch_replies", 1) + "\n" + authban("watch_403", "1"),
    "node": authban("node", "proxy-1.example.org"),
    "largest challenge_limit": authban("challenge_limit", 100000) + "\n" + authban("challenge_slip", 1000),
    "snapshot": "\n".join((authban("snapshot", "%(missing)s"), authban("snapshot_interval", 3600),
                           authban("snapshot_max_age", 2592000))),
    "event routes": "event_route[authban:ban] { return; }\nevent_route[authban:campaign] { return; }",
    "cluster_key": authban("cluster_key", LONG),
    "key file": authban("cluster_key_file", "%(long)s"),
    "key file with two keys": authban("cluster_key_file", "%(two)s"),
    "key file with two keys from Windows": authban("cluster_key_file", "%(crlf)s"),
    "peer_changes": authban("peer_changes", 0),
    "proof none": authban("proof", "none"),
    "proof nonce": NONCE + "\n" + BITS,
    "proof nonce in a cluster": "\n".join((NONCE, BITS, LOCAL_REDIS, auth("secret", LONG))),
    "local redis that is down": LOCAL_REDIS + "\n" + authban("redis_start_timeout", 0),
    "local redis with IPv6": authban("redis", "redis://[::1]:1/0") + "\n" + authban("redis_start_timeout", 0),
    "redis by sentinels": "\n".join([authban("redis", "redis+sentinel://127.0.0.1:1,[::1]:2/m/1"),
                                     authban("redis_start_timeout", 0)]),
    "redis cluster": "\n".join([authban("redis", "redis+cluster://127.0.0.1:1,127.0.0.1:2"),
                                authban("redis_shards", 64), authban("redis_start_timeout", 0)]),
    "redis by socket": authban("redis", "redis+unix:///nowhere.sock") + "\n" + authban("redis_start_timeout", 0),
    "password file": "\n".join((LOCAL_REDIS, authban("redis_password_file", "%(short)s"),
                                authban("redis_start_timeout", 0))),
}


@pytest.fixture
def files(tmp_path):
    """Paths that stand in the tables as %(name)s."""
    texts = {"short": SHORT + "\n", "long": LONG + "\n", "empty": "", "two": LONG + "\nx" + LONG + "\n",
             "crlf": LONG + "\r\nx" + LONG + "\r\n", "second_short": LONG + "\n" + SHORT, "first_short": SHORT + "\n" + LONG,
             "three": "\n".join([LONG] * 3), "blank": "\n" + LONG}
    for name, text in texts.items():
        (tmp_path / name).write_bytes(text.encode())
    (tmp_path / "folder").mkdir()
    return {name: str(tmp_path / name) for name in [*texts, "missing", "folder"]}


@pytest.fixture
def with_settings(files):
    """with_settings(text): a proxy that has them after our configuration's own; not started."""
    made = []

    def make(text):
        made.append(Proxy(extra=text % files))
        return made[-1]

    try:
        yield make
        for one in made:
            one.end()
    finally:
        for one in made:
            one.close()


def sentences(log):
    """What authban says at the level ERROR, without Kamailio's own prefix of place and function."""
    return [line.split("(): ", 1)[1] for line in log.splitlines()
            if re.search(r"ERROR: authban \[", line) and "(): " in line]


def about_settings(log):
    """The same without those about a Redis that is down: that is no reason not to start."""
    return [text for text in sentences(log) if not text.startswith("Redis at ")]


def complaint(log, about):
    """The one line that the operator is to read."""
    if about == "unknown parameter":
        found = [line for line in log.splitlines() if "treshold" in line and "not found" in line]
    else:
        found = sentences(log)
    assert len(found) == 1, "not one sentence but %d:\n%s" % (len(found), log[-2000:])
    return found[0]


@pytest.mark.parametrize("name", WRONG)
def test_wrong(with_settings, name):
    text, words, *secrets = WRONG[name]
    proxy = with_settings(text)
    log = proxy.refuses_to_start()
    said = complaint(log, name)
    print("\nwrong %s: %s" % (name, said))
    for word in words:
        assert word in said
    for secret in sum(secrets, []):
        assert secret not in log


@pytest.mark.parametrize("name", RIGHT)
def test_right(with_settings, name):
    proxy = with_settings(RIGHT[name])
    proxy.start(timeout=15)
    status = proxy.rpc("authban.status")
    print("\nright %s: mode=%s capacity=%d" % (name, status["mode"], status["capacity"]))
    assert not about_settings(proxy.log())
    for secret in (SHORT, LONG):
        assert secret not in proxy.log()
        assert secret not in str(status)


OTHER = """
loadmodule "auth_radius.so"
modparam("auth_radius", "radius_config", "%s")
"""


def without_auth_db(proxy):
    """Its configuration with the line that loads auth_db taken out."""
    path = os.path.join(proxy.folder, "local.cfg")
    with open(proxies.CONFIG, encoding="utf-8") as text:
        lines = [line for line in text if '"auth_db"' not in line and "auth_db.so" not in line
                 and "auth_check(" not in line]
    with open(path, encoding="utf-8") as text:
        rest = [line for line in text if "include_file" not in line and "#!KAMAILIO" not in line]
    with open(path, "w", encoding="utf-8") as out:
        out.writelines(lines + rest)


@pytest.mark.parametrize("given", [None, "radius", "auth_db"])
def test_a_back_end_that_nobody_named(with_settings, tmp_path, given):
    """Only auth_radius is loaded: a dead RADIUS would count as wrong passwords by the numbers of auth_db."""
    with Radius({}) as server:
        text = OTHER % server.write_config(str(tmp_path))
    proxy = with_settings(text + (authban("backend", given) if given else ""))
    without_auth_db(proxy)
    if given:
        proxy.start(timeout=15)
        print("\nauth_radius alone, backend %s: starts" % given)
        assert not about_settings(proxy.log())
        assert "parameter backend" not in proxy.log()
        return
    said = complaint(proxy.refuses_to_start(), "backend")
    print("\nauth_radius alone: %s" % said)
    for word in ("backend is not set", "auth_radius is loaded", "backend radius"):
        assert word in said


def test_check_config_says_the_same(with_settings):
    """`kamailio -c` finds a wrong value of one parameter without a start."""
    status, output = with_settings(WRONG["threshold 0"][0]).check_config()
    assert status != 0
    assert "threshold is 0" in complaint(output, "threshold 0")
    status, output = with_settings("").check_config()
    assert status == 0 and not sentences(output)
    print("\nkamailio -c: wrong refused, right accepted")
