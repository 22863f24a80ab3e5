# Development tools are `tool` lines of go.mod, at exact versions.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# Packages, flags and times of the test targets: make test PACKAGES=./model/... TESTFLAGS=-v
PACKAGES ?= ./...
TESTFLAGS ?=
FUZZTIME ?= 10s
BENCHTIME ?= 1s
BENCH ?= .

# Settings of make bench. BENCH_DIR keeps the databases for the next run with the same size and seed.
# BENCHFLAGS may be -refill or -reindex.
SESSIONS ?= 1000000
DAYS ?= 90
SEED ?= 1
QUESTIONS ?= 20
BENCH_DIR ?=
BENCHFLAGS ?=

# Folder of make screenshots.
SCREENSHOTS ?= screenshots

# Numbers of sessions of make bench-scale, growing.
SIZES ?= 10000000 30000000 100000000

# Number of simulated tests of each row of make simulate-experiments.
SIMULATED_TESTS ?= 2000

# Number of questions of make soak, over both databases.
SOAK_QUESTIONS ?= 10000

# Number of rounds of make soak-lost, over each database.
LOST_ROUNDS ?= 1000

# Number of rounds of make soak-order, over each database.
ORDER_ROUNDS ?= 50

# System tests build the server, install npm packages, or run Chromium, HAProxy or DuckDB. They have the build tag
# `system`.
SYSTEM := -tags system
# Runs its arguments with a PostgreSQL and a Redis.
SERVERS := bin/with-test-servers
# lint looks at the code of tests too.
GO_TEST := $(SERVERS) go test -vet=off
# Tests wait for databases and processes for much of their time, so more packages are tested at once than there are processors.
TEST_LIMITS := -timeout 30m -p 4 -parallel 3
# SQLite, a translation from C, is not watched: that would take as long as all else. Its driver must be: it shares generic
# code of the standard library with us, and the linker keeps one copy for all.
UNWATCHED := -race=false -d=checkptr=0
DETECT_RACES := -race -gcflags='modernc.org/sqlite/lib=$(UNWATCHED)' -gcflags='modernc.org/libc=$(UNWATCHED)'
# RACE=-race lets the system tests look for races too. The server that they start is then several times slower.
RACE ?=

.PHONY: help run build test test-unit test-system check check-generated generate bench bench-go bench-experiment \
	bench-assignment bench-import bench-scale bench-track screenshots simulate-experiments test-landing-page soak soak-allocation soak-assignment soak-dashboard soak-limits soak-live soak-lost soak-order soak-plugins soak-track fmt lint fuzz test-servers unit-test-servers

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## serve the sample site at http://localhost:8080/
	go run ./server serve --auth none --sample

build: ## build bin/goalgraph
	go build -trimpath -o bin/goalgraph ./server

test: test-unit test-system ## run all tests

test-unit: unit-test-servers ## run all tests except the system tests, with the race detector
	$(GO_TEST) $(DETECT_RACES) $(TEST_LIMITS) $(TESTFLAGS) $(PACKAGES)

test-system: PACKAGES = ./server ./server/app/graphiql ./server/bench
test-system: test-servers ## run the system tests: they build the server, install npm packages, run Chromium, HAProxy or DuckDB (RACE=-race)
	$(GO_TEST) $(RACE) $(TEST_LIMITS) $(SYSTEM) $(TESTFLAGS) $(PACKAGES)

test-landing-page: test-servers ## import all 325,337 messages of a published A/B test into each database and check its results
	GOALGRAPH_LANDING_PAGE=all $(GO_TEST) $(SYSTEM) -v -run '^TestLandingPage$$' -count 1 -timeout 30m ./server

screenshots: test-servers ## take pictures of every screen of the dashboard: make screenshots SCREENSHOTS=folder
	mkdir -p '$(SCREENSHOTS)'
	GOALGRAPH_SCREENSHOTS='$(abspath $(SCREENSHOTS))' $(GO_TEST) $(SYSTEM) -count 1 -run '^TestDashboardLooks$$' ./server

