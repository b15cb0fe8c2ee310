# SPDX-License-Identifier: GPL-2.0-or-later
"""What the module has is in its manual, what the manual has is in the module, and each of it is used by a test."""
import glob
import html
import os
import re

import pytest

from lib import ROOT, examples
from lib.kamailio import Proxy

SOURCES = os.path.join(ROOT, "modules", "authban")
# names that others call: these may not change
FIXED = {
    "rpc": "status list get top networks users ban unban allow_add allow_del allow_list forget report reset",
    "statistic": "checked blocked failures successes malformed unproven bans unbans evictions would_block backend_errors"
                 " redis_errors entries banned sync_lag_ms",
    "function": "check proven result challenge fail ban unban",
    "field": "state reason class proof failures users ttl origin net",
    "event": "ban unban campaign user-attack breaker",
    "setting": "mode threshold window max_users ban_time ban_time_max memory grace net_sources net_threshold user_sources",
    "parameter": "size ipv4_prefix ipv6_prefix node redis cluster_key cluster_key_file proof backend result_map allow"
                 " allow_file event_callback threshold window",
}
# in tests of other groups of files than these a use counts
NOT_A_USE = ("tests/docs/", "tests/lib/examples.py", "tests/README.md")


def source(name):
    return examples.read(os.path.join("modules", "authban", name))


# --- what there is ---

@pytest.fixture(scope="module")
def node():
    with Proxy(node="node-1") as made:
        yield made


@pytest.fixture(scope="module")
def kemi(tmp_path_factory):
    """Names in KSR.authban, as a real script sees them."""
    folder = tmp_path_factory.mktemp("kemi")
    path, names = folder / "names.lua", folder / "names"
    path.write_text('dofile("%s")\nlocal out = io.open("%s", "w")\nfor name, what in pairs(KSR.authban) do'
                    ' out:write(type(what), " ", name, "\\n") end\nout:close()\n'
                    % (os.path.join(ROOT, "etc", "kamailio-authban.lua"), names))
    with Proxy(config=os.path.join(ROOT, "etc", "kamailio-authban-kemi.cfg"), defines={"LUA_SCRIPT": str(path)}):
        found = set(re.findall(r"^function (\w+)$", names.read_text(), re.M))
    assert found
    return found


def exported_functions():
    """{name: {numbers of parameters}} of the native script."""
    found = {}
    for name, count in re.findall(r'\{"(authban_\w+)",\s*\(cmd_function\)\w+,\s*(\d)', source("authban_script.c")):
        found.setdefault(name, set()).add(int(count))
    return found


def exported_parameters():
    text = source("authban_params.c")
    names = set(re.findall(r"X\((\w+)\)", re.search(r"#define NAMES\(X\)(.*?)/\*", text, re.S).group(1)))
    return names | set(re.findall(r'^\t\{"(\w+)", PARAM_', text, re.M))


def raised_events():
    return set(re.findall(r'"(authban:[\w-]+)"', source("authban_events.c")))


def exported_fields():
    return set(re.findall(r'"(\w+)"', re.search(r"field_names\[FIELD_COUNT\] = \{(.*?)\}", source("authban_pv.c"), re.S)
                          .group(1)))


def methods(node):
    return {name for name in node.rpc("system.listMethods") if name.startswith("authban.")}


def settings(node):
    """Of the cfg framework."""
    return {line.split(":")[1].strip() for line in node.kamcmd("cfg.list", "authban")[1].splitlines() if ":" in line}


# --- what the manual has ---

MANUAL = html.unescape(re.sub(r"&kamailio;", "Kamailio", examples.read(examples.MANUAL)))


def chapter(title):
    return re.search(r"<title>%s</title>(.*?)\n\t</section>\n\t(?:<section>|</chapter>|$)" % title, MANUAL + "\n",
                     re.S).group(1) if title != "Statistics" else re.search(
                         r"<title>Statistics</title>(.*?)<title>Log</title>", MANUAL, re.S).group(1)


def sections(letter):
    return set(re.findall(r'<section id="authban\.%s\.(\w+)">' % letter, MANUAL))


def items(text):
    """Names before the " - " of each item: "a, b - what. c - what"."""
    found = set()
    for item in re.findall(r"<listitem>\s*<para>(.*?)</para>", text, re.S):
        for names in re.findall(r"(?:^|\. )([\w:-]+(?:, [\w:-]+)*) - ", " ".join(item.split())):
            found.update(names.split(", "))
    return found


def documented_functions():
    """{name: {numbers of parameters}}, by titles such as authban_result(rc [, user [, policy]])."""
    found = {}
    for name, words in re.findall(r'<title><function moreinfo="none">(authban_\w+)\((.*?)\)</function></title>', MANUAL):
        least = len([word for word in words.split("[")[0].split(",") if word.strip()])
        found[name] = set(range(least, least + words.count("[") + 1))
    return found


