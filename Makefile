# Ringway. `make` alone lists what there is; what a target needs, it makes itself.
#
# TRACES_DIR: a folder with the larger traces; tests that want one are skipped
#             without it, and say so
# FUZZTIME:   how long `make fuzz` spends on each target
# ROUNDS:     how many rounds `make bench` (11), `make bench-router` and `make
#             bench-cache` (31) take their medians over, and how often `make soak`
#             (20) does each thing
# SIZES:      fleets of `make evidence`, as nodes x runs: 10x5,50x3,200x3. Those of
#             200 take nearly all of the time
# LARGE:      fleets whose cost `make evidence` and `make bench-gossip` measure, as
#             agents+clients: 5+995

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS   += --no-print-directory
.DEFAULT_GOAL := help

FUZZTIME ?= 20s
SIZES    ?= 10x5,50x3,200x3
LARGE    ?= 5+995

# Packages that are tested at a time. Most tests wait for servers and clocks more than
# they compute: with one a processor both would be idle for half of the time.
AT_ONCE := 3

# Packages whose tests take longest: they begin first, so that none of them is left
# alone at the end.
LONGEST := ./cmd/ringway/internal/fleettest ./cache ./rebalance ./cmd/ringway ./internal/agent \
	./cmd/ringway/internal/demo ./router ./membership/gossip ./cmd/ringway/internal/resizetest ./cmd/ringsim

# Tests that are skipped with the race detector, and their packages: proctest.Computes.
COMPUTING := -run '^Test(Evidence|HelpExamplesRun|Scenarios|Zipf)$$' \
	./cmd/ringsim ./simulations/workload

# What package cache proves in full with `make soak`, and in small with `make test`.
CACHE_PROOFS := '^Test(ManyKeysExpireTogether|KeysCollide|Stampede|Coalescing|XFetch|Penetration|FillAgainstInvalidate|HoldOffForReplicas|SlowWriterLoses|Filter|StampedeAcrossResize|LeaseAcrossResize)'

# The compiler and staticcheck collect garbage seldom, up to 2 GB of it each: that saves
# a fifth of their time and more. No test runs with it.
SELDOM := GOGC=400 GOMEMLIMIT=2GiB

# Modules beside the main one, each with requirements that users of ringway do
# not inherit. internal/tools has no packages of its own to test.
OTHER_MODULES := internal/bench

# One that `make test` leaves out, for it has Prometheus compiled: see rules.
RULES := internal/rules

.PHONY: help
help: ## Show this list
	@echo "Ringway: keys to cache nodes by consistent hashing, and the simulator ringsim"
	@echo
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

.PHONY: demo
demo: go ## Resize a fleet on this machine under load, and check what was promised (a minute)
	@go run ./cmd/ringway demo

.PHONY: demo-sim
demo-sim: go ## Run ringsim on the bundled trace: what one more node costs, modulo against ring
	@go run ./cmd/ringsim

.PHONY: test
test: RACE = $(shell internal/tools/race.sh)
test: check servers ## Check and test everything (what check does, and all tests, with -race)
	@race="$(RACE)"; \
	export RINGWAY_REQUIRE_SERVERS=1; \
	for m in $(OTHER_MODULES); do \
		echo "== go test ./... in $$m"; \
		go -C $$m test -vet=off ./...; \
	done; \
	echo "== go test $$race ./..."; \
	go test -vet=off -p $(AT_ONCE) $$race $(LONGEST) ./...; \
	if [ -n "$$race" ]; then \
		echo "== go test of what only computes, without $$race"; \
		go test -vet=off $(COMPUTING); \
	fi

# vet and staticcheck have all packages and their tests compiled. For `make test` they
# have it done with the race detector, as the tests want it next: nothing is compiled
# twice for it. The other modules are tested without.
RACE :=

.PHONY: check
check: tools ## Check the code without running it (gofmt, go.mod, vet, staticcheck)
	@echo "== gofmt"
	@out="$$("$$(go env GOROOT)/bin/gofmt" -l .)"; [ -z "$$out" ] || { printf 'not formatted by gofmt:\n%s\n' "$$out" >&2; exit 1; }
	@race="$(RACE)"; export $(SELDOM); \
	for m in . $(OTHER_MODULES); do \
		flags="$$(go env GOFLAGS)"; [ "$$m" != . ] || flags="$$flags $$race"; \
		echo "== go mod tidy, go vet and staticcheck in $$m"; \
		go -C $$m mod tidy -diff; \
		GOFLAGS="$$flags" go -C $$m vet ./...; \
		(cd $$m && GOFLAGS="$$flags" "$(CURDIR)/.bin/staticcheck" ./...); \
	done

.PHONY: soak
soak: go servers ## Kill, cut and fill up a fleet at every step, ROUNDS (20) times each (hours), and the cache
	@export RINGWAY_REQUIRE_SERVERS=1 RINGWAY_SOAK=1; rounds="$(or $(ROUNDS),20)"; \
	go test ./cmd/ringway/internal/fleettest -run '^TestKilledAgents$$' -count=1 -timeout 24h -v -parallel 2 \
		-kill.places all -kill.rounds "$$rounds"; \
	go test ./cmd/ringway/internal/fleettest -run '^Test(HistoryOfResizes|HistoryOfAborts|CutBetweenServers|ReceiverIsFull|SourceIsFull|KilledRouter)$$' \
		$$(internal/tools/race.sh) -count="$$rounds" -timeout 24h -v -parallel 2; \
	go test ./cache -run $(CACHE_PROOFS) -count=1 -timeout 2h -v
	@$(MAKE) rules

