#!/usr/bin/env bash
# tidy.sh FLAGS -- FILE...: clang-tidy, two processes at a time; says what it found and fails if that is anything.
set -u
flags=()
while [ "$1" != -- ]; do flags+=("$1"); shift; done
shift
FLAGS=$(printf "%q " "${flags[@]}")
export FLAGS
printf '%s\n' "$@" | xargs -P 2 -n 8 bash -c 'out=$(eval clang-tidy --quiet "$@" -- $FLAGS 2>&1) || { echo "$out"; exit 1; }' tidy
