#!/bin/sh
# Make .venv, with rstorigin installed into it from this tree.
#
# usage: scripts/venv.sh run|dev
#   run  what rstorigin needs to run
#   dev  that, and the tools of tests and lint
#
# .venv/rstorigin-setup keeps what the environment was made from: pyproject.toml, the Python, and the folder (an
# environment cannot be moved). Where one of these has changed, it is made anew; otherwise this takes no time.
set -eu

python=${PYTHON:-python3}
extra=${1:?usage: scripts/venv.sh run|dev}
case $extra in
run) target=. ;;
dev) target='.[dev]' ;;
*) echo "usage: $0 run|dev" >&2 && exit 2 ;;
esac

cd "$(dirname "$0")/.."
mark=.venv/rstorigin-setup
made_from="$(cksum <pyproject.toml) $("$python" -c 'import sys; print(sys.version.split()[0], sys.base_prefix)') $PWD"

if [ -x .venv/bin/rstorigin ] && [ "$(sed -n 1p "$mark" 2>/dev/null)" = "$made_from" ]; then
    case $extra-$(sed -n 2p "$mark") in
    run-* | dev-dev) exit 0 ;;
    esac
else
    scripts/check-python.sh "$python"
    echo "making .venv with $("$python" --version)" >&2
    rm -rf .venv
    "$python" -m venv .venv
fi

.venv/bin/python -m pip install --quiet --disable-pip-version-check -e "$target"
printf '%s\n%s\n' "$made_from" "$extra" >"$mark"
