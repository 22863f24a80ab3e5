#!/usr/bin/env bash
# Generates all code again, in place, and fails if a file changed, is new or is gone.
set -euo pipefail
cd "$(dirname "$0")/.."

# Lists every file that git does not ignore, with a hash of its content, so that uncommitted work can be checked too.
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
	echo "generated code is out of date; these files changed (<: before, >: after):" >&2
	printf '%s\n' "$difference" >&2
	exit 1
fi
