# SPDX-License-Identifier: GPL-2.0-or-later
"""Network namespaces joined by one bridge, so that a test can have many hosts and forge packets safely."""
import contextlib
import ctypes
import itertools
import os
import subprocess

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_numbers = itertools.count()


def _ip(*words, check=True):
    done = subprocess.run(["ip", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=20, check=False)
    if check and done.returncode:
        raise RuntimeError("ip %s: %s" % (" ".join(words), done.stderr.strip()))
    return done


def command_inside(name, command):
    """The command line that runs in a namespace; `ip netns exec` replaces itself, so the pid is the program's."""
    return ["ip", "netns", "exec", name, *command] if name else list(command)


def _setns(fd):
    if _libc.setns(fd, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def inside(name):
    """This thread is in the namespace; sockets made here stay there. None: no change."""
    if not name:
        yield
        return
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        there = os.open("/run/netns/" + name, os.O_RDONLY)
        try:
            _setns(there)
        finally:
            os.close(there)
        try:
            yield
        finally:
            _setns(home)
    finally:
        os.close(home)


class Net:
    """`with Net({"proxy": ["10.9.0.1/24"], "phone": ["10.9.0.2/24"]}) as net: net["proxy"]`.

    net[host] is the namespace's name. All hosts hang on one bridge in a namespace of its own, with
    no way out to the machine. Everything goes away at the end, however the test ends.
    """

    def __init__(self, hosts):
        self.hosts = hosts
        self.tag = "ab%d-%d" % (os.getpid(), next(_numbers))
        self.names = []

    def __getitem__(self, host):
        return "%s-%s" % (self.tag, host)

    def _add(self, host):
        name = self[host]
        _ip("netns", "add", name)
        self.names.append(name)
        _ip("-n", name, "link", "set", "lo", "up")
        return name

    def __enter__(self):
        try:
            switch = self._add("switch")
            _ip("-n", switch, "link", "add", "br0", "type", "bridge")
            _ip("-n", switch, "link", "set", "br0", "up")
            for number, (host, addresses) in enumerate(self.hosts.items()):
                self._join(switch, number, self._add(host), addresses)
        except BaseException:
            self.close()
            raise
        return self

    def _join(self, switch, number, name, addresses):
        port = "p%d" % number
        _ip("-n", switch, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("-n", switch, "link", "set", port, "master", "br0")
        _ip("-n", switch, "link", "set", port, "up")
        for address in addresses:
            self._address(name, address)
        _ip("-n", name, "link", "set", "eth0", "up")

    @staticmethod
    def _address(name, address):
        # No duplicate address detection: an IPv6 address would be useless for its first second.
        words = ["nodad"] if ":" in address else []
        _ip("-n", name, "addr", "add", address, "dev", "eth0", *words)

    def add_addresses(self, host, addresses):
        """Many more addresses ("10.9.0.7/24", ...) for one host in one go."""
        lines = "".join("addr add %s dev eth0%s\n" % (a, " nodad" if ":" in a else "") for a in addresses)
        subprocess.run(["ip", "-n", self[host], "-batch", "-"], input=lines, text=True, check=True, timeout=60)

    def any_ip(self, host, prefix, via):
        """Every address of a prefix is this host's own, and the others send there by its address `via`."""
        _ip("-n", self[host], "route", "add", "local", prefix, "dev", "lo")
        for other in self.hosts:
            if other != host:
                _ip("-n", self[other], "route", "add", prefix, "via", via)

    def close(self):
        while self.names:
            _ip("netns", "del", self.names.pop(), check=False)

    def __exit__(self, *_):
        self.close()
