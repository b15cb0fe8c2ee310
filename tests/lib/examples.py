# SPDX-License-Identifier: GPL-2.0-or-later
"""The examples of the documents: fenced blocks of README.md and docs/*.md, programlistings of the module's manual."""
import collections
import glob
import html
import os
import re

from . import ROOT

KINDS = ("cfg", "sh", "lua", "nft", "json", "text")
# written and tested elsewhere
LEFT_OUT = ("docs/2010.md",)
MANUAL = "modules/authban/doc/authban_admin.xml"
# listings of the manual that are no part of a configuration and no command: how they begin, and what they are
MANUAL_KINDS = [
    ("$rc  ", "text"), ("what   ", "text"), ("breaker: ", "text"), ("ip=203.0.113.5 event=ban", "text"),
    ("# the trunks", "policy_file"), ("# our offices", "allow_file"), ("openssl ", "sh"), ("kamcmd ", "sh"),
    ("$ kamcmd ", "rpc"), ("-- modparam", "lua")]

Example = collections.namedtuple("Example", "place kind text")  # place: file:line


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as text:
        return text.read()


def documents():
    found = ["README.md"] + sorted(os.path.relpath(path, ROOT) for path in glob.glob(os.path.join(ROOT, "docs", "*.md")))
    return [path for path in found if path not in LEFT_OUT]


def of_markdown(path):
    """Every fenced block; ValueError for one without a kind, and for one that is only set in."""
    lines, found, start, before = read(path).split("\n"), [], None, ""
    for number, line in enumerate(lines, 1):
        bare = line.strip()
        if bare.startswith("```"):
            if start is None:
                start, kind, indent = number, bare[3:], len(line) - len(line.lstrip())
                if kind not in KINDS:
                    raise ValueError("%s:%d is a block of no kind; there are %s" % (path, number, ", ".join(KINDS)))
            else:
                block = [row[indent:] for row in lines[start:number - 1]]
                found.append(Example("%s:%d" % (path, start), kind, "\n".join(block) + "\n"))
                start = None
        elif start is None and line.startswith("    ") and bare and not before and not bare[0] in "-*|":
            raise ValueError("%s:%d is set in: write it between ``` and ```" % (path, number))
        before = bare
    return found


def kind_of_listing(text):
    for begin, kind in MANUAL_KINDS:
        if text.startswith(begin):
            return kind
    return "cfg"


def of_manual():
    text, found = read(MANUAL), []
    for match in re.finditer(r"<programlisting[^>]*>\n?(.*?)</programlisting>", text, re.S):
        listing = html.unescape(match.group(1)).replace("&kamailio;", "Kamailio")
        found.append(Example("%s:%d" % (MANUAL, text.count("\n", 0, match.start()) + 1), kind_of_listing(listing), listing))
    return found


def everything():
    return [example for path in documents() for example in of_markdown(path)] + of_manual()


def of_nft():
    return "".join(example.text for example in everything() if example.kind == "nft")


def commands(text):
    """The commands of a block of sh: without comments, continued lines joined."""
    lines = [re.sub(r"\s+# .*$|^#.*$", "", line) for line in re.sub(r"(\\|\|)\n\s*", r"\1 ", text).split("\n")]
    return [line.replace("\\ ", " ").strip() for line in lines if line.strip()]


def calls(text):
    """[(command, [lines of the answer])] of a listing with `$ command` lines."""
    found = []
    for line in text.strip("\n").split("\n"):
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found