check: test lint check-generated ## run everything that CI runs: test, lint, check-generated

generate: ## write all generated code again (needs Node.js 20 and protoc)
	go generate ./...

check-generated: ## fail if generated code is out of date
	scripts/check-generated.sh

bench: build test-servers ## compare with PostgreSQL and DuckDB: make bench SESSIONS=10000000 DAYS=90 SEED=1
	go run ./server/bench -sessions $(SESSIONS) -days $(DAYS) -seed $(SEED) -questions $(QUESTIONS) -dir '$(BENCH_DIR)' $(BENCHFLAGS)

bench-scale: build test-servers ## load, memory and counts as sessions grow: make bench-scale SIZES="10000000 30000000 100000000"
	go run ./server/bench -scale '$(shell echo $(SIZES) | tr ' ' ,)' -days $(DAYS) -seed $(SEED) -questions 12 -dir '$(BENCH_DIR)' $(BENCHFLAGS)

bench-go: test-servers ## run Go benchmarks: make bench-go PACKAGES=./model/count BENCH=Matrix BENCHTIME=5s
	$(GO_TEST) $(SYSTEM) -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -benchmem $(TESTFLAGS) $(PACKAGES)

bench-import: test-servers ## import logs of 1 and 2 million lines: lines/s, peak memory, slowdown against bare inserts
	GOALGRAPH_BENCH_LINES="1000000 2000000" $(GO_TEST) $(SYSTEM) -run '^$$' -bench '^BenchmarkImport$$' -benchtime 1x -timeout 60m ./server

bench-experiment: test-servers ## results of an experiment with a million visitors, compared with SQL in the same PostgreSQL
	GOALGRAPH_BENCH_VISITORS=1000000 $(GO_TEST) -v -run '^$$' -bench '^BenchmarkResults$$' -benchtime 5x -timeout 60m ./model/...

simulate-experiments: ## play thousands of experiments whose truth is known: false winners, power, coverage
	go run ./model/stats/simulate -tests $(SIMULATED_TESTS)

bench-track: test-servers ## send batches of messages over HTTP: messages/s against bare inserts, time to acknowledge, memory
	GOALGRAPH_BENCH_SECONDS=15 $(GO_TEST) $(SYSTEM) -run '^$$' -bench '^BenchmarkTrack$$' -benchtime 1x -timeout 60m ./server

soak: test-servers ## ask random questions while data changes and servers restart: make soak SOAK_QUESTIONS=10000
	SOAK_QUESTIONS=$(SOAK_QUESTIONS) $(GO_TEST) $(SYSTEM) -v -count 1 -timeout 60m ./model/... ./server \
		-run '^Test(Live(Servers)?|Count(FollowsWrites)?|Sessions|DamagedColumns|StoreColumnsAtOnce|MemoryIsBounded|Results(AfterWrites)?)$$'

soak-limits: test-servers ## attack a server in all the ways that docs/limits.md names: a client beside is answered as fast as ever, memory stays bounded
	GOALGRAPH_ATTACKS=all $(GO_TEST) $(SYSTEM) -v -run '^TestAttacks$$' -count 1 -timeout 30m ./server

soak-dashboard: test-servers ## 500 updates of 50 goals and 20 segments in a browser: from update to paint, keys, memory
	GOALGRAPH_UPDATES=500 $(GO_TEST) $(SYSTEM) -v -run '^TestDashboard$$/^large_table$$' -count 1 -timeout 30m ./server

soak-allocation: ## allocate a million visitors of 50 experiments: splits, pairs, layers and holdouts are as chance gives
	GOALGRAPH_ALLOCATION_IDS=1000000 go test -v -count 1 -run '^TestAllocationsAreFair$$' ./model/allocation

