#!/bin/sh
# Install, through apt, only those of tests/lab/packages.txt that are missing. Does nothing where nothing is.
set -eu

cd "$(dirname "$0")"
PATH=$PATH:/usr/sbin:/sbin
packages=''
optional=''
while read -r command package kind; do
    case $command in '' | '#'*) continue ;; esac
    command -v "$command" >/dev/null 2>&1 && continue
    if [ "$kind" = optional ]; then
        optional="$optional $package"
        continue
    fi
    case " $packages " in *" $package "*) ;; *) packages="$packages $package" ;; esac
done <packages.txt
[ -n "$packages$optional" ] || exit 0

by_hand() {
    echo "$1; please install by hand:$packages" >&2
    exit 1
}
as_root=''
[ "$(id -u)" = 0 ] || as_root=sudo
if [ -n "$packages" ]; then
    command -v apt-get >/dev/null || by_hand 'Some programs are missing, and there is no apt-get'
    [ -z "$as_root" ] || command -v sudo >/dev/null || by_hand 'Some programs are missing, and installing needs root'
    $as_root apt-get update -qq >&2 || echo 'apt-get update failed; trying with the package lists there are' >&2
fi
for package in $optional; do
    # Whether it can be installed: apt-cache may know a package of which no version is to be had.
    if apt-get install -s -qq "$package" >/dev/null 2>&1 && { [ -z "$as_root" ] || command -v sudo >/dev/null; }; then
        packages="$packages $package"
    else
        echo "$package: not to be had here; its scenario will be skipped" >&2
    fi
done
[ -n "$packages" ] || exit 0
echo "installing:$packages" >&2
# shellcheck disable=SC2086 # a list of names
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
    -o DPkg::Lock::Timeout=120 $packages </dev/null >/dev/null || by_hand 'apt-get could not install everything'
