#!/usr/bin/env bash
# Runs pytest with what is given. On a busy machine a test can be late for anything: those that fail are run once more,
# one after another with the machine to themselves, and named with how that ended.
set -uo pipefail
pytest=("$(dirname "$0")/../.venv/bin/python" -m pytest)

# 16,000 files, for which some disks take half a minute: pytest would remove those of an earlier run before it ends.
files=$(mktemp -d "${TMPDIR:-/tmp}/tests-XXXXXX")

"${pytest[@]}" --basetemp "$files/first" "$@"
code=$?
if [ "$code" -ne 1 ]; then # 1: tests failed. After all else there is nothing to repeat.
    (rm -rf "$files" >/dev/null 2>&1 &)
    exit "$code"
fi
printf '\n=== what failed, once more; what the tests wrote stays in %s\n' "$files"
exec "${pytest[@]}" --basetemp "$files/again" "$@" --last-failed --last-failed-no-failures none -n 0 -v
