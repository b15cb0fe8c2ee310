# SPDX-License-Identifier: GPL-2.0-or-later
"""A Redis and two proxies with authban in one private folder: what run and demo show."""
import os
import subprocess
import threading

import proxies

REALM = "sip.test"
USERS = [("alice", "alice-secret"), ("bob", "bob-secret")]
HOST = "127.0.0.1"


class Node:
    """One proxy of the cluster."""

    def __init__(self, folder, name, port):
        self.name, self.port = name, port
        self.folder = os.path.join(folder, name)
        os.mkdir(self.folder, 0o700)
        self.process = None

    @property
    def target(self):
        return HOST, self.port

    @property
    def ctl_socket(self):
        return "unix:" + os.path.join(self.folder, "ctl")

    def rpc(self, method, *params):
        return proxies.rpc_call(os.path.join(self.folder, "rpc"), method, params)

    def kamcmd(self, *words):
        """The text that an operator would see."""
        done = subprocess.run(["kamcmd", "-s", self.ctl_socket, *words], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=10, check=False)
        return (done.stdout + done.stderr).rstrip()

    def bans(self):
        return {row["source"]: row for row in self.rpc("authban.list") or ()}

    def evaluated(self):
        """Requests with credentials that reached the password check."""
        return int(self.rpc("stats.fetchn", "auth_evaluated")["script.auth_evaluated"])


class Cluster:
    """`with Cluster(ports=(5060, 5070), say=print) as cluster:` starts all, and leaves nothing behind.

    say(name, line) gets every line that a program writes.
    """

    def __init__(self, ports, say, qop=False, threshold=8):
        self.say, self.qop, self.threshold = say, qop, threshold
        self.folder = proxies.private_folder("trial")
        self.nodes = [Node(self.folder, "proxy-" + letter, port) for letter, port in zip("ab", ports)]
        self.children = []
        self.readers = []

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def _launch(self, command, name, folder):
        process = proxies.Process(command, name, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, folder=folder)
        self.children.append(process)
        reader = threading.Thread(target=self._read, args=(name, process.child.stdout), daemon=True)
        reader.start()
        self.readers.append(reader)
        return process

    def _read(self, name, stream):
        for line in stream:
            text = line.decode("utf-8", "backslashreplace").rstrip()
            if text.strip():
                self.say(name, text)
        stream.close()

    def _start(self):
        password = self._start_redis()
        database = proxies.make_users(os.path.join(self.folder, "users.sqlite"), USERS, REALM)
        defines = {
            "ALIAS": REALM, "CHILDREN": 2, "WITH_QOP": self.qop, "AB_MODULE": proxies.module_path(),
            "AB_THRESHOLD": self.threshold, "AB_REDIS": "redis://%s:%d/0" % (HOST, self.redis_port),
            "AB_REDIS_PASSWORD_FILE": password, "AUTH_SECRET": os.urandom(24).hex(),
            "AB_CLUSTER_KEY_FILE": proxies.write_secret(os.path.join(self.folder, "cluster-key")),
        }
        for node in self.nodes:
            self._start_node(node, database, defines)

    def _start_redis(self):
        """Returns the file that holds its password."""
        self.redis_port = proxies.free_port()
        password = os.urandom(16).hex()
        config = os.path.join(self.folder, "redis.conf")
        proxies.write_secret(config, proxies.redis_config(self.folder, self.redis_port, password,
                                                          ["loglevel warning"]))
        process = self._launch(["redis-server", config], "redis", self.folder)
        answer = os.path.join(self.folder, "redis.sock")
        proxies.wait_until(lambda: not process.alive() or proxies.redis_answers(answer, password),
                           10, "redis-server answers")
        return proxies.write_secret(os.path.join(self.folder, "redis-password"), password)

    def _start_node(self, node, database, defines):
        own = proxies.proxy_defines(node.folder, HOST, node.port, database, AB_NODE=node.name, **defines)
        # NOTICE and worse: bans and unbans are NOTICE lines.
        command = proxies.kamailio_command(proxies.CONFIG, own, ["-m", "64", "-M", "8", "--debug=1"])
        node.process = self._launch(command, node.name, node.folder)
        answer = os.path.join(node.folder, "rpc")
        proxies.wait_until(lambda: not node.process.alive() or proxies.rpc_answers(answer), 10,
                           node.name + " answers")
        if not node.process.alive():
            raise proxies.StartError(node.name + " did not start; see its lines above")

    def dead(self):
        """The name of a program that ended by itself, or None."""
        return next((child.name for child in self.children if not child.alive()), None)

    def close(self):
        """Proxies first, then Redis; then the folder."""
        for child in reversed(self.children):
            if child.stop() is None:
                self.say(child.name, "did not stop in time, killed")
        for reader in self.readers:
            reader.join(2)
        self.children, self.readers = [], []
        proxies.remove_folder(self.folder)


def choose_ports(wanted):
    """The wanted ports, or free ones: (ports, sentences about what was taken)."""
    ports, notes = [], []
    for port in wanted:
        if port not in ports and proxies.port_is_free(port, HOST):
            ports.append(port)
            continue
        other = proxies.free_port(HOST)
        notes.append("port %d is taken, using %d" % (port, other))
        ports.append(other)
    return ports, notes


def check_ready():
    """None, or the sentence that says what is missing."""
    path = proxies.module_path()
    if not os.path.exists(path):
        return "%s is missing: run `make` first" % os.path.relpath(path, proxies.ROOT)
    return None
