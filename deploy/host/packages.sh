#!/bin/sh
# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
#
# packages.sh LIST...: installs the Debian packages that are listed and missing. As root it installs them, after saying
# which, without starting their services; otherwise it prints the one line to run and exits 3.
set -eu

missing=""
for list in "$@"; do
    for package in $(grep -v '^#' "$list"); do
        state=$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null || true)
        case "$state" in
        ii*) ;;
        *) missing="$missing $package" ;;
        esac
    done
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "penstock: these packages are missing and this is not a Debian machine:$missing" >&2
    exit 3
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "penstock: Debian packages are missing; run: sudo apt-get update && sudo apt-get install -y --no-install-recommends$missing" >&2
    exit 3
fi

echo "penstock: installing Debian packages:$missing"
# A policy-rc.d that answers 101 keeps maintainer scripts from starting services (invoke-rc.d(8)).
policy=/usr/sbin/policy-rc.d
made=""
if [ ! -e "$policy" ]; then
    made=yes
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
trap '[ -z "$made" ] || rm -f "$policy"' EXIT
trap 'exit 130' INT TERM
apt-get update -qq
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing </dev/null
