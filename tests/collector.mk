# make collector-test: a real OpenTelemetry Collector, built from tests/collector/, stores what we export.
JUDGE := build/collector/judge
GO_VERSION = $(shell cd tests/collector && GOTOOLCHAIN=local go env GOVERSION 2>/dev/null | sed -nE 's/^go1\.([0-9]+).*/\1/p')

.PHONY: collector-test
collector-test:
	@if [ "$(or $(GO_VERSION),0)" -lt 25 ]; then \
		echo "collector-test: skipped: building the Collector takes Go 1.25 or newer, here: $$(go version 2>/dev/null || echo none)"; \
	else \
		$(MAKE) -s --no-print-directory $(JUDGE) all $(DEMO_BIN) $(SUPPORT_BIN) && \
		BUILD=$(BUILD) timeout --kill-after=10 120 bash tests/collector/run.sh "$(CURDIR)/$(JUDGE)"; \
	fi

# Never tidied: go.mod and go.sum are what was tried.
$(JUDGE): tests/collector/main.go tests/collector/go.mod tests/collector/go.sum
	@mkdir -p $(@D)
	@echo "collector-test: building the Collector (a minute or two the first time)"
	cd tests/collector && GOTOOLCHAIN=local GOFLAGS=-buildvcs=false timeout --kill-after=10 900 \
		go build -trimpath -ldflags='-s -w' -o $(CURDIR)/$@ .
