#!/usr/bin/env bash
# Runs every fuzz target, each for a time: scripts/fuzz.sh [TIME]. The default is 10s.
set -euo pipefail
cd "$(dirname "$0")/.."

time=${1:-10s}
found=0
while IFS=: read -r file target; do
	package=./$(dirname "$file")
	echo "== $package $target"
	go test -tags system -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package"
	found=$((found + 1))
done < <(git ls-files --cached --others --exclude-standard -- '*_test.go' |
	xargs -r grep -Ho '^func Fuzz[A-Za-z0-9_]*' /dev/null | sed 's/:func /:/')
echo "$found fuzz targets"
