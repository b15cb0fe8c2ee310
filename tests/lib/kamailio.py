# SPDX-License-Identifier: GPL-2.0-or-later
"""A real Kamailio with a private folder, users and sockets; see Proxy."""
import os
import re
import subprocess

from . import ROOT
from .netns import command_inside
import proxies
from proxies import RpcFault, StartError, make_users, module_path  # noqa: F401 (for tests)
from .wait import wait_for

PEERS = os.path.join(ROOT, "tests", "peers")
REALM = "sip.test"
USERS = [("alice", "alice-secret"), ("bob", "bob-secret"), ("carol", "carol-secret")]


def peer_config(name):
    """tests/peers/NAME.cfg"""
    return os.path.join(PEERS, name + ".cfg")


def _sleeps(pid):
    """True while a process is not on a CPU."""
    with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as text:
        return text.read().rpartition(")")[2].split()[0] == "S"


class Proxy:
    """`with Proxy() as proxy: proxy.rpc("authban.status")`.

    config: a file (default: etc/kamailio-authban.cfg); defines: more or other -A values (True: only
    set); extra: configuration text after the file, for more modparams; memory: (shm MB, pkg MB);
    netns: run in a namespace; preload: a library for LD_PRELOAD; arguments: more of the command line.
    """

    def __init__(self, config=None, defines=None, host="127.0.0.1", port=None, users=None, realm=REALM,
                 node=None, extra="", netns=None, memory=(64, 8), children=2, preload=None, arguments=(),
                 environment=None, redis="", key_file=None):
        self.folder = proxies.private_folder("proxy")
        self.host, self.realm, self.netns = host, realm, netns
        self.port = port or (5060 if netns else proxies.free_port(host))
        self.node = node or "proxy-%d" % self.port
        self.log_path = os.path.join(self.folder, "log")
        self.database = make_users(os.path.join(self.folder, "users.sqlite"),
                                   USERS if users is None else users, realm)
        self.config = self._wrap(config or proxies.CONFIG, extra)
        self.arguments = ["-m", str(memory[0]), "-M", str(memory[1]), *arguments]
        self.environment = dict(os.environ, **(environment or {}))
        if preload:
            self.environment["LD_PRELOAD"] = preload
        self.defines = proxies.proxy_defines(
            self.folder, host, self.port, self.database, ALIAS=realm, CHILDREN=children,
            AB_MODULE=module_path(), AB_NODE=self.node, AB_REDIS=redis, AB_CLUSTER_KEY_FILE=key_file,
            AUTH_SECRET="a secret of a test, the same on all proxies")
        # many tests share a proxy and a network: only tests of campaigns want the usual limits
        self.defines.update(AB_NET_SOURCES=50, AB_USER_SOURCES=50)
        self.defines.update(defines or {})
        self.process = None

    def _wrap(self, config, extra):
        """The configuration itself, or a small file that includes it and adds `extra`."""
        if not extra:
            return config
        path = os.path.join(self.folder, "local.cfg")
        with open(path, "w", encoding="utf-8") as out:
            out.write('#!KAMAILIO\ninclude_file "%s"\n%s\n' % (config, extra))
        return path

    @property
    def target(self):
        """(host, port) for phones."""
        return self.host, self.port

    @property
    def rpc_socket(self):
        return os.path.join(self.folder, "rpc")

    @property
    def ctl_socket(self):
        return self.defines["CTL_SOCKET"]

    def command(self, *arguments):
        return command_inside(self.netns, proxies.kamailio_command(
            self.config, self.defines, [*self.arguments, *arguments]))

    def start(self, timeout=10.0):
        """Start and wait until calls are answered; StartError with the end of the log."""
        with open(self.log_path, "ab") as log:
            self.process = proxies.Process(self.command(), self.node, stdout=log, stderr=log,
                                           environment=self.environment, folder=self.folder)
        try:
            wait_for(lambda: not self.process.alive() or proxies.rpc_answers(self.rpc_socket),
                     timeout, self.node + " answers")
            if not self.process.alive():
                raise AssertionError("it ended with status %s" % self.process.child.returncode)
        except AssertionError as error:
            self.kill()
            raise StartError("%s: %s\n%s" % (self.node, error, self.log()[-3000:])) from None
        self._settle()
        return self

    def _settle(self):
        """Until every process waits for work, at most 2 s.

        Calls are answered while Kamailio still forks, and a SIGTERM to a child that has just been
        forked is lost: the stop would hang (5.6.3, with any configuration).
        """
        try:
            wait_for(self._all_wait, 2, self.node + " has settled")
        except AssertionError:
            pass  # something in it works all the time

    def _all_wait(self):
        try:
            pids = self.pids()
            return any("attendant" in name for name in pids.values()) and all(map(_sleeps, pids))
        except (OSError, ValueError, RpcFault):
            return not self.process.alive()

    def check_config(self):
        """`kamailio -c` with these settings: (exit status, output)."""
        done = subprocess.run(self.command("-c"), stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=20, env=self.environment, check=False)
        return done.returncode, done.stdout + done.stderr

    def refuses_to_start(self, timeout=10.0):
        """For settings that mod_init must refuse: starts, waits for the end, returns the log."""
        try:
            self.start(timeout)
        except StartError:
            return self.log()
        self.stop()
        raise AssertionError(self.node + " started, but had to refuse its settings")

    def rpc(self, method, *params, timeout=5.0):
        """One JSON-RPC call: the result, or RpcFault(code, text)."""
        return proxies.rpc_call(self.rpc_socket, method, params, timeout)

    def kamcmd(self, *words, timeout=10):
        """The real kamcmd: (exit status, text)."""
        done = subprocess.run(["kamcmd", "-s", self.ctl_socket, *map(str, words)], capture_output=True,
                              stdin=subprocess.DEVNULL, text=True, timeout=timeout, check=False)
        return done.returncode, done.stdout + done.stderr

    def evaluated(self):
        """Requests with credentials that reached the password check."""
        return int(self.rpc("stats.fetchn", "auth_evaluated")["script.auth_evaluated"])

    def authban(self):
        """All statistics of the module as a dictionary of numbers."""
        return {name: int(value) for name, value in self.rpc("cnt.grp_get_all", "authban").items()}

    def bans(self):
        """authban.list as {source: row}."""
        return {row["source"]: row for row in self.rpc("authban.list") or ()}

    def pids(self):
        """{pid: description} of all processes."""
        return {row["PID"]: row["DSC"] for row in self.rpc("core.psx")}

    def log(self):
        if not os.path.exists(self.log_path):
            return ""
        with open(self.log_path, encoding="utf-8", errors="backslashreplace") as text:
            return text.read()

    def log_lines(self, pattern):
        """Lines of the log that match a regular expression."""
        return [line for line in self.log().splitlines() if re.search(pattern, line)]

    def stop(self, seconds=proxies.STOP_SECONDS):
        """SIGTERM; AssertionError when it does not end in time. Returns the seconds it took."""
        if not self.process:
            return 0.0
        process, self.process = self.process, None
        took = process.stop(seconds)
        assert took is not None, "%s did not stop within %.0f s\n%s" % (self.node, seconds, self.log()[-2000:])
        return took

    def end(self):
        """stop() for the end of a test: one that hangs is killed and told of, and fails nothing.

        Kamailio's own (5.6.3): a child that ends by SIGTERM while it holds cfg_global_lock leaves it held, and
        those that have not taken over the settings yet wait for it in their signal handlers (sig_usr, with
        cfg_update_no_cbs) until main's alarm after 60 s. Six of 3,100 stops without authban, none of 6,400 with
        it, and of those of the tests about one in hundreds. Tests of the shutdown itself call stop().
        """
        try:
            self.stop()
        except AssertionError as error:
            print("\nnote: %s" % str(error).splitlines()[0])

    def kill(self):
        """SIGKILL for main and workers, as in a crash."""
        if self.process:
            process, self.process = self.process, None
            process.kill()
        for name in ("rpc", "ctl"):
            path = os.path.join(self.folder, name)
            if os.path.exists(path):
                os.unlink(path)

    def close(self):
        """End it somehow and remove the folder."""
        try:
            if self.process:
                self.kill()
        finally:
            proxies.remove_folder(self.folder)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.end()
        finally:
            self.close()