.PHONY: rules
rules: tools ## Test that each alert rule fires when it should, with Prometheus's own engine (it is compiled first: minutes)
	@echo "== go mod tidy, go vet, staticcheck and go test in $(RULES)"
	@go -C $(RULES) mod tidy -diff
	@export $(SELDOM); cd $(RULES); go vet ./...; "$(CURDIR)/.bin/staticcheck" ./...
	@go -C $(RULES) test -vet=off -count=1 ./...

.PHONY: mutants
mutants: go servers ## Take each protection away, see that a test fails, and write docs/evidence
	@go run ./internal/mutants -write docs/evidence/mutations.md

.PHONY: fuzz
fuzz: go ## Fuzz each target for FUZZTIME (20s)
	@internal/tools/fuzz.sh $(FUZZTIME)

.PHONY: cover
cover: go ## Show which part of the code the tests reach, and write .cover/cover.html
	@mkdir -p .cover
	@go test -coverprofile=.cover/cover.out ./...
	@go tool cover -html=.cover/cover.out -o .cover/cover.html
	@go tool cover -func=.cover/cover.out | tail -n 1
	@echo "wrote .cover/cover.html"

.PHONY: bench
bench: go ## Print lookup and build times as ratios to modulo and to peers (some minutes)
	@go -C internal/bench run ./ratios $(if $(ROUNDS),-rounds $(ROUNDS))

.PHONY: bench-router
bench-router: go servers ## Print the router's speed as ratios to other clients, on real servers (some minutes)
	@go -C internal/bench run ./routers $(if $(ROUNDS),-rounds $(ROUNDS))

.PHONY: bench-cache
bench-cache: go servers ## Print the cache's speed as ratios to other caches, on real servers (some minutes)
	@go -C internal/bench run ./caches $(if $(ROUNDS),-rounds $(ROUNDS))

.PHONY: bench-gossip
bench-gossip: go ## Print what gossip costs each of 1000 members (ten minutes)
	@go test ./membership/gossip -run '^TestCost$$' -count=1 -timeout 2h -v -evidence.large "$(LARGE)"

.PHONY: evidence
evidence: go servers ## Measure fleets that agree, what a resize costs and what the cache promises, and write docs/evidence (two hours)
	@mkdir -p docs/evidence
	@go test ./membership/gossip -run '^(TestConvergence|TestCost)$$' -count=1 -timeout 6h \
		-evidence "$(CURDIR)/docs/evidence/membership.md" -evidence.sizes "$(SIZES)" -evidence.large "$(LARGE)"
	@echo "wrote docs/evidence/membership.md"
	@if [ -z "$${TRACES_DIR:-}" ] && [ -d ../shared/traces ]; then \
		TRACES_DIR="$$(cd ../shared/traces && pwd)"; export TRACES_DIR; \
	fi; \
	go test ./cmd/ringway/internal/resizetest -run '^TestHitRate$$' -count=1 -timeout 2h -v \
		-evidence "$(CURDIR)/docs/evidence/resize.md"
	@echo "wrote docs/evidence/resize.md"
	@if [ -z "$${TRACES_DIR:-}" ] && [ -d ../shared/traces ]; then \
		TRACES_DIR="$$(cd ../shared/traces && pwd)"; export TRACES_DIR; \
	fi; \
	go test ./cmd/ringsim -run '^TestEvidence$$' -count=1 -evidence "$(CURDIR)/docs/evidence/simulations.md"
	@echo "wrote docs/evidence/simulations.md"
	@go run -buildvcs=true ./cmd/ringsim report -o docs/evidence/headline.html
	@$(MAKE) proofs
	@$(MAKE) rules

# TestManyKeysExpireTogether is run small here; `make soak` runs it with 100,000 keys.
.PHONY: proofs
proofs: go servers ## The part of evidence that is the cache's: its proofs in full size (a quarter of an hour, an hour a package at most)
	@mkdir -p docs/evidence
	@export RINGWAY_REQUIRE_SERVERS=1 RINGWAY_SOAK=1; large='^TestManyKeysExpireTogether$$'; \
	{ failed=; \
	go test -p 1 -json -count=1 -timeout 1h -skip "$$large" -run "$$(go run ./internal/proofs/page -tests)" \
		$$(go run ./internal/proofs/page -packages) || failed=1; \
	RINGWAY_SOAK= go test -json -count=1 -run "$$large" ./cache || failed=1; \
	[ -z "$$failed" ]; } | go run ./internal/proofs/page -write docs/evidence/caching.md
	@echo "wrote docs/evidence/caching.md"

# What the targets above need.

.PHONY: go
go:
	@command -v go >/dev/null || { echo "make: Go 1.26 or later is needed: https://go.dev/dl" >&2; exit 1; }

# Tests run against real servers: redis-server and memcached are installed if
# they are missing.
.PHONY: servers
servers:
	@internal/tools/servers.sh

# The versions are pinned in internal/tools/go.mod. The build is cached: a
# second one takes no time.
.PHONY: tools
tools: go
	@mkdir -p .bin
	@export $(SELDOM); go -C internal/tools build -o "$(CURDIR)/.bin/" tool
