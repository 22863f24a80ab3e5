#!/usr/bin/env bash
# Installs what the tests need and the machine does not have:
#
#   install-test-servers.sh         a C compiler (for the race detector), PostgreSQL, Redis, HAProxy, nginx, Caddy,
#                                   Node.js with npm, Chromium
#   install-test-servers.sh unit    only what make test-unit needs: the C compiler, PostgreSQL and Redis
#
# It uses apt-get on Debian and Ubuntu, and brew on macOS. If nothing is missing it does nothing.
#
# PostgreSQL must be major version 13 or later (for DROP DATABASE … WITH (FORCE)). brew installs 17, apt-get the
# release's own: 15 on Debian 12, 16 on Ubuntu 24.04, 17 on Debian 13. Redis must be 6 or later. HAProxy must be 2.6 or
# later: Debian 12 has 2.6, Ubuntu 24.04 has 2.8, Debian 13 has 3.0. nginx must be 1.22 or later, and Caddy 2.6: Debian
# 12 and Ubuntu 24.04 have 2.6. The distribution decides the minor versions.
#
# A server that GOALGRAPH_TEST_DATABASE_URL or GOALGRAPH_TEST_REDIS_URL names is used as it is and not installed.
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

# Debian keeps these in a folder that is not in everybody's PATH.
has_proxy() {
	has "$1" || [[ -x /usr/sbin/$1 ]]
}

has_chromium() {
	has chromium || has chromium-browser || has google-chrome ||
		[[ -d "/Applications/Google Chrome.app" || -d /Applications/Chromium.app ]]
}

missing=()
has cc || has gcc || missing+=(gcc)
[[ -n ${GOALGRAPH_TEST_DATABASE_URL:-} ]] || has_postgresql || missing+=(postgresql)
[[ -n ${GOALGRAPH_TEST_REDIS_URL:-} ]] || has redis-server || missing+=(redis)
if [[ ${1:-} != unit ]]; then
	for proxy in haproxy nginx caddy; do
		has_proxy "$proxy" || missing+=("$proxy")
	done
	has_chromium || missing+=(chromium)
	has node && has npm || missing+=(node)
fi
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
	# The packages start servers when they are installed, which nobody asked for: policy-rc.d forbids it while this runs.
	policy=/usr/sbin/policy-rc.d
	if [[ ! -e $policy ]]; then
		trap '"${root[@]}" rm -f "$policy"' EXIT
		printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee "$policy" >/dev/null
		"${root[@]}" chmod 755 "$policy"
	fi
	"${root[@]}" apt-get update -q
	# Ubuntu has Chromium only as a snap. Its package chromium-browser installs the snap, and needs a running snapd.
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
		haproxy | nginx | caddy) brew install "$what" ;;
		node) brew install node ;;
		chromium) brew install --cask chromium ;;
		esac
	done
else
	echo "found neither apt-get nor brew; please install: ${missing[*]}" >&2
	exit 1
fi
