# SPDX-License-Identifier: GPL-2.0-or-later
"""Start and stop Kamailio and Redis for a trial: used by run, demo and the tests.

Everything lives in one private folder; a process is ended only by the pid that we started.
"""
import hashlib
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CONFIG = os.path.join(ROOT, "etc", "kamailio-authban.cfg")
SCHEMA_FOLDERS = ("/usr/share/kamailio/db_sqlite", "/usr/local/share/kamailio/db_sqlite")
STOP_SECONDS = 5.0


class StartError(Exception):
    """A program did not come up; the text says what to look at."""


def module_path():
    """The module under test: AUTHBAN_SO, or what make has built."""
    return os.environ.get("AUTHBAN_SO") or os.path.join(ROOT, "build", "authban.so")


def private_folder(name):
    """A folder that only we can read: it holds keys and passwords. Short: unix sockets allow 107 bytes."""
    return tempfile.mkdtemp(prefix="authban-%s-" % name)


def port_is_free(port, host="127.0.0.1"):
    """A SIP port must be free for UDP and for TCP."""
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as sock:
            try:
                if kind == socket.SOCK_STREAM:
                    # Kamailio does the same, so old connections in TIME_WAIT do not count.
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.bind((host, port))
            except OSError:
                return False
    return True


def free_port(host="127.0.0.1"):
    """A port that is free for UDP and TCP now; below those that the kernel gives to clients (usually from 32768 on)."""
    for port in random.sample(range(16384, 32768), 100):
        if port_is_free(port, host):
            return port
    raise StartError("no port is free on " + host)


def _schema(name):
    for folder in SCHEMA_FOLDERS:
        path = os.path.join(folder, name)
        if os.path.exists(path):
            with open(path, encoding="ascii") as text:
                return text.read()
    raise StartError("Kamailio's table definitions are missing: " + name)


def make_users(path, users, realm):
    """A subscriber table as kamdbctl makes it, with users [(name, password), ...]; only ha1 is stored."""
    with sqlite3.connect(path) as db:
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'subscriber'").fetchone():
            db.executescript(_schema("standard-create.sql"))
            db.executescript(_schema("auth_db-create.sql"))
        for name, password in users:
            ha1 = hashlib.md5(("%s:%s:%s" % (name, realm, password)).encode()).hexdigest()
            db.execute("INSERT OR REPLACE INTO subscriber (username, domain, ha1) VALUES (?, ?, ?)",
                       (name, realm, ha1))
    db.close()
    return path


def write_secret(path, text=None):
    """A secret file for its owner alone."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w") as out:
        out.write(text or os.urandom(32).hex())
    return path


def _define(name, value):
    """One -A argument: numbers and bare words as they are, text in double quotes."""
    if value is True:
        return name
    if isinstance(value, int) or name.startswith("LISTEN_"):
        return "%s=%s" % (name, value)
    return '%s="%s"' % (name, value)


def kamailio_command(config, defines, arguments=()):
    """Kamailio in the foreground, its log on stderr."""
    command = ["kamailio", "-f", config, "-DD", "-E"]
    for name, value in defines.items():
        if value is not None and value is not False:
            command += ["-A", _define(name, value)]
    return command + list(arguments)


def proxy_defines(folder, host, port, database, **more):
    """What every proxy of ours needs; names as in etc/kamailio-authban.cfg."""
    place = "%s:%d" % ("[%s]" % host if ":" in host else host, port)
    defines = {
        "LISTEN_UDP": "udp:" + place,
        "LISTEN_TCP": "tcp:" + place,
        "DBURL": "sqlite:///" + database,
        "CTL_SOCKET": "unix:" + os.path.join(folder, "ctl"),
        "RPC_SOCKET": os.path.join(folder, "rpc"),
    }
    defines.update(more)
    return defines


def redis_config(folder, port=0, password=None, more=()):
    """Text of a redis.conf without persistence; port 0: the unix socket only."""
    lines = ["port %d" % port, "bind 127.0.0.1", "unixsocket %s/redis.sock" % folder,
             "unixsocketperm 700", "dir " + folder, 'save ""', "appendonly no", "daemonize no"]
    if password:
        lines.append("requirepass " + password)
    return "\n".join(lines + list(more)) + "\n"


def rpc_call(socket_path, method, params=(), timeout=5.0):
    """One JSON-RPC call over jsonrpcs's datagram socket; returns result, raises RpcFault."""
    request = {"jsonrpc": "2.0", "method": method, "id": 1}
    if params:
        request["params"] = list(params)
    # The answer goes back to our own address, so we must bind one.
    answer_path = "%s.%d.%d" % (socket_path, os.getpid(), time.monotonic_ns())
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind(answer_path)
            sock.settimeout(timeout)
            sock.sendto(json.dumps(request).encode(), socket_path)
            answer = json.loads(sock.recv(1 << 20).decode("utf-8", "replace"))
        finally:
            if os.path.exists(answer_path):
                os.unlink(answer_path)
    if "error" in answer:
        raise RpcFault(answer["error"].get("code", 0), answer["error"].get("message", ""))
    return answer.get("result")


class RpcFault(Exception):
    """The proxy refused the call; code and text as it gave them."""

    def __init__(self, code, text):
        super().__init__("%s %s" % (code, text))
        self.code = code
        self.text = text


class Process:
    """A child in a session of its own, so that what it forks can be ended with it."""

    def __init__(self, command, name, stdout=None, stderr=None, environment=None, folder=None, pass_fds=()):
        self.name = name
        self.command = command
        self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
                                      env=environment, cwd=folder, start_new_session=True, pass_fds=pass_fds)

    @property
    def pid(self):
        return self.child.pid

    def alive(self):
        return self.child.poll() is None

    def signal(self, number):
        if self.alive():
            os.kill(self.pid, number)

    def stop(self, seconds=STOP_SECONDS):
        """SIGTERM and wait; returns the seconds it took, or None when it had to be killed."""
        start = time.monotonic()
        self.signal(signal.SIGTERM)
        try:
            self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return None
        self._end_group()
        return time.monotonic() - start

    def kill(self):
        """End it and everything it forked, at once."""
        self._end_group()
        self.child.wait(STOP_SECONDS)
        wait_until(lambda: not self._group_lives(), STOP_SECONDS, self.name + "'s children are gone")

    def _end_group(self):
        # Kamailio's workers outlive a killed main process; the group is ours, by its leader's pid.
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass

    def _group_lives(self):
        try:
            os.killpg(self.pid, 0)
            return True
        except (ProcessLookupError, PermissionError):
            return False


def wait_until(condition, seconds, what):
    """Poll until condition() is true; StartError with `what` at the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise StartError("not within %.1f s: %s" % (seconds, what))
        time.sleep(0.01)


def rpc_answers(socket_path):
    """True once the proxy answers calls."""
    try:
        return bool(rpc_call(socket_path, "core.version", timeout=0.5))
    except (OSError, ValueError, RpcFault):
        return False


def redis_answers(path, password=None):
    """True once Redis answers over its unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(0.5)
        try:
            sock.connect(path)
            if password:
                sock.sendall(b"AUTH " + password.encode() + b"\r\n")
                sock.recv(256)
            sock.sendall(b"PING\r\n")
            return sock.recv(256).startswith(b"+PONG")
        except OSError:
            return False


def remove_folder(folder):
    shutil.rmtree(folder, ignore_errors=True)
