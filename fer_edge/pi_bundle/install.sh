#!/bin/bash
# Installs this bundle on a Raspberry Pi; run it again as often as you like.
#
#   ./install.sh             what the board needs, into /opt/fer-edge
#   ./install.sh --service   the same, and a service that starts with the board
#   ./install.sh --plan      says what it would do on this board, and changes nothing
#   ./install.sh --plan --board aarch64-bookworm    ... on another one
#   ./install.sh --uninstall takes all of it back
#
# Debian brings Python, NumPy and picamera2; pip brings the rest, in the versions and with the hashes
# of pins/BOARD.txt, into an environment that sees Debian's packages. NumPy is never among them:
# picamera2 and libcamera are built for Debian's, and another one breaks them.
set -euo pipefail

here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
wheel=@WHEEL@ # of this bundle; one that was unpacked here before may lie beside it
root=${FER_EDGE_ROOT:-} # a prefix of every path, for tests
home=$root/opt/fer-edge
unit=fer-edge-camera.service
units=$root/etc/systemd/system
options=$root/etc/default/fer-edge
venv=$home/venv
brought=$home/brought.txt # Debian packages that were not there before
cameras=python3-picamera2 # Raspberry Pi OS has it, plain Debian not

fail() {
    printf 'install.sh: %s\n' "$1" >&2
    exit "${2:-1}"
}

usage() {
    sed -n '4,8s/^#   //p' "$0"
}

# Prints the board as ARCHITECTURE-RELEASE.
find_board() {
    local machine release
    # The kernel's word is not enough: a 32-bit system on a 64-bit kernel says aarch64, too.
    case $(dpkg --print-architecture) in
        arm64) machine=aarch64 ;;
        armhf) if [ "$(uname -m)" = armv6l ]; then machine=armv6l; else machine=armv7l; fi ;;
        *) machine=$(uname -m) ;;
    esac
    # shellcheck source=/dev/null
    release=$(. "${root}/etc/os-release" && echo "${VERSION_CODENAME:-unknown}")
    echo "$machine-$release"
}

# Sets `packages` for a board, or says why there is nothing for it.
choose_packages() {
    packages=(python3-numpy python3-venv)
    case $1 in
        aarch64-bookworm | aarch64-trixie) ;;
        # No wheels of NumPy 1 or OpenCV 4 for 32-bit ARM: Debian's. The cascade is in opencv-data.
        armv7l-bookworm) packages+=(libatomic1 opencv-data python3-opencv) ;;
        armv7l-trixie) fail "Python 3.13 on 32-bit ARM has no runtime for the model: tflite-runtime ends at Python 3.11, and LiteRT has no 32-bit wheels. Put the 64-bit Raspberry Pi OS on the card, or the 32-bit one of Bookworm." ;;
        armv6l-*) fail "a Pi 1, Zero or Zero W has an ARMv6 processor, and there is no runtime for the model on it: tflite-runtime's wheels are for ARMv7. The smallest board that works is a Pi Zero 2 W." ;;
        aarch64-* | armv7l-*) fail "expected Raspberry Pi OS or Debian, bookworm or trixie, found ${1#*-}. Other releases have another Python." ;;
        *) fail "expected a Raspberry Pi (64-bit, or 32-bit with bookworm), found ${1%%-*}. To see what a board would get: ./install.sh --plan --board aarch64-bookworm" ;;
    esac
    pins=$here/pins/$1.txt
}

show_plan() {
    echo "board   $1"
    printf 'apt     %s\n' "${packages[@]}"
    echo "apt     $cameras, where the archive has it"
    echo "venv    $venv, which sees Debian's packages"
    sed 's/ --hash.*//; s/^/pip     /' "$pins"
    echo "wheel   $wheel"
    if [ -n "$service" ]; then
        echo "unit    $units/$unit"
    fi
}

as_root() {
    if [ "$(id -u)" = 0 ] || [ -n "$root" ]; then "$@"; else sudo "$@"; fi
}

