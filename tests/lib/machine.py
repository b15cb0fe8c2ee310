# SPDX-License-Identifier: GPL-2.0-or-later
"""A proxy as an operator has it, with its commands: what the documents tell him to type is run as it stands.

In a namespace of its own, so that its ports and addresses are those of the documents; paths that belong to the
machine (/etc/kamailio and the like) are folders of the test.
"""
import os
import re
import shutil
import stat
import subprocess

from . import ROOT, SCRIPTS, examples
from .kamailio import Proxy, module_path
from .netns import Net, command_inside
from .redis import Redis
from .sip import Guesser
from .wait import wait_for
import proxies
from proxies import RpcFault

OFFENDERS = ("198.51.100.7", "203.0.113.5")  # who really fail; addresses of the manual
REPORT = {"report_org": "Example Telecom", "report_contact": "abuse@example.com", "report_domain": "example.com"}
ADDRESS = r"\b(?:\d{1,3}\.){3}\d{1,3}(?:/\d+)?\b"


class Machine:
    """`with Machine(folder) as machine: machine.run("kamcmd authban.status")`"""

    def __init__(self, folder, extra="", lua=None):
        self.folder, self.extra, self.lua, self.round = str(folder), extra, lua, 0
        self.net = Net({"proxy": ["192.0.2.200/24"]})
        self.proxy, self.other, self.redis, self.last = None, None, None, ""

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "w", encoding="utf-8") as out:
            out.write(text)
        os.chmod(self.path(name), mode)

    def __enter__(self):
        try:
            self._begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for thing in (self.proxy, self.other, self.redis):
            if thing:
                thing.close()
        self.net.close()

    def _begin(self):
        for name in ("bin", "kamailio", "authban", "lib", "work"):
            os.makedirs(self.path(name))
        self.net.__enter__()
        self.net.add_addresses("proxy", [address + "/32" for address in OFFENDERS])
        settings = {"host": "127.0.0.1", "netns": self.net["proxy"], "node": "proxy-a", "extra": self._extra(),
                    "defines": {"AB_THRESHOLD": 8, "AB_NET_SOURCES": 8}}
        if not self.extra:
            self._second_proxy(settings)
        if self.lua is not None:
            self.write("events.lua", 'dofile("%s")\n%s' % (os.path.join(ROOT, "etc", "kamailio-authban.lua"), self.lua))
            settings["config"] = os.path.join(ROOT, "etc", "kamailio-authban-kemi.cfg")
            settings["defines"]["LUA_SCRIPT"] = self.path("events.lua")
        self.proxy = Proxy(**settings)
        self.proxy.start()

    def _second_proxy(self, settings):
        """proxy-b, in the same cluster."""
        self.redis = Redis(password="of-the-test", netns=self.net["proxy"])
        self.redis.start()
        settings.update(redis=self.redis.url, key_file=proxies.write_secret(self.path("key")))
        self.other = Proxy(node="proxy-b", host="127.0.0.1", port=5070, **{
            name: settings[name] for name in ("netns", "redis", "key_file")})
        self.other.start()

    def _extra(self):
        if self.extra:
            return self.extra
        self.write("kamailio/authban-policies", "")
        self.write("kamailio/authban-allow", "")
        lines = ['modparam("authban", "%s", "%s")' % pair for pair in REPORT.items()]
        lines += ['modparam("authban", "feed_size", 1000)',
                  'modparam("authban", "policy_file", "%s")' % self.path("kamailio", "authban-policies"),
                  'modparam("authban", "allow_file", "%s")' % self.path("kamailio", "authban-allow"),
                  '#!define AUTHBAN_PAGE_FILE "%s"' % os.path.join(ROOT, "etc", "page", "authban.html"),
                  'include_file "%s"' % os.path.join(ROOT, "etc", "authban-page.cfg")]
        return "\n".join(lines) + "\n"

    def inside(self, *command):
        return command_inside(self.net["proxy"], list(command))

    def prepare(self):
        """The commands of an installation, files that a site has, and somebody who has failed."""
        socket = self.proxy.rpc_socket
        for name in ("report", "lists"):
            self._command("authban-" + name, '"%s/authban-%s" "$@"' % (SCRIPTS, name))
        self._command("authban-top", '"%s/authban-top" --socket "%s" "$@"' % (SCRIPTS, socket))
        words = "".join(" -A '%s'" % row for row in self.proxy.command()[self.proxy.command().index("-E") + 1:]
                        if "=" in row)
        self._command("authban-doctor", '"%s/doctor" --socket "%s" --config "%s" %s -m 64 "$@" || [ $? -eq 1 ]'
                      % (SCRIPTS, socket, self.proxy.config, words))
        self._command("kamcmd", '/usr/sbin/kamcmd -s "%s" "$@"' % self.proxy.ctl_socket)
        with open(os.path.join(ROOT, "etc", "kamailio-authban.cfg"), encoding="utf-8") as text:
            self.write("kamailio/kamailio.cfg", text.read().replace('"authban.so"', '"%s"' % module_path()))
        for name in os.listdir(os.path.join(ROOT, "etc", "prometheus")):
            shutil.copy(os.path.join(ROOT, "etc", "prometheus", name), self.path("work"))
        subprocess.run(self.inside("nft", "-f", "-"), input=examples.of_nft(), text=True, check=True, timeout=20)
        self.other.rpc("authban.ban", "203.0.113.200", 3600)
        wait_for(lambda: self.proxy.rpc("authban.status")["peers"], 5, "proxy-b is known")

    def _command(self, name, line):
        path = self.path("bin", name)
        with open(path, "w", encoding="utf-8") as out:
            out.write("#!/bin/sh\n%s\n" % line)
        os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)

    def fail(self, source=OFFENDERS[0]):
        """A real offender, with evidence, whatever was said of him before."""
        self.forget_bans()
        try:
            self.proxy.rpc("authban.erase", source)
        except RpcFault:
            pass
        self.round += 1
        with Guesser("alice", self.proxy.target, source=source, netns=self.net["proxy"], timeout=0.2) as guesser:
            for number in range(30):
                # on a busy machine an answer may come too late to be one
                guesser.guess("wrong-%d-%d" % (self.round, number))
                if number >= 7 and source in self.proxy.bans():
                    break
        row = self.proxy.rpc("authban.get", source)
        assert (row["state"], row["reason"]) == ("banned", "threshold"), row

    def forget_bans(self):
        for row in self.proxy.rpc("authban.list") or ():
            self.proxy.rpc("authban.unban", row["source"])

    def edit_report(self):
        """What the operator does with his editor: who he is, and nothing else."""
        self.write("authban/report.conf", "[reporter]\norg = Example Telecom\ncontact = abuse@example.com\n"
                   "domain = example.com\n")

    def before(self, text):
        """What a command needs: the settings of the beginning, and who is asked about is known."""
        for name, value in (("threshold", 8), ("mode", 2)):
            self.proxy.rpc("cfg.set_now_int", "authban", name, value)
        self.forget_bans()
        for row in self.proxy.rpc("authban.allow_list") or ():
            if row["from"] == "operator":
                self.proxy.rpc("authban.allow_del", row["net"])
        for name, given in re.findall(r"authban\.(\w+)([^\n#]*)", text):
            getattr(self, "_before_" + name, lambda given: None)(given.split())
        if "authban-report" in text:
            self.fail()

    def _before_get(self, given):
        if given[0] == "198.51.100.5":
            self.proxy.rpc("authban.allow_add", "198.51.100.0/24")
        elif given[0] in OFFENDERS:
            self.fail(given[0])
        else:
            self._ban(given)

    def _ban(self, given):
        self.proxy.rpc("authban.ban", given[0], 600)

    _before_unban = _before_erase = _ban

    def _before_allow_del(self, given):
        self.proxy.rpc("authban.allow_add", given[0])

    def _before_allow_list(self, _):
        self.proxy.rpc("authban.allow_add", "192.0.2.0/24")

    def _before_feed_drop(self, given):
        self.proxy.rpc("authban.feed_add", given[0], *((given[1:] or ["203.0.113.98"]) + [600]))

    def _before_feed_list(self, _):
        self._before_feed_drop(["example-feed"])

    def _before_policy_list(self, _):
        self.write("kamailio/authban-policies", "carrier: threshold=50\n")
        self.proxy.rpc("authban.policy_reload")

    def _offender(self, _):
        self.fail()

    _before_evidence = _before_evidence_get = _before_report = _offender
    _before_list = _before_top = _before_networks = _before_users = _offender

    def local(self, command):
        """The command with the folders of the test in place of the machine's."""
        command = re.sub(r"^kamailio -c$", "kamailio -c -f /etc/kamailio/kamailio.cfg", command)
        command = command.replace("scripts/doctor", "authban-doctor").replace("scripts/authban-top", "authban-top")
        for real, here in (("/etc/kamailio", "kamailio"), ("/etc/authban", "authban"), ("/var/lib/authban", "lib")):
            command = command.replace(real, self.path(here))
        for name in ("list", "verify", "sign", "export", "import", "feeds", "drop"):
            command = re.sub(r"(authban-lists %s)\b" % name, r'\1 --rpc "%s"' % self.proxy.rpc_socket
                             if name in ("export", "sign", "verify") else r"\1", command)
        return re.sub(r"^authban-report(?! --example)", 'authban-report --rpc "%s" --config "%s"' % (
            self.proxy.rpc_socket, self.path("authban", "report.conf")), command)

    def run(self, command):
        """What is wrong with it; "": nothing. The output is in `last`."""
        folder = ROOT if command.startswith(("cp ", "scripts/")) else self.path("work")
        done = subprocess.run(self.inside("sh", "-c", self.local(command)), cwd=folder, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=60, check=False,
                              env=dict(os.environ, PATH=self.path("bin") + ":" + os.environ["PATH"] + ":/usr/sbin"))
        self.last = done.stdout
        if done.returncode or re.search(r"^error: ", done.stdout + done.stderr, re.M):
            return "status %d: %s" % (done.returncode, (done.stderr + done.stdout)[-300:])
        return ""

    def wait_log(self, pattern):
        wait_for(lambda: self.proxy.log_lines(pattern), 5, "the log has " + pattern)
