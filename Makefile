# make demo and make test are all a newcomer needs. Both install what is
# missing first (Debian packages, pinned programs through the Go module proxy).

include integration/setup/versions.mk

GO      ?= go
CACHE   ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/hatchdog
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS  = -s -w -X main.version=$(VERSION)
TOOLS    = $(CACHE)/tools
FUZZTIME ?= 20s
# How many system calls are tried on compiled filters in make fuzz, per test.
PROBES   ?= 20000000
# How many whole requests are made up in make fuzz.
REQUESTS ?= 1000000
# The containerd that our shim is made from.
SHIM_VERSION = $(shell sed -n 's|^\tgithub.com/containerd/containerd/v2 ||p' go.mod)
BIN     ?= bin

# Kernel features that the tests may not skip for lack of. A test that needs
# one that is not listed says so and is skipped where the kernel lacks it.
HATCHDOG_REQUIRE ?= root,netns,overlay,cgroup,pids,memory

export HATCHDOG_CACHE = $(CACHE)
export HATCHDOG_REQUIRE
export RUNC_VERSION CONTAINERD_VERSION DOCKERD_VERSION DOCKER_CLI_VERSION RUNC_2023

UNIT = $(shell $(GO) list ./... | grep -v /integration)

.PHONY: all build test unit integration test-k8s test-engines test-vm soak-vm docs docs-look lint tools fuzz golden golden-specs compatibility suites critest freshness bench bench-peers soak demo setup package nfpm clean

all: build

build:
	@mkdir -p $(BIN)
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/ ./cmd/hatchdog ./cmd/hatchctl
	CGO_ENABLED=0 $(GO) build -trimpath -tags no_grpc -ldflags '$(LDFLAGS)' -o $(BIN)/ ./cmd/containerd-shim-hatchdog-v1

# Everything: the unit tests with the race detector, then as root the tests
# against real runc, Docker and containerd, then in a virtual machine those that
# need AppArmor or control groups of version 2.
test: setup unit integration test-vm

unit:
	CGO_ENABLED=1 $(GO) test -race $(UNIT)
	$(GO) -C docs/site test ./...

integration: setup nfpm
	@test -d $(CACHE)/kubernetes-$(KUBERNETES_VERSION) || echo 'integration: without the Kubernetes node, whose programs are not built; make test-k8s builds them and runs it'
	@test -d $(CACHE)/kube-router-$(KUBE_ROUTER_VERSION) || echo 'integration: without kube-router, which is not built; make test-k8s builds it and runs it'
	@for engine in buildkit nerdctl crio; do ls -d $(CACHE)/$$engine-v* >/dev/null 2>&1 || echo "integration: without $$engine, which is not built; make test-engines builds it and runs it"; done
	$(GO) test -count=1 -timeout 60m ./integration/...
	$(GO) -C integration/kubernetes test ./...
	$(GO) -C integration/export test -count=1 ./...

# Kubernetes of one node; the first time its programs are built. K8SRUN=REGEXP
# runs only these tests.
test-k8s: setup
	@for package in etcd-server ipset libipset13; do integration/setup/debian.sh $(CACHE) $$package || exit 1; done
	@for program in kubernetes kube-proxy kube-router; do integration/setup/build.sh $(CACHE) $$program || exit 1; done
	HATCHDOG_REQUIRE=$(HATCHDOG_REQUIRE),kubernetes,kube-router $(GO) test -count=1 -timeout 30m ./integration -run '$(or $(K8SRUN),^TestCluster)'

# What takes some minutes to build: BuildKit by itself, nerdctl, CRI-O. ENGINERUN=REGEXP
# runs only these tests.
test-engines: setup
	@for engine in buildkit nerdctl crio; do integration/setup/build.sh $(CACHE) $$engine || exit 1; done
	HATCHDOG_REQUIRE=$(HATCHDOG_REQUIRE),buildkit,nerdctl,crio $(GO) test -count=1 -timeout 20m ./integration -run '$(or $(ENGINERUN),^TestBuildKit|^TestNerdctl|^TestCRIO$$)'

# VMRUN=REGEXP runs only these tests, VMTIER=NAME boots only this tier, VMLOOPS=N
# does it all N times.
test-vm: setup
	@$(GO) run ./integration/vm -run '$(VMRUN)' -tier '$(VMTIER)' -loops $(or $(VMLOOPS),1)

# The soak of Docker and CRI on control groups of version 2.
soak-vm: setup
	@$(GO) run ./integration/vm -tier soak

# dist/docs: README.md and docs/ as static pages.
docs:
	@$(GO) -C docs/site run . -out $(CURDIR)/dist/docs

# Looks at the pages in a browser, on a phone's width and on a desk's; the pictures
# are in dist/look.
docs-look:
	@integration/setup/packages.sh docs
	@mkdir -p dist/look
	LOOK=$(CURDIR)/dist/look $(GO) -C docs/site test -count=1 -tags browser -run TestPagesFitAScreen ./...

lint: tools
	internal/tools/words.sh
	$(TOOLS)/golangci-lint run ./...
	cd integration/cri && $(TOOLS)/golangci-lint run --config ../../.golangci.yml ./...
	cd docs/site && $(TOOLS)/golangci-lint run --config ../../.golangci.yml ./...
	cd integration/export && $(TOOLS)/golangci-lint run --config ../../.golangci.yml ./...
	cd integration/suites/registry && $(TOOLS)/golangci-lint run --config ../../../.golangci.yml ./...
	internal/tools/vulnerabilities.sh $(TOOLS)/govulncheck ./...