soak-assignment: test-servers ## 2,000 visitors of a page on two servers that are killed; 100,000 visitors against GrowthBook's own SDK
	GOALGRAPH_ASSIGNED_VISITORS=2000 GOALGRAPH_ALLOCATION_IDS=100000 $(GO_TEST) $(SYSTEM) -v -run '^Test(AssignedVisitors|GrowthBook)$$' -count 1 -timeout 30m ./server

bench-assignment: test-servers ## evaluate flags 2,000 times a second beside 2,000 messages a second: time to answer
	GOALGRAPH_BENCH_SECONDS=15 $(GO_TEST) $(SYSTEM) -run '^$$' -bench '^BenchmarkEvaluate$$' -benchtime 1x -timeout 30m ./server

soak-live: test-servers ## 5,000 subscribers of a site with a million sessions and 2,000 messages a second, on one and two nodes
	GOALGRAPH_SUBSCRIBERS=5000 GOALGRAPH_LIVE_SESSIONS=1000000 GOALGRAPH_LIVE_RATE=2000 $(GO_TEST) $(SYSTEM) -v -run '^TestAudience$$' -count 1 -timeout 30m ./server

soak-lost: test-servers ## lose writes by restores, clones, crashes and failovers while engines count: make soak-lost LOST_ROUNDS=1000
	GOALGRAPH_LOST_ROUNDS=$(LOST_ROUNDS) $(GO_TEST) $(SYSTEM) -v -count 1 -run '^TestLost' -timeout 180m ./model/engine

soak-order: test-servers ## deliver messages in any order, by servers and imports at once, with kills: make soak-order ORDER_ROUNDS=50
	GOALGRAPH_ORDER_ROUNDS=$(ORDER_ROUNDS) GOALGRAPH_KILLS=5 $(GO_TEST) $(SYSTEM) -v -count 1 -run '^TestOrder$$' -timeout 180m ./server

soak-plugins: test-servers ## reload a plugin 100 times while requests run, kill one during requests, and let one hang
	GOALGRAPH_RELOADS=100 GOALGRAPH_CLIENTS=1000 $(GO_TEST) $(SYSTEM) -v -run '^(TestPluginOfARunningServer|TestRequestsDuringReloads|TestPluginKilledAmidRequests|TestPluginThatHangsDelaysNobodyElse)' -count 1 -timeout 30m ./server

soak-track: test-servers ## send messages for ten minutes with ten kills: memory stays bounded, every message counts once
	GOALGRAPH_KILLS=10 $(GO_TEST) $(SYSTEM) -run '^TestTrack(Database)?Killed$$' -count 1 -timeout 60m ./server
	GOALGRAPH_BENCH_SECONDS=300 $(GO_TEST) $(SYSTEM) -run '^$$' -bench '^BenchmarkTrack$$' -benchtime 1x -timeout 60m ./server

fmt: ## format the Go files
	gofmt -w $$(git ls-files --cached --others --exclude-standard -- '*.go')

# Each tag set is one that tests are built with; arm64 is for the package with files of its own for some processors.
# No file is left out with the tag of the system tests, so one look sees all.
lint: ## run gofmt, go vet and staticcheck
	@unformatted=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard -- '*.go')); \
		if [ -n "$$unformatted" ]; then printf 'not formatted, run make fmt:\n%s\n' "$$unformatted" >&2; exit 1; fi
	go vet $(SYSTEM) ./...
	GOARCH=arm64 go vet ./model/column
	go tool staticcheck $(SYSTEM) ./...

fuzz: test-servers ## run each fuzz target for a short time: make fuzz FUZZTIME=1m
	$(SERVERS) scripts/fuzz.sh $(FUZZTIME)

# Installs what is missing, and builds the program that starts the servers. The program is phony, because go build knows best
# whether it is up to date.
test-servers:
	scripts/install-test-servers.sh
	@go build -o $(SERVERS) ./scripts/with-test-servers

unit-test-servers:
	scripts/install-test-servers.sh unit
	@go build -o $(SERVERS) ./scripts/with-test-servers
