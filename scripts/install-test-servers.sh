#!/usr/bin/env bash
# Installs what the tests need and the machine lacks: a C compiler (for the race detector), PostgreSQL, Redis, Chromium,
# and Node.js with npm (for the tests of graph/nodetest).
# It does nothing where all are there. Debian and Ubuntu by apt-get, macOS by brew.
#
# PostgreSQL must be of major version 13 or later (DROP DATABASE … WITH (FORCE)); brew gets 17, apt-get the release's own: 15
# on Debian 12, 16 on Ubuntu 24.04, 17 on Debian 13. Redis 6 or later. Minor versions are the distribution's.
#
# Servers named by GOALGRAPH_TEST_DATABASE_URL and GOALGRAPH_TEST_REDIS_URL are used as they are, and not installed.
set -euo pipefail

readonly brew_postgresql=17

has() { command -v "$1" >/dev/null 2>&1; }

has_postgresql() {
	local initdb
	for initdb in /usr/lib/postgresql/*/bin/initdb /usr/pgsql-*/bin/initdb \
		/opt/homebrew/opt/postgresql@*/bin/initdb /usr/local/opt/postgresql@*/bin/initdb; do
		[[ -x $initdb ]] && return
	done
	has initdb
}

has_chromium() {
	has chromium || has chromium-browser || has google-chrome ||
		[[ -d "/Applications/Google Chrome.app" || -d /Applications/Chromium.app ]]
}

missing=()
has cc || has gcc || missing+=(gcc)
[[ -n ${GOALGRAPH_TEST_DATABASE_URL:-} ]] || has_postgresql || missing+=(postgresql)
[[ -n ${GOALGRAPH_TEST_REDIS_URL:-} ]] || has redis-server || missing+=(redis)
has_chromium || missing+=(chromium)
has node && has npm || missing+=(node)
((${#missing[@]})) || exit 0

echo "installing for the tests: ${missing[*]}"

if has apt-get; then
	packages=()
	for what in "${missing[@]}"; do
		case $what in
		gcc) packages+=(gcc libc6-dev) ;;
		redis) packages+=(redis-server) ;;
		node) packages+=(nodejs npm) ;;
		*) packages+=("$what") ;;
		esac
	done
	root=()
	if ((EUID != 0)); then
		root=(sudo)
	fi
	# The packages would start servers of their own, which nobody asked for: policy-rc.d says no for as long as this runs.
	policy=/usr/sbin/policy-rc.d
	if [[ ! -e $policy ]]; then
		trap '"${root[@]}" rm -f "$policy"' EXIT
		printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee "$policy" >/dev/null
		"${root[@]}" chmod 755 "$policy"
	fi
	"${root[@]}" apt-get update -q
	# Ubuntu has Chromium as a snap only, which this package brings; it needs a running snapd.
	if [[ " ${packages[*]} " == *" chromium "* ]] && ! apt-cache show chromium >/dev/null 2>&1; then
		packages=("${packages[@]/#chromium/chromium-browser}")
	fi
	"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${packages[@]}" </dev/null
elif has brew; then
	for what in "${missing[@]}"; do
		case $what in
		gcc) echo "run xcode-select --install" >&2 && exit 1 ;;
		postgresql) brew install "postgresql@$brew_postgresql" ;;
		redis) brew install redis ;;
		node) brew install node ;;
		chromium) brew install --cask chromium ;;
		esac
	done
else
	echo "neither apt-get nor brew is here; install by hand: ${missing[*]}" >&2
	exit 1
fi