is_installed() {
    [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

install_packages() {
    local missing=() package
    for package in "${packages[@]}" "$cameras"; do
        is_installed "$package" || missing+=("$package")
    done
    if [ ${#missing[@]} = 0 ]; then return; fi
    as_root apt-get update
    if [[ ${missing[-1]} = "$cameras" && -z $(apt-cache show "$cameras" 2>/dev/null) ]]; then
        echo "no $cameras in this system's archive: cameras on USB work, those on the ribbon do not"
        unset 'missing[-1]'
    fi
    if [ ${#missing[@]} = 0 ]; then return; fi
    as_root apt-get install --yes --no-install-recommends "${missing[@]}"
    printf '%s\n' "${missing[@]}" | as_root tee -a "$brought" >/dev/null
}

copy_bundle() {
    as_root mkdir -p "$home"
    if [ "$here" != "$home" ]; then
        as_root rm -rf "$home/pins" "$home"/fer_edge-*.whl
        as_root cp -R "$here"/{README.md,backoff.conf,"$unit",install.sh,int8.tflite,manifest.json,pins,run.py} \
            "$here/$wheel" "$home"
        as_root chmod -R u=rwX,go=rX "$home"
    fi
}

install_python() {
    local pip=("$venv/bin/python" -s -m pip --disable-pip-version-check install --quiet --no-deps --root-user-action=ignore)
    # The environment of a Python that Debian has replaced has no pip of its own any more.
    if ! "$venv/bin/python" -c 'import pip, sys; sys.exit(not pip.__file__.startswith(sys.prefix))' 2>/dev/null; then
        as_root rm -rf "$venv"
        as_root python3 -m venv --system-site-packages "$venv"
    fi
    as_root "${pip[@]}" --only-binary :all: --require-hashes -r "$pins"
    as_root "${pip[@]}" --no-index --force-reinstall "$home/$wheel"
    hold_numpy
}

# Makes pip refuse another NumPy in the environment from now on, and checks that there is none.
hold_numpy() {
    local found
    found=$("$venv/bin/python" -s -c 'import numpy, sys; print(numpy.__version__, numpy.__file__.startswith(sys.prefix))') ||
        fail "Debian's NumPy cannot be imported. Try: sudo apt-get install --reinstall python3-numpy"
    [ "${found#* }" = False ] ||
        fail "NumPy ${found% *} in $venv hides Debian's. Take it out: sudo $venv/bin/python -m pip uninstall numpy"
    echo "numpy==${found% *}" | as_root tee "$home/system.txt" >/dev/null
    printf '[install]\nconstraint = %s\n' "$home/system.txt" | as_root tee "$venv/pip.conf" >/dev/null
}

install_service() {
    as_root mkdir -p "$units"
    as_root cp "$home/$unit" "$units/$unit"
    if [ "$(systemctl --version | sed -n '1s/systemd \([0-9]*\).*/\1/p')" -ge 254 ]; then
        as_root mkdir -p "$units/$unit.d" # before 254 the keys are unknown
        as_root cp "$home/backoff.conf" "$units/$unit.d/backoff.conf"
    fi
    as_root systemctl daemon-reload
    as_root systemctl enable "$unit"
    if as_root systemctl restart "$unit"; then
        echo "It runs, and starts with the board. See it with: journalctl -fu $unit"
    else # as without a camera: systemd tries on
        echo "It does not run yet, and is tried again. See why: journalctl -u $unit"
    fi
}

uninstall() {
    if [ -e "$units/$unit" ]; then
        as_root systemctl disable --now "$unit"
        as_root systemctl clean --what=all "$unit" || true # nothing was written yet
        as_root rm -rf "${units:?}/$unit" "${units:?}/$unit.d"
        as_root systemctl daemon-reload
    fi
    if [ -s "$brought" ]; then
        # Now Debian removes them as soon as nothing else needs them.
        mapfile -t packages <"$brought"
        as_root apt-mark auto "${packages[@]}"
        echo "Debian packages that came with it go with: sudo apt-get autoremove"
    fi
    as_root rm -rf "$home" "$options"
    echo "fer-edge is gone from this board; $here was left as it is."
}

board="" plan="" service="" remove=""
while [ $# -gt 0 ]; do
    case $1 in
        --plan) plan=yes ;;
        --board) [ $# -gt 1 ] || fail "--board wants a board, as in aarch64-bookworm" 2
            board=$2 && shift ;;
        --service) service=yes ;;
        --uninstall) remove=yes ;;
        -h | --help) usage && exit ;;
        *) usage >&2 && fail "unknown option $1" 2 ;;
    esac
    shift
done
if [ -n "$remove" ]; then
    uninstall
    exit
fi
board=${board:-$(find_board)}
choose_packages "$board"
if [ -n "$plan" ]; then
    show_plan "$board"
    exit
fi
copy_bundle
install_packages
install_python
if [ -n "$service" ]; then
    install_service
elif [ -e "$units/$unit" ]; then
    as_root systemctl try-restart "$unit" || true # what it runs has changed
fi
echo "Done. Try: $here/run.py doctor"
