#!/bin/sh
# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
#
# venv.sh VENV LOCK: makes VENV from the first Python >= 3.11 found and installs exactly what LOCK pins, by hash, then
# this checkout itself, editable. Does nothing when VENV already holds that LOCK.
set -eu

venv=$1
lock=$2
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
stamp="$venv/.installed-$(basename "$lock" .txt)"

if [ -e "$stamp" ] && cmp -s "$lock" "$stamp" && [ ! "$root/pyproject.toml" -nt "$stamp" ]; then
    exit 0
fi

fits() {
    command -v "$1" >/dev/null 2>&1 && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

python=""
find_python() {
    for candidate in "${PYTHON:-python3}" python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3; do
        if fits "$candidate" && "$candidate" -c 'import venv, ensurepip' 2>/dev/null; then
            python=$candidate
            return 0
        fi
    done
    return 1
}

if ! find_python; then
    sh "$here/packages.sh" "$here/packages-run.txt" || exit $?
    if ! find_python; then
        echo "penstock: no Python 3.11 or newer with the venv module was found; set PYTHON=/path/to/python3" >&2
        exit 3
    fi
fi

if ! [ -x "$venv/bin/python" ] || ! "$venv/bin/python" -c '' 2>/dev/null; then
    rm -rf "$venv"
    "$python" -m venv "$venv"
fi
echo "penstock: installing what $(basename "$lock") pins into $(basename "$venv") (once)"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --require-hashes -r "$lock" </dev/null
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --no-deps --no-build-isolation \
    --editable "$root" </dev/null
cp "$lock" "$stamp"
touch "$stamp"
