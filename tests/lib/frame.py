# SPDX-License-Identifier: GPL-2.0-or-later
"""A small kamailio.cfg around a piece of one, so that a real Kamailio can say what it thinks of it."""
import os
import re
import subprocess

from . import ROOT, http_async
from .kamailio import module_path
import proxies

MODULES = ("jsonrpcs ctl kex corex counters cfg_rpc tm tmx sl rr pv maxfwd textops siputils xlog sanity usrloc registrar"
           " db_sqlite sqlops htable pike auth auth_db").split()
BEFORE = """debug=2
log_stderror=yes
listen=udp:127.0.0.1:%d
listen=tcp:127.0.0.1:%d
modparam("auth_db", "db_url", "sqlite:////nowhere")
modparam("jsonrpcs", "transport", 4)
modparam("jsonrpcs", "dgram_socket", "%s/rpc")
modparam("ctl", "binrpc", "unix:%s/ctl")
modparam("htable", "htable", "reports=>size=4;")
"""
# a statement that stands outside of routes
OUTSIDE = re.compile(r"\s*(modparam|loadmodule|listen|debug|alias|received_route_mode|include_file|#!|cfgengine)")


def parts(text):
    """A piece of a configuration as (outside of routes, routes, loose statements)."""
    outside, routes, loose, depth, inside_call = [], [], [], 0, False
    for line in text.split("\n"):
        if re.fullmatch(r"\s*\.\.\.\s*", line):
            continue
        code = line if line.lstrip().startswith("#!") else re.sub(r"(^|\s)#.*$", "", line)
        begins = depth == 0 and re.match(r"\s*(request_route|reply_route|route|event_route|onsend_route)\b.*\{", code)
        if begins or (depth > 0 and where is routes):
            where = routes
        elif depth == 0 and (OUTSIDE.match(code) or inside_call):
            where = outside
            inside_call = code.count("(") > code.count(")") if not inside_call else not code.rstrip().endswith(")")
        else:
            where = loose
        where.append(code)
        depth += len(re.findall(r"\{", strip_strings(code))) - len(re.findall(r"\}", strip_strings(code)))
    return "\n".join(outside), "\n".join(routes), "\n".join(loose)


def strip_strings(code):
    return re.sub(r'"(\\.|[^"\\])*"|\$\w*\([^()]*\)', "", code)


def framed(text, folder):
    """The whole configuration."""
    outside, routes, loose = parts(text)
    wanted = re.findall(r'loadmodule\s+"(\w+)\.so"', outside)
    outside = re.sub(r'loadmodule\s+"\w+\.so"', "", outside)
    if "radius_" in text:
        wanted.append("auth_radius")
    if "event_callback" in text:
        wanted.append("app_lua")
        outside += '\nmodparam("app_lua", "load", "%s")\ncfgengine "lua"\n' % os.path.join(ROOT, "etc", "kamailio-authban.lua")
    first = [name for name in MODULES if name not in ("authban",)]
    later = [name for name in wanted if name not in first and name != "authban"]
    before = [name for name in later if name in ("auth_radius", "uid_auth_db")]
    loads = first + before + ["authban"] + [name for name in later if name not in before]
    if "app_lua" in loads and "request_route" in routes:
        raise ValueError("both a native script and KEMI")
    routes += "\n" + "".join("route[%s] { return; }\n" % name for name in sorted(
        set(re.findall(r"route\((\w+)\)", routes + loose)) - set(re.findall(r"route\[(\w+)\]", routes))
        - set(re.findall(r"route\[(\w+)\]", included(outside)))))
    if loose.strip():
        routes += "route[EXAMPLE] {\n%s\n}\n" % loose
    if "request_route" not in routes and "app_lua" not in loads:
        routes += "request_route {\n%s\n\texit;\n}\n" % ("route(EXAMPLE);" if loose.strip() else "")
    port = proxies.free_port()
    return "#!KAMAILIO\nmpath=\"%s:%s\"\n%s\n%s\n%s\n%s\n" % (
        default_modules(), os.path.dirname(module_path()), "\n".join('loadmodule "%s.so"' % name for name in loads),
        BEFORE % (port, port, folder, folder), outside, routes)


def included(text):
    """The text of the project's own files that a piece includes."""
    found = ""
    for name in re.findall(r'include_file\s+"([\w.-]+)"', text):
        with open(os.path.join(ROOT, "etc", name), encoding="utf-8") as file:
            found += file.read()
    return found


def default_modules():
    text = subprocess.run(["kamailio", "-I"], capture_output=True, text=True, check=True).stdout
    return re.search(r"Default paths to modules: *(\S+)", text).group(1)


def copy_includes(folder):
    """etc/*.cfg beside the configuration, with http_async_client where it was built when Debian has none."""
    for name in ("authban.cfg", "authban-page.cfg", "authban-events.cfg"):
        with open(os.path.join(ROOT, "etc", name), encoding="utf-8") as text:
            text = text.read()
        if "http_async_client.so" in text:
            text = text.replace('loadmodule "http_async_client.so"', 'loadmodule "%s"' % http_async.module())
        with open(os.path.join(str(folder), name), "w", encoding="utf-8") as out:
            out.write(text)


def check(text, folder, name="example.cfg"):
    """`kamailio -c`: the lines that say what is wrong; none: it is well."""
    path = os.path.join(str(folder), name)
    with open(path, "w", encoding="utf-8") as out:
        out.write(framed(text, folder))
    done = subprocess.run(["kamailio", "-c", "-f", path, "-m", "64"], capture_output=True, text=True, timeout=30,
                          stdin=subprocess.DEVNULL, check=False)
    said = (done.stdout + done.stderr).splitlines()
    said = [line for line in said if "could not rev. resolve" not in line]
    wrong = [line for line in said if re.search(r"\b(ERROR|CRITICAL|WARNING|BUG)\b|error in config", line)]
    return wrong or (["kamailio -c ended with %d" % done.returncode] if done.returncode else [])
