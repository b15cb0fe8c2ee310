# SPDX-License-Identifier: GPL-2.0-or-later
"""Files that are there whole or not at all, for their owner alone; secrets; JSON that is remembered."""
import contextlib
import fcntl
import json
import os
import stat
import tempfile

from . import Problem


def write_atomic(path, data, mode=0o600):
    """Replace a file in one step, on the disk before this returns. data: bytes or text."""
    folder = os.path.dirname(os.path.abspath(path))
    fd, name = tempfile.mkstemp(prefix=".", suffix=".new", dir=folder)
    try:
        with os.fdopen(fd, "wb") as out:
            os.fchmod(out.fileno(), mode)
            out.write(data.encode() if isinstance(data, str) else data)
            out.flush()
            os.fsync(out.fileno())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
    sync_folder(folder)


def sync_folder(folder):
    """Names in a folder are on the disk too."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextlib.contextmanager
def only_one(path):
    """Nobody else holds the lock of this file meanwhile; Problem at once when somebody does."""
    try:
        os.makedirs(os.path.dirname(os.path.abspath(path)), mode=0o700, exist_ok=True)
        lock = open(path + ".lock", "a", encoding="ascii", opener=lambda name, how: os.open(name, how, 0o600))
    except OSError as error:
        raise Problem("cannot write beside %s: %s" % (path, error.strerror)) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Problem("%s is in use by another run" % path) from None
        yield


def read_json(path, missing):
    """A JSON object that we wrote; `missing` when there is no file. A broken one is a Problem, never empty."""
    try:
        with open(path, "rb") as text:
            value = json.loads(text.read())
    except FileNotFoundError:
        return missing
    except OSError as error:
        raise Problem("cannot read %s: %s" % (path, error.strerror)) from None
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise Problem("%s is damaged: put a copy back, or remove it to begin anew" % path)
    return value


def read_secret(path, least=32):
    """Bytes of a secret file that only its owner (and group) can read; white space around it is left out."""
    try:
        with open(path, "rb") as text:
            mode = os.fstat(text.fileno()).st_mode
            secret = text.read(4097).strip()
    except OSError as error:
        raise Problem("cannot read the secret %s: %s" % (path, error.strerror)) from None
    if mode & stat.S_IRWXO:
        raise Problem("everybody can read the secret %s: chmod 600 it" % path)
    if not least <= len(secret) <= 4096:
        raise Problem("the secret %s has %d bytes: %d to 4096 are allowed" % (path, len(secret), least))
    return secret
