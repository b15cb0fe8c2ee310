# SPDX-License-Identifier: GPL-2.0-or-later
"""Wrong texts of the parameter policy, and wrong numbers of the limits for crowds: one sentence, and no start."""
import re

import pytest

from lib.kamailio import Proxy


def policy(text):
    return 'modparam("authban", "policy", "%s")\n' % text


def number(name, value):
    return 'modparam("authban", "%s", %s)\n' % (name, value)


# name: (configuration, [what the sentence must say])
WRONG = {
    "empty": (policy(""), ["policy", '""']),
    "no settings": (policy("carrier"), ['policy is "carrier"', '"carrier" is not written as']),
    "nothing behind the name": (policy("carrier:"), ['policy is "carrier:"']),
    "blank in the name": (policy("my carrier: threshold=5"), ['"my" is not written as']),
    "odd name": (policy("car/rier: threshold=5"), ["car/rier"]),
    "long name": (policy("c" * 32 + ": threshold=5"), ["c" * 32, "up to 31 letters, digits"]),
    "twice": (policy("carrier: threshold=5") * 2, ['"carrier"']),
    "unknown setting": (policy("carrier: treshold=5"), ['"treshold" cannot be set by a policy', "max_users"]),
    "setting of the whole": (policy("carrier: window=60"), ['"window" cannot be set by a policy']),
    "no number": (policy("carrier: threshold=many"), ["threshold many is out of range", "1 to 10000"]),
    "too large": (policy("carrier: threshold=10001"), ["threshold 10001 is out of range", "1 to 10000"]),
    "too many digits": (policy("carrier: ban_time=99999999999"), ["ban_time 99999999999 is out of range"]),
    "zero": (policy("carrier: max_users=0"), ["max_users 0 is out of range", "1 to 80"]),
    "something behind": (policy("carrier: threshold=5 ban_time=9"), ['"ban_time" is not written as']),
    "comma at the end": (policy("carrier: threshold=5,"), ["policy"]),
    "eight": ("".join(policy("p%d: threshold=5" % n) for n in range(8)), ['"p7" is one policy too many; allowed are 7']),
    "a number": (number("policy", 5), ["policy is 5", "a text such as"]),
    "max_users 0": (number("max_users", 0), ["max_users is 0", "1 to 80"]),
    "max_users 81": (number("max_users", 81), ["max_users is 81", "1 to 80"]),
    "net_sources 51": (number("net_sources", 51), ["net_sources is 51", "1 to 50"]),
    "net_threshold 0": (number("net_threshold", 0), ["net_threshold is 0", "1 to 10000"]),
    "user_sources 0": (number("user_sources", 0), ["user_sources is 0", "1 to 50"]),
    "long_window 59": (number("long_window", 59), ["long_window is 59", "60 to 604800"]),
    "long_threshold 201": (number("long_threshold", 201), ["long_threshold is 201", "1 to 200"]),
    "good_time 59": (number("good_time", 59), ["good_time is 59", "60 to 2592000"]),
    "pace 0": (number("pace", 0), ["pace is 0", "1 to 3600"]),
    "breaker -1": (number("breaker", -1), ["breaker is -1", "0 to 200"]),
    "breaker 201": (number("breaker", 201), ["breaker is 201", "0 to 200"]),
}

RIGHT = (policy("carrier: threshold=50, ban_time=60") + policy(" second : max_users = 80 ,long_threshold=200")
         + "".join(policy("p%d: ban_time_max=60" % n) for n in range(5))
         + number("max_users", 80) + number("net_sources", 50) + number("net_threshold", 10000)
         + number("user_sources", 50) + number("long_window", 60) + number("long_threshold", 200)
         + number("good_time", 2592000) + number("pace", 1) + number("breaker", 0))


def check(extra):
    """`kamailio -c` finds them: (exit status, what authban said)."""
    proxy = Proxy(extra=extra)
    try:
        status, output = proxy.check_config()
    finally:
        proxy.close()
    return status, [line.split("(): ", 1)[1] for line in output.splitlines() if re.search(r"ERROR: authban \[", line)]


@pytest.mark.parametrize("name", WRONG)
def test_wrong(name):
    text, words = WRONG[name]
    status, said = check(text)
    assert status != 0 and len(said) == 1, said
    print("\nwrong policy, %s: %s" % (name, said[0]))
    for word in words:
        assert word in said[0]


def test_right():
    assert check(RIGHT) == (0, [])
    with Proxy(extra=RIGHT) as proxy:
        assert proxy.rpc("authban.status")["mode"] == "ban"
    print("\nright policies: 7, and the limits of all ranges")


def test_a_wrong_policy_stops_the_start():
    proxy = Proxy(extra=policy("carrier: treshold=5"))
    try:
        assert '"treshold" cannot be set by a policy' in proxy.refuses_to_start()
    finally:
        proxy.close()
