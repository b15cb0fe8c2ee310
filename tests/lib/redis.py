# SPDX-License-Identifier: GPL-2.0-or-later
"""A real redis-server of the test's own, and a minimal client."""
import os
import signal
import socket

from .netns import command_inside
import proxies
from .wait import wait_for


class RedisError(Exception):
    """An error reply."""


class Client:
    """Speaks RESP2: client("SET", "a", 1). Answers: str (latin-1), int, None, list; RedisError.

    After a timeout it is of no more use: make a new one.
    """

    def __init__(self, address, password=None, user=None, timeout=5.0):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            self.sock.settimeout(timeout)
            self.sock.connect(address)
            self.lines = self.sock.makefile("rb")
            if password:
                self(*["AUTH", *([user] if user else []), password])
        except BaseException:
            self.sock.close()
            raise

    def close(self):
        self.lines.close()
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @staticmethod
    def _bytes(word):
        return word if isinstance(word, bytes) else str(word).encode("latin-1")

    def send(self, *words):
        """Send without reading the answer."""
        data = b"*%d\r\n" % len(words)
        for word in map(self._bytes, words):
            data += b"$%d\r\n%s\r\n" % (len(word), word)
        self.sock.sendall(data)

    def __call__(self, *words):
        self.send(*words)
        return self.read()

    def read(self):
        line = self.lines.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("Redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode("latin-1")
        if kind == b"-":
            raise RedisError(rest.decode("latin-1"))
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.lines.read(int(rest) + 2)[:-2].decode("latin-1")
        if kind == b"*":
            return None if rest == b"-1" else [self._element() for _ in range(int(rest))]
        raise ConnectionError("not RESP: %r" % line[:40])

    def _element(self):
        try:
            return self.read()
        except RedisError as error:
            return error


class Redis:
    """`with Redis(password="x") as redis: redis.url; redis.client()("PING")`.

    TCP on a free loopback port and a unix socket; empty after every start unless persistent=True.
    config: more lines of redis.conf. netns + host: listen in a namespace. preload, environment: as of Proxy.
    """

    def __init__(self, password=None, port=None, persistent=False, config=(), netns=None, host="127.0.0.1",
                 preload=None, environment=None):
        self.folder = proxies.private_folder("redis")
        self.password, self.netns, self.host = password, netns, host
        self.port = port or (6379 if netns else proxies.free_port())
        self.socket_path = os.path.join(self.folder, "redis.sock")
        self.config = ["bind " + host, "protected-mode no", *config]
        self.environment = dict(os.environ, **(environment or {}), **({"LD_PRELOAD": preload} if preload else {}))
        if persistent:
            self.config += ["appendonly yes", "appendfsync always"]
        self.process = None

    @property
    def url(self):
        """Over TCP."""
        secret = ":%s@" % self.password if self.password else ""
        return "redis://%s%s:%d/0" % (secret, self.host, self.port)

    @property
    def unix_url(self):
        return "redis+unix://" + self.socket_path

    def start(self):
        path = os.path.join(self.folder, "redis.conf")
        proxies.write_secret(path, proxies.redis_config(self.folder, self.port, self.password, self.config))
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = proxies.Process(command_inside(self.netns, ["redis-server", path]), "redis",
                                           stdout=log, stderr=log, environment=self.environment,
                                           folder=self.folder)
        wait_for(lambda: proxies.redis_answers(self.socket_path, self.password), 10, "redis-server answers")
        return self

    def client(self, password=None, user=None):
        """A client over the unix socket (works from outside of a namespace too)."""
        return Client(self.socket_path, password or self.password, user)

    def command(self, *words):
        """One command on a connection of its own."""
        with self.client() as client:
            return client(*words)

    def pause(self):
        """Hung: accepts connections (the kernel does), answers nothing."""
        self.process.signal(signal.SIGSTOP)

    def resume(self):
        self.process.signal(signal.SIGCONT)

    def stop(self):
        if self.process:
            process, self.process = self.process, None
            process.signal(signal.SIGCONT)
            process.stop()

    def kill(self):
        if self.process:
            process, self.process = self.process, None
            process.kill()

    def restart(self):
        """On the same port; empty unless persistent."""
        self.kill()
        return self.start()

    restart_empty = restart

    def close(self):
        try:
            self.kill()
        finally:
            proxies.remove_folder(self.folder)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_):
        self.close()
