# Coracle: all of Kubernetes in one program. `make help` lists what there is.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

GO       ?= go
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
KUBERNETES := $(shell sed -n 's/^\tk8s.io\/apiserver v0\./v1./p' go.mod)
X        := k8s.io/component-base/version
# Functions at multiples of 8 instead of 32 bytes: there are 150000.
LDFLAGS  := -s -w -funcalign=8 -X $(X).gitVersion=$(KUBERNETES)+coracle -X $(X).gitMajor=1 -X $(X).gitMinor=$(word 2,$(subst ., ,$(KUBERNETES))) \
            -X $(X).gitTreeState=clean -X $(X).buildDate=$(shell git log -1 --format=%cd --date=format:%Y-%m-%dT%H:%M:%SZ 2>/dev/null) \
            -X $(X).gitCommit=$(shell git rev-parse HEAD 2>/dev/null) -X github.com/coracle-k8s/coracle/cmd/cluster.Version=$(VERSION)
# Without the libraries' parts that Coracle never uses: resource classes of Intel processors, WebAssembly plugins, Go plugins of
# kustomize, gRPC's trace pages.
TAGS     := no_rdt,nri_no_wasm,kustomize_disable_go_plugin_support,grpcnotrace
# Nothing is inlined into code that runs rarely, or that waits for disks, processes and networks: 6 MB less. What requests,
# watches and controllers go through time and again is excepted.
COLD     := github.com/... k8s.io/api/... k8s.io/apiextensions-apiserver/pkg/apis/... \
            k8s.io/apiextensions-apiserver/pkg/client/... k8s.io/apiextensions-apiserver/pkg/controller/... \
            k8s.io/apiextensions-apiserver/pkg/generated/... k8s.io/apiserver/pkg/apis/... \
            k8s.io/apiserver/pkg/server/options/... k8s.io/cli-runtime/... k8s.io/client-go/... k8s.io/cri-api/... \
            k8s.io/cri-client/... k8s.io/kms/... k8s.io/kube-aggregator/... k8s.io/kube-openapi/... k8s.io/kubectl/... \
            k8s.io/metrics/... k8s.io/pod-security-admission/... sigs.k8s.io/kustomize/... sigs.k8s.io/yaml/... \
            go.etcd.io/etcd/server/v3/etcdserver/api/rafthttp go.uber.org/... go.yaml.in/... golang.org/x/crypto/openpgp/... \
            golang.org/x/text/... google.golang.org/genproto/... gopkg.in/... tags.cncf.io/...
HOT      := github.com/coracle-k8s/... github.com/cespare/... github.com/emicklei/... github.com/felixge/... \
            github.com/fxamacker/... github.com/go-logr/... github.com/google/btree/... \
            github.com/google/cel-go/common/types/... github.com/google/cel-go/interpreter/... github.com/json-iterator/... \
            github.com/klauspost/... github.com/miekg/... github.com/modern-go/... github.com/munnerz/... \
            github.com/prometheus/client_golang/... k8s.io/api/apps/v1 k8s.io/api/authentication/v1 \
            k8s.io/api/authorization/v1 k8s.io/api/batch/v1 k8s.io/api/coordination/v1 k8s.io/api/core/v1 \
            k8s.io/api/discovery/v1 k8s.io/api/events/v1 k8s.io/api/networking/v1 k8s.io/api/rbac/v1 k8s.io/client-go/rest/... \
            k8s.io/client-go/tools/cache/... k8s.io/client-go/transport/... k8s.io/client-go/util/... \
            k8s.io/kube-openapi/pkg/validation/...
GCFLAGS  := $(COLD:%=-gcflags=%=-l) $(HOT:%=-gcflags=%=)
BUILD    := -trimpath -tags $(TAGS) $(GCFLAGS)
ARGS     ?=

# The cluster to test is one that the command names: who has KUBECONFIG in the environment does not mean that one.
TESTED   := $(if $(filter command,$(origin KUBECONFIG)),$(KUBECONFIG))
quote     = '$(subst ','\'',$(1))'

.PHONY: help up down reset demo test test-v2 test-systemd test-view conformance e2e chaos bench build runtime images view go packages generate verify vuln clean
help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' Makefile | expand -t 12

