#!/bin/sh
# Renews the list of crawlers. Change the version here and in doc.go, run
# `go generate ./server/ingest/bots`, then the tests: they match every pattern
# against the user agents that the list itself names.
set -eu
version=1.60.0
folder=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
npm pack --silent "crawler-user-agents@$version" >/dev/null
tar xzf "crawler-user-agents-$version.tgz"
cp package/crawler-user-agents.json package/LICENSE "$folder"
