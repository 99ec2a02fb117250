#!/bin/sh
# Say clearly when a Python is too old for rstorigin. usage: scripts/check-python.sh PYTHON
set -eu

# The body stays valid for any Python from 2.7 on: it has to run where the answer is no.
exec "$1" - "$1" <<'PYTHON'
import sys

if sys.version_info < (3, 11):
    sys.stderr.write(
        "rstorigin needs Python 3.11 or newer; %s is Python %s (%s).\n"
        "Name a newer one, for every make of this shell: export PYTHON=python3.12\n"
        "(Debian 12 and Ubuntu 24.04 have one. Ubuntu 22.04: apt-get install python3.11-venv, PYTHON=python3.11.)\n"
        % (sys.argv[1], sys.version.split()[0], sys.executable)
    )
    sys.exit(1)
PYTHON
