#!/bin/sh
# Install, through apt, only those of tests/lab/packages.txt that are missing. Does nothing where nothing is.
set -eu

cd "$(dirname "$0")"
PATH=$PATH:/usr/sbin:/sbin
packages=''
while read -r command package; do
    case $command in '' | '#'*) continue ;; esac
    command -v "$command" >/dev/null 2>&1 && continue
    case " $packages " in *" $package "*) ;; *) packages="$packages $package" ;; esac
done <packages.txt
[ -n "$packages" ] || exit 0

by_hand() {
    echo "$1; please install by hand:$packages" >&2
    exit 1
}
command -v apt-get >/dev/null || by_hand 'Some programs are missing, and there is no apt-get'
as_root=''
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || by_hand 'Some programs are missing, and installing needs root'
    as_root=sudo
fi
echo "installing:$packages" >&2
$as_root apt-get update -qq >&2 || echo 'apt-get update failed; trying with the package lists there are' >&2
# shellcheck disable=SC2086 # a list of names
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
    -o DPkg::Lock::Timeout=120 $packages </dev/null >/dev/null || by_hand 'apt-get could not install everything'
