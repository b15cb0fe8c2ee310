# SPDX-License-Identifier: GPL-2.0-or-later
"""The real svcrack of SIPVicious, with a deadline and a bounded list of passwords."""
import collections
import os
import time

import proxies

Crack = collections.namedtuple("Crack", "sent cracked seconds ended output")
Crack.__doc__ = """sent: guesses it sent (the last may still be on its way); cracked: it found the password;
ended: by itself (words used up, or nobody answers any more) before the deadline."""

# After these words svcrack 0.3.3 only waits 10 s for a last packet.
_LAST_WORDS = ("no more passwords", "since we last received a response", "no server response")


def run_svcrack(target, user, passwords, domain, deadline=10.0, silence=2, method="REGISTER", prefix=()):
    """passwords: a range of numbers or a list of words. prefix: words before the command (a namespace).

    silence: it gives up after so many seconds without an answer (its own default: 10).
    svcrack 0.3.3 takes -b ADDRESS and forgets it, so on loopback it always comes from 127.0.0.1.
    """
    folder = proxies.private_folder("svcrack")
    try:
        words = os.path.join(folder, "words")
        with open(words, "w", encoding="utf-8") as out:
            out.write("".join("%s\n" % word for word in passwords))
        # -v -v names each guess in its output; that is how we count them.
        command = ["svcrack", "-v", "-v", "-u", user, "-d", words, "-p", str(target[1]), "-m", method,
                   "--domain", domain, "--maximumtime", str(silence), target[0]]
        return _run([*prefix, *command], folder, deadline)
    finally:
        proxies.remove_folder(folder)


def _run(command, folder, deadline):
    path = os.path.join(folder, "output")
    start = time.monotonic()
    with open(path, "wb") as output:
        # It keeps sessions below HOME; give it one that goes away.
        process = proxies.Process(command, "svcrack", stdout=output, stderr=output, folder=folder,
                                  environment=dict(os.environ, HOME=folder))
    try:
        ended = _wait_for_end(process, path, start + deadline)
    finally:
        process.kill()
    text = _read(path)
    sent = text.count("DEBUG:ASipOfRedWine:trying ")
    return Crack(sent, "The password for" in text, time.monotonic() - start, ended, text)


def _wait_for_end(process, path, deadline):
    while time.monotonic() < deadline:
        text = _read(path)
        if not process.alive() or any(words in text for words in _LAST_WORDS):
            return True
        time.sleep(0.05)
    return False


def _read(path):
    with open(path, encoding="utf-8", errors="replace") as text:
        return text.read()