# The tools have a go.mod of their own, so that ours holds what we ship.
tools:
	@mkdir -p $(TOOLS)
	@test -x $(TOOLS)/golangci-lint || echo 'tools: building the linters; the first time takes some minutes'
	@$(GO) -C internal/tools build -o $(TOOLS)/ tool

# One of them, which the tests of the packages need too.
nfpm:
	@mkdir -p $(TOOLS)
	@$(GO) -C internal/tools build -o $(TOOLS)/ github.com/goreleaser/nfpm/v2/cmd/nfpm

# Each fuzz test for FUZZTIME.
fuzz:
	internal/tools/fuzz.sh $(FUZZTIME)
	$(GO) test ./internal/door -count=1 -timeout 6h -v -run TestAnyRequest -args -requests $(REQUESTS)
	HATCHDOG_PROBES=$(PROBES) $(GO) test ./internal/seccomp/proof -count=1 -timeout 60m -v -run 'TestRealFilters|TestMadeUpFilters|TestEvaluate'

# Rewrites the golden files, in the packages that have some. Read the diff before
# you commit it.
golden:
	$(GO) test $$(grep -rl --include='*_test.go' 'flag.Bool("update"' . | xargs -n1 dirname | sort -u) -run Golden -update

# Takes the specs of the newest Docker and containerd anew, as root; then make golden.
golden-specs: setup
	$(GO) test -count=1 ./integration -run 'TestCurrentDockersSpecs|TestCurrentContainerdsSpecs' -update-specs

# Runs other runtimes' own suites over hatchdog, as root; 40 minutes. SUITE=FILES
# takes some files of runc's alone.
suites: build critest
	@integration/setup/build.sh $(CACHE) runc
	@integration/suites/run.sh $(CACHE) $(BIN) $(RUNC_VERSION) $(SUITE)
	@integration/suites/runtime-tools.sh $(CACHE) $(BIN) $(RUNC_VERSION)

# Kubernetes' validation of container runtimes, by itself.
critest: setup
	@integration/suites/critest.sh $(CACHE) $(CRITEST_VERSION)

# Writes down anew which entry points of images run under which profile; then make golden.
compatibility: setup
	$(GO) test -count=1 -timeout 45m ./integration -run TestEntryPoints -update-compatibility

# Says which of our lists upstream's has left behind.
freshness:
	$(GO) test -count=1 ./integration/freshness

bench: build
	@integration/setup/setup.sh $(CACHE) bench
	@$(GO) run ./integration/bench -rounds $(or $(ROUNDS),30) -hatchdog $(BIN)/hatchdog -runc $(CACHE)/runc-$(RUNC_VERSION)/runc \
		-containerd $(CACHE)/containerd-$(CONTAINERD_VERSION)/containerd -stock-shim $(CACHE)/shim-$(SHIM_VERSION)/containerd-shim-runc-v2 -shim $(BIN)/containerd-shim-hatchdog-v1 \
		-hatchctl $(BIN)/hatchctl -servers "$$(ls -t $(CACHE)/servers-*.tar | head -n1)"
	@$(GO) test -run '^$$' -bench . -benchmem ./internal/bundle ./internal/door
	@gcc -static -O1 -o $(BIN)/ruler integration/ruler/ruler.c
	@PATH=$(CACHE)/runc-$(RUNC_VERSION):$$PATH $(GO) run ./integration/boxes -hatchctl $(BIN)/hatchctl -ruler $(BIN)/ruler

# Against other runtimes and Podman, which it fetches and builds first.
bench-peers: build
	@integration/setup/setup.sh $(CACHE) peers
	@$(GO) run ./integration/bench -rounds $(or $(ROUNDS),30) -hatchdog $(BIN)/hatchdog -runc $(CACHE)/runc-$(RUNC_VERSION)/runc \
		-runsc $(CACHE)/runsc-$(RUNSC_VERSION)/runsc -crun "$$(echo $(CACHE)/newest-crun-*/crun)" -podman "$$(command -v podman)"

# As many containers as CYCLES, at each door, leave nothing behind. Of as many with names,
# and of LOOKUPS look-ups, no packet leaves but to what the policy names.
soak: setup
	$(GO) test -count=1 -timeout 0 ./integration -run '^TestSoak' -args -cycles $(or $(CYCLES),10000) -watched $(or $(WATCHED),200)
	$(GO) test -count=1 -timeout 0 ./internal/effects/resolver -run '^TestManyQuestions$$' -args -lookups $(or $(LOOKUPS),100000)

# A line for each step of the set-up, then the demo. PICTURE=FILE draws the table.
demo:
	@integration/setup/setup.sh $(CACHE) demo
	@echo 'demo: building hatchdog'
	@{ $(MAKE) -s build && $(GO) build -o $(CACHE)/demo ./integration/demo; } >$(CACHE)/demo.log 2>&1 || { tail -n 20 $(CACHE)/demo.log; exit 1; }
	@$(CACHE)/demo -bin $(BIN) -runc $(CACHE)/runc-$(RUNC_VERSION)/runc -svg '$(PICTURE)'

setup:
	@integration/setup/setup.sh $(CACHE) all

# dist/*.deb and dist/*.rpm.
package: build nfpm
	deploy/package/build.sh $(TOOLS)/nfpm $(VERSION) $(BIN)

clean:
	rm -rf bin dist