up: packages build ## start a cluster on this machine, as root, and wait until it is usable (ARGS="--flag ...")
	@bin/coracle up $(ARGS)

down: ## stop it, and everything that it runs
	@bin/coracle down $(ARGS)

reset: ## stop it and delete its state
	@bin/coracle reset $(ARGS)

demo: packages build images ## deploy, expose, scale, update and look into a small web server
	@hack/demo.sh

test: go packages build images ## all tests, a node with real containers among them
	@echo "compiling the tests with the race detector (minutes the first time), vetting on the way"
	@$(GO) run ./hack/test -race -vet=all -short -p 3 -tags $(TAGS) -gcflags='all=-l -dwarf=false' -timeout 40m ./...

test-v2: go build images ## a node on a cgroup v2 machine, emulated
	@hack/testv2/run.sh

test-systemd: go build images ## a node on a fresh Debian with systemd, in namespaces, across a reboot
	@hack/systemd/run.sh

test-view: go build images ## the page of `coracle ui` in a browser (needs npm; ARGS="-g words")
	@hack/packages.sh chromium fonts-noto-cjk
	@view/test/run.sh $(ARGS)

conformance: go $(if $(TESTED),,packages build) ## the upstream suite on two nodes (FOCUS= SKIP= TESTS=FILE PROCS= KUBECONFIG= RERUN=failed|all)
	@$(GO) run ./e2e/conformance -focus $(call quote,$(FOCUS)) -skip $(call quote,$(SKIP)) -tests $(call quote,$(TESTS)) -procs $(or $(PROCS),6) \
	  -kubeconfig $(call quote,$(TESTED)) -cache $(call quote,$(CACHE)) -rerun $(call quote,$(RERUN)) $(ARGS)

e2e: go packages build images ## clusters of several nodes: joining, loss, partitions, restarts, networks, upgrades (FOCUS=name)
	@hack/older.sh
	@hack/leftovers.sh $(GO) test -tags $(TAGS) -count=1 -v -timeout 40m -run '$(FOCUS)' ./e2e/nodes
	@$(GO) test -tags $(TAGS) -count=1 -v -timeout 10m -run '$(FOCUS)' ./e2e/skew

chaos: go packages build images ## two nodes in use, attacked at random for ten minutes (ARGS='-chaos.duration=2m -chaos.seed=7')
	@$(GO) test -tags $(TAGS) -count=1 -v -timeout 3h ./e2e/chaos $(ARGS)

bench: packages build images ## start-up, idle and latency figures beside upstream's, as docs/benchmarks.md records them (PEER=none)
	@$(GO) run ./hack/bench -peer $(call quote,$(PEER)) $(ARGS)

build: go runtime ## bin/coracle
	@echo "building bin/coracle (minutes the first time)"
	@CGO_ENABLED=0 $(GO) build -v $(BUILD) -ldflags '$(LDFLAGS)' -o bin/coracle ./cmd/coracle 2>&1 | hack/progress.sh

runtime: go ## what bin/coracle carries: shim, runc, network plugin, pause
	@hack/packages.sh gcc libc6-dev libseccomp-dev zstd
	@CGO_ENABLED=0 $(GO) run -trimpath ./hack/runtime/build

images: go ## the demo's images
	@hack/packages.sh busybox-static
	@CGO_ENABLED=0 $(GO) run -trimpath ./hack/image

view: go ## view/dist, the page that `coracle ui` shows, from view/page (needs npm)
	@cd view/page && npm ci --ignore-scripts --no-audit --no-fund --silent && npm run --silent check && npm run --silent build -- '$(CURDIR)/bin/view/page'
	@$(GO) run -trimpath ./hack/view bin/view/page view/dist

packages: ## the Debian packages that running needs
	@hack/packages.sh iptables mount curl

go:
	@hack/check-go.sh

generate: go ## OpenAPI documents and the like in generated/
	$(GO) run ./hack/generate

verify: go view ## what is generated and bundled is up to date, and formatted (needs npm)
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))"
	$(GO) run ./hack/generate
	git diff --exit-code -- generated view/dist
	@test -z "$$(git status --porcelain -- view/dist)"

vuln: go ## known vulnerabilities
	$(GO) run golang.org/x/vuln/cmd/govulncheck@latest ./...

clean: ## what was built
	rm -rf bin generated/runtime/linux_*/*.zst
