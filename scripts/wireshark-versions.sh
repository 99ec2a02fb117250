#!/bin/sh
# Set up further Wireshark versions beside the system's, each in a small Debian of its own:
#   trixie (Debian 13)  Wireshark 4.4
#   sid                 Wireshark 4.6; where sid does not install just now, testing stands in for it
#
# They go to ${RSTORIGIN_WIRESHARKS:-/var/tmp/rstorigin-wiresharks}/SUITE (310 MB each), and nothing is written anywhere
# else. One that is there and works is kept: remove its folder to renew it. tests/support/wiresharks.py finds them there.
#
# Exit status: 0 when at least one is ready, 77 when this machine can have none. The reason is on stderr.
# RSTORIGIN_DEBIAN_MIRROR names another mirror than debootstrap's own.
set -eu

cache=${RSTORIGIN_WIRESHARKS:-/var/tmp/rstorigin-wiresharks}
mirror=${RSTORIGIN_DEBIAN_MIRROR:-}
suite_scripts=/usr/share/debootstrap/scripts
half_made=''

say() { echo "wireshark-versions: $*" >&2; }
cannot() { say "$*" && exit 77; }

works() { chroot "$1" tshark --version >/dev/null 2>&1; }

# debootstrap may leave something mounted when it is interrupted, and rm must not walk into that.
remove_root() {
    [ -d "$1" ] || return 0
    awk -v root="$1/" 'index($2, root) == 1 { print $2 }' /proc/mounts | sort -r | while read -r mounted; do
        umount "$mounted" || umount -l "$mounted"
    done
    rm -rf --one-file-system "$1"
}

# In two steps. debootstrap alone (--include=tshark) cannot do it for sid: it does not know virtual packages, and
# Wireshark 4.6 depends on one (libfalcosecurity needs libre2-11-absl...). apt, inside the new root, does.
make_root() {
    suite=$1 root=$2
    script=''
    [ -e "$suite_scripts/$suite" ] || script=$suite_scripts/sid # an older debootstrap that has not heard of it
    # An empty mirror or script means the default one.
    debootstrap --variant=minbase --force-check-gpg "$suite" "$root" "$mirror" "$script" || {
        tail -n 8 "$root/debootstrap/debootstrap.log" 2>/dev/null # the cause is told there only
        return 1
    }

    # No services in there. No check of the date: a mirror that lags behind serves as well, signatures do count.
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod +x "$root/usr/sbin/policy-rc.d"
    echo 'Acquire::Check-Valid-Until "false";' >"$root/etc/apt/apt.conf.d/90rstorigin"
    PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive chroot "$root" sh -c '
        apt-get update -q && apt-get install -q -y --no-install-recommends tshark && apt-get clean' || return 1
    rm -rf "$root"/var/lib/apt/lists/*
    works "$root"
}

# provide SUITE: make sure that its root is there.
provide() {
    if [ -d "$cache/$1" ]; then
        works "$cache/$1" && return 0
        say "$cache/$1 does not work any more; making it anew"
        remove_root "$cache/$1"
    fi
    half_made=$cache/.$1.half-made
    remove_root "$half_made"
    say "making $cache/$1 (a minute)"
    # A script that is called in a condition runs without "set -e": make_root says of each step what its failure means.
    if make_root "$1" "$half_made" >"$cache/$1.log" 2>&1 </dev/null; then
        mv "$half_made" "$cache/$1"
        rm -f "$cache/$1.log"
        half_made=''
        return 0
    fi
    say "could not make it; the end of $cache/$1.log:"
    tail -n 12 "$cache/$1.log" >&2
    remove_root "$half_made"
    half_made=''
    return 1
}

cd "$(dirname "$0")/.."
[ "$(uname -s)" = Linux ] || cannot 'debootstrap and chroot need Linux'
if [ "$(id -u)" != 0 ]; then
    { command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; } ||
        cannot 'debootstrap needs root, and sudo is not there or asks for a password'
    exec sudo env RSTORIGIN_WIRESHARKS="$cache" RSTORIGIN_DEBIAN_MIRROR="$mirror" "$PWD/scripts/${0##*/}"
fi
chroot / true 2>/dev/null || cannot 'this machine does not allow chroot'
scripts/system-packages.sh versions || cannot 'debootstrap cannot be installed'

mkdir -p "$cache"
# Two runs at once would remove each other's half-made roots.
exec 9>"$cache/.lock"
flock 9
trap '[ -z "$half_made" ] || remove_root "$half_made"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

ready=''
for suite in trixie sid; do
    if provide "$suite"; then
        ready="$ready $suite"
    elif [ "$suite" = sid ] && provide testing; then
        ready="$ready testing"
    fi
done
[ -n "$ready" ] || cannot 'no further Wireshark can be set up on this machine'
for suite in $ready; do
    say "$suite: $(chroot "$cache/$suite" tshark --version 2>/dev/null | sed -n 1p)"
done
