#!/bin/sh
# Install, through apt, only those programs that are missing.
#
# usage: scripts/system-packages.sh GROUP...
#   python    a Python that can make virtual environments ($PYTHON, default python3)
#   run       python, tshark
#   lua       Lua 5.2 and 5.4, interpreter and compiler: the languages of Wireshark 4.0 and 4.4
#   test      tcpdump, whose text tests read
#   lint      luacheck
#   gui       Wireshark's window, and a screen and hands for it: Xvfb, openbox, xdotool, xclip, ImageMagick; Chromium
#   versions  debootstrap and Debian's keys, for scripts/wireshark-versions.sh
#
# Does nothing, and needs no rights, where nothing is missing. Where it cannot install, it names what to install by
# hand and exits 1.
set -eu

python=${PYTHON:-python3}
packages='' # what apt calls them
wanted=''   # what a reader calls them, one per line

have() { command -v "$1" >/dev/null 2>&1; }

# want PACKAGE DESCRIPTION
want() {
    case " $packages " in *" $1 "*) return 0 ;; esac
    packages="$packages $1"
    wanted="$wanted  - $2
"
}

# need COMMAND PACKAGE DESCRIPTION
need() { have "$1" || want "$2" "$3"; }

need_python() {
    if ! have "$python"; then
        case $python in
        */*) echo "PYTHON=$python: there is no such program" >&2 && exit 1 ;;
        *) want "$python-venv" "$python (3.11 or newer) with venv and ensurepip" ;;
        esac
        return 0
    fi
    scripts/check-python.sh "$python" # too old is too old, venv or not: say so before anything is installed
    "$python" -c 'import ensurepip, venv' 2>/dev/null && return 0
    # Debian and Ubuntu ship the venv module of their own Python in a package beside it.
    want "$(basename "$python")-venv" "the venv and ensurepip modules of $python"
}

cd "$(dirname "$0")/.."
[ $# -gt 0 ] || { sed -n '4,12s/^# \{0,1\}//p' "$0" >&2 && exit 2; }
for group; do
    case $group in
    python) need_python ;;
    run)
        need_python
        need tshark tshark 'tshark, of Wireshark 4.0 or newer (Fedora and Arch: wireshark-cli; Homebrew: wireshark)'
        ;;
    lua)
        need lua5.2 lua5.2 'Lua 5.2, as the commands lua5.2 and luac5.2'
        need luac5.2 lua5.2 'Lua 5.2, as the commands lua5.2 and luac5.2'
        need lua5.4 lua5.4 'Lua 5.4, as the commands lua5.4 and luac5.4'
        need luac5.4 lua5.4 'Lua 5.4, as the commands lua5.4 and luac5.4'
        ;;
    test) need tcpdump tcpdump 'tcpdump' ;;
    lint) need luacheck lua-check 'luacheck (elsewhere: luarocks install luacheck)' ;;
    gui)
        need wireshark wireshark 'wireshark, of the same version as tshark'
        need Xvfb xvfb 'Xvfb'
        need openbox openbox 'openbox'
        need xdotool xdotool 'xdotool'
        need xclip xclip 'xclip'
        need import imagemagick 'ImageMagick'
        # Ubuntu's apt has no Chromium, only a snap: there, tests that open reports are skipped.
        grep -qs '^ID=ubuntu' /etc/os-release || need chromium chromium 'Chromium, in which reports are opened'
        ;;
    versions)
        need debootstrap debootstrap 'debootstrap'
        [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] ||
            want debian-archive-keyring 'debian-archive-keyring, the keys that debootstrap checks Debian with'
        ;;
    *) echo "$0: no group '$group' (python, run, lua, test, lint, gui, versions)" >&2 && exit 2 ;;
    esac
done
[ -n "$packages" ] || exit 0
packages=${packages# }

by_hand() {
    printf '%s\n\nPlease install by hand, then run make again:\n%s' "$1" "$wanted" >&2
    if have apt-get; then echo "As root: apt-get install --no-install-recommends $packages" >&2; fi
    exit 1
}

have apt-get || by_hand 'Some programs are missing, and without apt-get this script cannot install them.'
as_root=''
if [ "$(id -u)" != 0 ]; then
    have sudo || by_hand 'Some programs are missing; installing them needs root, and there is no sudo.'
    if ! sudo -n true 2>/dev/null && ! [ -t 0 ]; then
        by_hand 'Some programs are missing; installing them needs root, and sudo asks for a password.'
    fi
    as_root=sudo
fi

echo "installing: $packages" >&2
export DEBIAN_FRONTEND=noninteractive
# Only root shall capture on this machine, unless its owner says otherwise: we read files.
case " $packages " in *" tshark "* | *" wireshark "*)
    if have debconf-set-selections; then
        echo 'wireshark-common wireshark-common/install-setuid boolean false' | $as_root debconf-set-selections
    fi
    ;;
esac
# Lists that cannot be renewed (some other source is down) may still be good enough: the install decides.
$as_root apt-get update -qq >&2 || echo 'apt-get update failed; trying with the package lists there are' >&2
# shellcheck disable=SC2086 # a list of names
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
    -o DPkg::Lock::Timeout=120 $packages </dev/null >/dev/null ||
    by_hand 'apt-get could not install everything (see above).'
