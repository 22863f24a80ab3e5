#!/usr/bin/env bash
# Generates everything again, in place, and fails if a file differs from what was there, is new, or is gone.
set -euo pipefail
cd "$(dirname "$0")/.."

# Every file that git tracks or would: content, not commits, so that it can be run on work that is not committed yet.
state() {
	git ls-files -z --cached --others --exclude-standard |
		while IFS= read -r -d '' file; do
			if [[ -f $file ]]; then
				printf '%s  %s\n' "$(git hash-object -- "$file")" "$file"
			fi
		done
}

before=$(state)
make --no-print-directory generate
if ! difference=$(diff <(printf '%s\n' "$before") <(state)); then
	echo "generated code is not up to date; these files have changed (<: before, >: after):" >&2
	printf '%s\n' "$difference" >&2
	exit 1
fi
