# SPDX-License-Identifier: GPL-2.0-or-later
"""Findings about kamailio.cfg: auth's settings and what they mean for proof, who is asked, files, memory."""
import os
import re
import stat

from . import clean
from .finding import fail, ok, warn

SECRET_MIN = 32
CHECKS = ("auth_checks_register", "auth_checks_no_dlg", "auth_checks_in_dlg")


def look_at_config(config):
    yield from look_at_unclear(config)
    yield from look_at_loading(config)
    yield from look_at_proof(config)
    yield from look_at_nonces(config)
    yield from look_at_script(config)
    yield from look_at_early(config)
    yield from look_at_files(config)


def look_at_unclear(config):
    if config.unclear:
        yield warn("preprocessor", "%d lines are not understood here, so what follows may be wrong: %s" % (
            len(config.unclear), clean(config.unclear[0], 80)), "look at it yourself; a condition was taken for true")


def look_at_loading(config):
    names = [os.path.basename(name).removesuffix(".so") for name in config.modules]
    wrong = [name for name in ("auth", "sl") if name in names and names.index(name) > names.index("authban")]
    if wrong:
        yield fail("load", "authban is loaded before %s" % " and ".join(wrong), "move its loadmodule behind it")
    elif not config.loads("auth") and not config.number("authban", "watch_replies", 0):
        yield fail("load", "the auth module is not loaded, and watch_replies is 0: nothing can be counted",
                   "load auth.so, or set watch_replies where a registrar behind this proxy checks passwords")
    else:
        yield ok("load", "authban and what it needs are loaded in order")


def _unchecked(config):
    return [name for name in CHECKS if not config.number("auth", name, 0) & 8]


def look_at_proof(config):
    """Could somebody get a victim banned by packets with a forged address?"""
    proof = config.param("authban", "proof", "token")
    if proof in ("none", "2"):
        yield fail("proof", "proof is none: a forged packet can get anybody banned", "set proof to token")
    elif proof in ("nonce", "1"):
        bad = _unchecked(config)
        if bad:
            yield fail("proof", "proof is nonce, but auth does not check a nonce's address: no bit 8 in %s"
                       % ", ".join(bad), "set them to 8, or proof to token")
        elif config.number("auth", "nonce_count", 0):
            yield fail("proof", "proof is nonce, but nonce_count is 1, which accepts a nonce before its address is"
                       " checked", "set auth's nonce_count to 0, or proof to token")
        else:
            yield ok("proof", "nonce: auth checks the address of each nonce")
    else:
        yield ok("proof", "token: only who receives at an address can get it banned")


def look_at_nonces(config):
    secret = config.param("auth", "secret")
    life = config.number("auth", "nonce_expire", 300)
    if not config.loads("auth"):
        return
    if config.param("authban", "redis") and not secret:
        yield warn("nonces", "auth has no secret, so each proxy makes nonces that no other knows",
                   "set auth's secret, %d characters or more, the same on every proxy" % SECRET_MIN)
    elif secret and len(secret) < SECRET_MIN:
        yield warn("nonces", "auth's secret has %d characters, so it may be guessed and nonces forged" % len(secret),
                   "give it %d or more" % SECRET_MIN)
    elif life > 3600:
        yield warn("nonces", "a nonce lives %d s, and a sniffed one as long" % life, "set nonce_expire to 300")
    else:
        yield ok("nonces", "live %d s%s" % (life, ", of a secret" if secret else ", of this start"))


# KEMI: the parameter of each engine that names the script
KEMI = {"app_lua": "load", "app_luajit": "load", "app_python3": "load", "app_python3s": "load", "app_python": "script_name",
        "app_jsdt": "load", "app_ruby": "load", "app_ruby_proc": "load", "app_perl": "filename", "app_mono": "load"}


def _kemi_engine(config):
    """The engine that runs the routes; None: kamailio.cfg itself. A module that is loaded for single functions is none."""
    if re.search(r"^\s*request_route\b", config.text, re.M):
        return None
    return next((name for name in KEMI if config.loads(name)), None)


def look_at_kemi(config, engine):
    path = config.param(engine, KEMI[engine])
    if not path:
        yield warn("script", "KEMI, but %s has no %s: which script it is cannot be seen here" % (engine, KEMI[engine]),
                   "look for authban.check() and authban.result() in it")
        return
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = _bare_script(file.read(1 << 20), path)
    except OSError as error:
        yield fail("script", "cannot read the script %s of %s: %s" % (clean(path), engine, error.strerror),
                   "make it, for Kamailio's user to read")
        return
    yield from _judge_script(config, lambda name: re.search(
        r"\b(?:authban_)?%s\s*\(" % name, "".join(re.findall(r"\bauthban\.(\w+\s*\()", text))) is not None,
        [name for name in ("auth_challenge", "www_challenge", "proxy_challenge")
         if re.search(r"\b(?:auth|auth_db)\.%s\s*\(" % name, text)])
    callback = config.param("authban", "event_callback")
    if callback and not re.search(r"\b%s\b" % re.escape(callback), text):
        yield fail("events", "event_callback is %s, and %s has no such function" % (clean(callback), clean(path)),
                   "write it, or take event_callback out")


