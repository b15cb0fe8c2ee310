# SPDX-License-Identifier: GPL-2.0-or-later
"""The test library: real Kamailio, real Redis, real sockets. Shares scripts/ with run and demo."""
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCRIPTS = os.path.join(ROOT, "scripts")
if SCRIPTS not in sys.path:
    sys.path.insert(0, SCRIPTS)
