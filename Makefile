# The tools are `tool` lines of go.mod, at exact versions.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# Set PACKAGES to test less: make test PACKAGES=./model/...
PACKAGES ?= ./...
TESTFLAGS ?=
FUZZTIME ?= 10s
BENCHTIME ?= 1s
BENCH ?= .

# Of make bench. BENCH_DIR keeps its databases for the next run of the same size and seed; BENCHFLAGS may be -refill or -reindex.
SESSIONS ?= 1000000
DAYS ?= 90
SEED ?= 1
QUESTIONS ?= 20
BENCH_DIR ?=
BENCHFLAGS ?=

# Of make soak, both databases together.
SOAK_QUESTIONS ?= 10000

.PHONY: help run build test check check-generated generate bench bench-go bench-experiment bench-import bench-track test-landing-page soak soak-live soak-plugins soak-track fmt lint fuzz

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## build the server and serve the sample at http://localhost:8080/graphiql/
	go run ./server serve --auth none --sample

build: ## write bin/goalgraph
	go build -trimpath -o bin/goalgraph ./server

test: bin/with-test-servers ## get PostgreSQL, Redis and Chromium where they are missing, and run all tests
	scripts/install-test-servers.sh
	bin/with-test-servers go test -race -timeout 10m -parallel 3 $(TESTFLAGS) $(PACKAGES)

test-landing-page: bin/with-test-servers ## import all 325,337 messages of a published A/B test into each database, and ask for its results
	scripts/install-test-servers.sh
	GOALGRAPH_LANDING_PAGE=all bin/with-test-servers go test -v -run '^TestLandingPage$$' -count 1 -timeout 30m ./server

check: test lint check-generated ## test, lint and check-generated: all that CI asks for

generate: ## write all generated code again (needs Node.js 20 and protoc)
	go generate ./...

check-generated: ## fail if generated code is not what generate writes
	scripts/check-generated.sh

bench: build ## count beside PostgreSQL and DuckDB: make bench SESSIONS=10000000 DAYS=90 SEED=1
	scripts/install-test-servers.sh
	go run ./server/bench -sessions $(SESSIONS) -days $(DAYS) -seed $(SEED) -questions $(QUESTIONS) -dir '$(BENCH_DIR)' $(BENCHFLAGS)

bench-go: bin/with-test-servers ## run the benchmarks of Go: make bench-go PACKAGES=./model/count BENCH=Matrix BENCHTIME=5s
	scripts/install-test-servers.sh
	bin/with-test-servers go test -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -benchmem $(TESTFLAGS) $(PACKAGES)

bench-import: bin/with-test-servers ## import logs of 1 and 2 million lines: lines/s, peak memory, and how much longer than writing the bare rows
	scripts/install-test-servers.sh
	GOALGRAPH_BENCH_LINES="1000000 2000000" bin/with-test-servers go test -run '^$$' -bench '^BenchmarkImport$$' -benchtime 1x -timeout 60m ./server

bench-experiment: bin/with-test-servers ## results of an experiment with a million visitors, beside SQL in the same PostgreSQL: milliseconds and ratios
	scripts/install-test-servers.sh
	GOALGRAPH_BENCH_VISITORS=1000000 bin/with-test-servers go test -v -run '^$$' -bench '^BenchmarkResults$$' -benchtime 5x -timeout 60m ./model/count

bench-track: bin/with-test-servers ## send batches of messages over HTTP: messages/s beside the bare rows, time to acknowledge, memory
	scripts/install-test-servers.sh
	GOALGRAPH_BENCH_SECONDS=15 bin/with-test-servers go test -run '^$$' -bench '^BenchmarkTrack$$' -benchtime 1x -timeout 60m ./server

soak-track: bin/with-test-servers ## the same for ten minutes and ten kills: is memory bounded, does every message count once
	scripts/install-test-servers.sh
	GOALGRAPH_KILLS=10 bin/with-test-servers go test -run '^TestTrack(Database)?Killed$$' -count 1 -timeout 60m ./server
	GOALGRAPH_BENCH_SECONDS=300 bin/with-test-servers go test -run '^$$' -bench '^BenchmarkTrack$$' -benchtime 1x -timeout 60m ./server

soak-live: bin/with-test-servers ## 5,000 subscribers of a site of a million sessions while 2,000 messages a second come in, on one node and two
	scripts/install-test-servers.sh
	GOALGRAPH_SUBSCRIBERS=5000 GOALGRAPH_LIVE_SESSIONS=1000000 GOALGRAPH_LIVE_RATE=2000 bin/with-test-servers go test -v -run '^TestAudience$$' -count 1 -timeout 30m ./server

soak-plugins: bin/with-test-servers ## reload a plugin 100 times while requests are answered, kill one amid them, and have one hang
	scripts/install-test-servers.sh
	GOALGRAPH_RELOADS=100 GOALGRAPH_CLIENTS=1000 bin/with-test-servers go test -v -run '^(TestPluginOfARunningServer|TestRequestsDuringReloads|TestPluginKilledAmidRequests|TestPluginThatHangsDelaysNobodyElse)' -count 1 -timeout 30m ./server

soak: bin/with-test-servers ## ask random questions while everything happens at once: make soak SOAK_QUESTIONS=10000
	scripts/install-test-servers.sh
	SOAK_QUESTIONS=$(SOAK_QUESTIONS) bin/with-test-servers go test -v -count 1 -run '^TestLive' -timeout 60m ./model/count ./server

fmt: ## format the Go files
	gofmt -w $$(git ls-files --cached --others --exclude-standard -- '*.go')

lint: ## gofmt, go vet and staticcheck
	@unformatted=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard -- '*.go')); \
		if [ -n "$$unformatted" ]; then printf 'not formatted, run make fmt:\n%s\n' "$$unformatted" >&2; exit 1; fi
	go vet ./...
	GOARCH=arm64 go vet ./model/column # the one package with files for some processors
	go tool staticcheck ./...

fuzz: bin/with-test-servers ## run each fuzz target for a short time: make fuzz FUZZTIME=1m
	scripts/install-test-servers.sh
	bin/with-test-servers scripts/fuzz.sh $(FUZZTIME)

# Phony, because go build knows best whether it is up to date.
.PHONY: bin/with-test-servers
bin/with-test-servers:
	@go build -o $@ ./scripts/with-test-servers
