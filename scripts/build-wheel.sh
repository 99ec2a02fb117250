#!/bin/sh
# Build the sdist and the wheel into dist/. The same commit gives the same bytes: prints their SHA-256.
set -eu
cd "$(dirname "$0")/.."

# Times in the archives: that of the commit, else of 1980, the first that a wheel can hold.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || echo 315532800)
export SOURCE_DATE_EPOCH
umask 022
rm -rf dist
"${PYTHON:-python3}" -m build --outdir dist .
cd dist && sha256sum ./*