def documented_kemi():
    text = " ".join(re.search(r"In KEMI they are (.*?)The same functions", MANUAL, re.S).group(1).split())
    return set(re.findall(r"(\w+)\(", text.replace("KSR.authban.", "")))


def documented_fields():
    return items(re.search(r'<section id="authban.v.authban">(.*?)</section>', MANUAL, re.S).group(1))


def documented_events():
    text = re.search(r"The module has these events:(.*?)</itemizedlist>", MANUAL, re.S).group(1)
    return {name for name in items(text) if name.startswith("authban:")}


def documented_settings():
    """Parameters that say how they are changed while running."""
    return {name for name, text in re.findall(r'<section id="authban\.p\.(\w+)">(.*?)</section>', MANUAL, re.S)
            if "cfg.set_now_int" in text}


def test_the_manual_is_complete(node, kemi):
    pairs = {
        "parameters": (exported_parameters(), sections("p")),
        "functions": (exported_functions(), documented_functions()),
        "sections of functions": (set(exported_functions()), {name for name in sections("f") if name.startswith("authban_")}),
        "KEMI": (kemi, documented_kemi() | {"authban_" + name for name in documented_kemi()}),
        "RPC commands": (methods(node), {"authban." + name for name in sections("r")}),
        "statistics": (set(node.authban()), items(chapter("Statistics"))),
        "fields of $authban": (exported_fields(), documented_fields()),
        "events": (raised_events(), documented_events()),
        "settings": (settings(node), documented_settings()),
    }
    print("\nmanual: %s" % ", ".join("%d %s" % (len(pair[0]), what) for what, pair in pairs.items()))
    wrong = {what: "only in the module: %s, only in the manual: %s" % (
        sorted(set(map(str, there)) - set(map(str, told))), sorted(set(map(str, told)) - set(map(str, there))))
        for what, (there, told) in pairs.items() if there != told}
    assert not wrong, wrong
    assert all(len(pair[0]) >= 5 for pair in pairs.values()), "the search itself has failed"


def test_each_command_says_what_it_does(node):
    """system.methodHelp, and the sentence in the manual: both are there."""
    for name in methods(node):
        assert len(str(node.rpc("system.methodHelp", name))) > 20, name


def test_what_others_call_is_there(node, kemi):
    there = {"rpc": {name.partition(".")[2] for name in methods(node)}, "statistic": set(node.authban()),
             "function": {name.partition("_")[2] for name in exported_functions()} & kemi, "field": exported_fields(),
             "event": {name.partition(":")[2] for name in raised_events()}, "setting": settings(node),
             "parameter": exported_parameters()}
    lost = {kind: sorted(set(names.split()) - there[kind]) for kind, names in FIXED.items()}
    assert not any(lost.values()), lost


# --- what is used ---

@pytest.fixture(scope="module")
def uses():
    """All tests, and the configurations that they start."""
    found = glob.glob(os.path.join(ROOT, "tests", "**", "*.*"), recursive=True) + [
        os.path.join(ROOT, "etc", name) for name in ("kamailio-authban.cfg", "kamailio-authban.lua", "authban-events.cfg")]
    text = []
    for path in found:
        name = os.path.relpath(path, ROOT)
        if name.endswith((".py", ".cfg", ".lua")) and not name.startswith(NOT_A_USE):
            text.append(examples.read(name))
    return "\n".join(text)


def test_each_name_is_used_by_a_test(node, kemi, uses):
    wanted = {
        # "name" as a word of Python or of a modparam; or the define that the configurations have for it
        "parameters": {name: r'"%s"|"authban", %s\b|\bAB_%s\b|%s=' % (name, name, name.upper(), name)
                       for name in exported_parameters()},
        "functions": {name: r"%s\(" % name for name in exported_functions()},
        "KEMI": {name: r"KSR\.authban\.%s\(" % name for name in kemi if not name.startswith("authban_")},
        "RPC commands": {name: r"%s\b" % re.escape(name) for name in methods(node)},
        "statistics": {name: r'"%s"|authban_%s\b|\b%s=' % (name, name, name) for name in node.authban()},
        "fields of $authban": {name: r"\$authban\(%s\)|^FIELDS = .*\b%s\b" % (name, name) for name in exported_fields()},
        "events": {name: r"%s\b" % name for name in raised_events()},
    }
    unused = {what: sorted(name for name, pattern in names.items() if not re.search(pattern, uses, re.M))
              for what, names in wanted.items()}
    print("\nused by tests: %s" % ", ".join("%d %s" % (len(names), what) for what, names in wanted.items()))
    assert not any(unused.values()), {what: names for what, names in unused.items() if names}


def test_control_what_is_lacking_is_seen(node, uses):
    """An undocumented and an unused name would be found."""
    assert exported_parameters() - (sections("p") - {"grace"}) == {"grace"}
    assert "no_such_counter" not in uses and methods(node) - {"authban.top"} != methods(node)
