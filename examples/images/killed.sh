#!/usr/bin/env bash
# killed.sh BINARY OPTIONS...: runs an example of images once as it is, and once killed again and again after random
# times and resumed; all files of both runs must have the same bytes. OPTIONS lack --out and --resume.
set -euo pipefail
home=$(mktemp -d)
trap 'rm -r "$home"' EXIT
"$@" --out "$home/whole" > "$home/whole.log"
kills=0
while :; do
    "$@" --out "$home/parts" --resume > "$home/parts.log" &
    run=$!
    sleep "$((RANDOM % ${LONGEST:-6} + 1)).$((RANDOM % 10))"
    kill -KILL "$run" 2> /dev/null && kills=$((kills + 1))
    wait "$run" && break
done 2> /dev/null
# A report names the command, and with it the folder.
diff -r -x report.html "$home/whole" "$home/parts"
echo "$(find "$home/whole" -type f | wc -l) files with the same bytes after $kills kills"
