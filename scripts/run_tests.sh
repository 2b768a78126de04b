#!/usr/bin/env bash
# Runs pytest with what is given. On a busy machine a test can be late for anything: those that fail are run once more,
# one after another with the machine to themselves, and named with how that ended.
set -uo pipefail
pytest=("$(dirname "$0")/../.venv/bin/python" -m pytest)

"${pytest[@]}" "$@"
code=$?
[ "$code" -eq 1 ] || exit "$code" # 1: tests failed. After all else there is nothing to repeat.
printf '\n=== what failed, once more\n'
exec "${pytest[@]}" "$@" --last-failed --last-failed-no-failures none -n 0 -v
