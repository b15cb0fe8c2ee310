# SPDX-License-Identifier: GPL-2.0-or-later
"""A plugin of pytest: what each test printed is in the log, also of tests that pass, also side by side (xdist).

Without it the processes of pytest-xdist keep what a test prints to themselves. With -s nothing changes.
"""
import pytest


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: measures time or the CPU, so nothing runs beside it: `make test` runs "
                            "these after the others")


class Figures:
    """Writes them when a test has ended, with its name and what it took."""

    def __init__(self, config):
        self.config, self.seconds = config, {}

    def pytest_runtest_logreport(self, report):
        took = self.seconds.pop(report.nodeid, 0.0) + report.duration
        if report.when != "teardown":
            self.seconds[report.nodeid] = took
            return
        # what its fixtures printed too
        lines = [line for line in report.capstdout.splitlines() if line.strip()]
        terminal = self.config.pluginmanager.getplugin("terminalreporter")
        if lines and terminal:
            terminal.write_line("\n%s (%.1f s)" % (report.nodeid, took))
            for line in lines:
                terminal.write_line("  " + line)


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session):
    session.config.pluginmanager.register(Figures(session.config), "authban-figures")
