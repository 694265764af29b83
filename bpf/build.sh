#!/bin/sh
# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
#
# build.sh OUT: compiles sched.bpf.c to OUT, debug data stripped except BTF, and prints which compiler that was. The
# same compiler gives the same bytes wherever the checkout lies; sched.bpf.txt names the one of the committed object.
set -eu

out=$(realpath "$1")
cd "$(dirname "$0")"
clang=${CLANG:-clang}
strip=${LLVM_STRIP:-llvm-strip}
# <linux/types.h> includes <asm/types.h>, which Debian keeps under the machine's own name.
"$clang" --target=bpf -mcpu=v3 -O2 -g -Wall -Wextra -Wno-unused-parameter -Werror \
    -fdebug-compilation-dir=. -I"/usr/include/$(uname -m)-linux-gnu" -c sched.bpf.c -o "$out"
"$strip" -g "$out"
"$clang" --version | head -n 1
