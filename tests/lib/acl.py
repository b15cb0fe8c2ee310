# SPDX-License-Identifier: GPL-2.0-or-later
"""A Redis whose users come from etc/redis-users.acl."""
import hashlib
import os

from . import ROOT
from .redis import Redis

USER, SECRET = "authban", "the secret/of authban"
FILE = os.path.join(ROOT, "etc", "redis-users.acl")
SENTINEL_FILE = os.path.join(ROOT, "etc", "redis-sentinel-users.acl")
LOGIN = USER + ":the%20secret%2Fof%20authban"  # in a URL
CLUSTER_ONLY = {"cluster|slots", "asking"}


def user_lines(secret=SECRET, path=FILE):
    """The lines of the file that make users, with a password."""
    with open(path, encoding="ascii") as text:
        lines = [line.strip() for line in text if line.startswith("user ")]
    password = "#" + hashlib.sha256(secret.encode()).hexdigest()
    assert lines and all(" resetpass " in line for line in lines)
    return [line.replace(" resetpass ", " %s " % password) for line in lines]


def commands():
    """Names of the commands that the user may give, but for those that only a cluster needs."""
    words = [word[1:] for word in user_lines()[0].split() if word.startswith("+")]
    return [word for word in words if word not in CLUSTER_ONLY]


def patterns():
    """Keys that the user may touch."""
    return [word[1:] for word in user_lines()[0].split() if word.startswith("~")]


def redis_with_users():
    """Not started; the default user keeps a password of its own, for the test."""
    return Redis(password="of-the-test", config=user_lines())


def url_of(redis, secret="the%20secret%2Fof%20authban"):
    """As authban's user."""
    return "redis://%s:%s@%s:%d/0" % (USER, secret, redis.host, redis.port)