def _bare_script(text, path):
    """Without the comments of its language, as far as lines are only that."""
    mark = {".lua": "--", ".js": "//"}.get(os.path.splitext(path)[1], "#")
    return "\n".join(line for line in text.split("\n") if not line.lstrip().startswith(mark))


def look_at_script(config):
    engine = _kemi_engine(config)
    if engine:
        yield from look_at_kemi(config, engine)
    else:
        yield from _judge_script(config, lambda name: config.calls("authban_" + name),
                                 [name for name in ("auth_challenge", "www_challenge", "proxy_challenge")
                                  if config.calls(name)])


def _has_result(calls):
    """KEMI has a function for each number of parameters."""
    return any(map(calls, ("result", "result_user", "result_policy")))


def _judge_script(config, calls, others):
    """calls(name): whether the script calls authban's function; others: challenges without our token."""
    if not (calls("check") or calls("check_ip")):
        yield fail("script", "authban_check() is not called: what comes over TCP and TLS is never blocked",
                   "make it the first line of request_route: if (!authban_check()) { exit; }")
    elif config.number("authban", "watch_replies", 0) and not config.loads("auth"):
        yield ok("script", "asks authban; replies are counted")
    elif not _has_result(calls) and not any(map(calls, ("fail", "fail_ip", "fail_user", "fail_weight"))):
        yield fail("script", "neither authban_result() nor authban_fail() is called: nothing is counted",
                   'call authban_result("$rc") behind auth_check()')
    elif not calls("proven") and _has_result(calls):
        yield fail("script", "authban_proven() is not called before the password is checked",
                   'if (!authban_proven()) { authban_challenge("$fd", "1"); exit; }')
    elif others:
        yield warn("script", "a challenge without our token is sent too, by auth_challenge() or the like",
                   "call authban_challenge() in its place")
    else:
        yield ok("script", "asks, proves, counts and challenges by authban")


def look_at_early(config):
    if not config.number("authban", "early", 1):
        yield warn("early", "early is 0: a blocked datagram is parsed before it is dropped", "set it to 1")
    elif config.loads("sipcapture"):
        yield warn("early", "sipcapture is loaded and takes the only place that sees datagrams before they are parsed",
                   "capture in another process, or leave the dropping to authban_check() in the script")
    else:
        yield ok("early", "nobody else looks at datagrams first")


def look_at_files(config):
    yield from look_at_key(config)
    for name in ("redis_password_file", "allow_file", "policy_file"):
        path = config.param("authban", name)
        if path:
            yield from _file(name, path, secret=name == "redis_password_file",
                             least=int(name == "redis_password_file"))


def look_at_key(config):
    path, key = config.param("authban", "cluster_key_file"), config.param("authban", "cluster_key")
    if path:
        yield from _file("cluster_key_file", path, secret=True, least=SECRET_MIN)
    elif config.param("authban", "redis") and not key:
        yield warn("cluster key", "there is none: records in Redis are not signed, and users are hashed otherwise by"
                   " each proxy", "set cluster_key_file, the same on every proxy")


def _file(name, path, secret, least=1):
    try:
        with open(path, "rb") as file:
            mode, size = os.fstat(file.fileno()).st_mode, len(file.read(4096).strip())
    except OSError as error:
        yield fail(name, "cannot read %s: %s" % (clean(path), error.strerror), "make it, for Kamailio's user to read")
        return
    if size < least:
        yield fail(name, "%s has %d bytes" % (clean(path), size), "put %d or more into it" % least)
    elif secret and mode & (stat.S_IROTH | stat.S_IWOTH):
        yield warn(name, "%s can be read by everybody here" % clean(path), "chmod o-rwx")
    else:
        yield ok(name, "%s is there" % clean(path))


def table_bytes(config):
    """Shared memory that the module takes at its start, about: 72 bytes an entry and 8 for a login."""
    size = 64
    while size < config.number("authban", "size", 262144):
        size *= 2
    return size * 72 + max(size, 65536) * 8 + (2 << 20)


def look_at_memory(config, megabytes):
    """megabytes: of `kamailio -m`."""
    need = table_bytes(config) / (1 << 20)
    if need > 0.9 * megabytes:
        yield fail("memory", "the table takes about %.0f MB of shared memory, and there are %d" % (need, megabytes),
                   "start kamailio with -m %d (SHM_MEMORY in /etc/default/kamailio), or a smaller size"
                   % (2 * need + 32))
    elif need > 0.6 * megabytes:
        yield warn("memory", "the table takes about %.0f MB of the %d of shared memory" % (need, megabytes),
                   "start kamailio with -m %d (SHM_MEMORY in /etc/default/kamailio)" % (2 * need + 32))
    else:
        yield ok("memory", "the table takes about %.0f MB of the %d of shared memory" % (need, megabytes))
