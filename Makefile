# What a person needs: `make run`, `make test`. What a contributor needs as well: the rest.

.PHONY: run certs test lint bench fuzz clean tools

# Builds Forebay and shows it: a proxy with three small backends.
run:
	cargo run --profile quick -p forebay-cli -- demo

# An authority and a certificate for localhost, in the folder certs.
certs:
	cargo run --profile quick -p forebay-cli -- certs dev

# Installs what the tests need and runs all of them.
test: tools
	cargo build -p forebay-cli
	cargo test --workspace --no-fail-fast

# The tests use libraries of Python's, in .venv, and curl, OpenSSL, Python, nginx, HAProxy, Node, pebble and Chromium as real peers. Node's
# package has another name than its command.
tools:
	@for tool in curl openssl python3 nginx haproxy node:nodejs pebble chromium; do \
		command -v $${tool%:*} >/dev/null || missing="$$missing $${tool#*:}"; \
	done; \
	if [ -n "$$missing" ]; then \
		echo "installing:$$missing"; \
		sudo=$$(command -v sudo || true); \
		$$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$missing; \
	fi
	@test -x .venv/bin/python || python3 -m venv .venv
	@.venv/bin/pip install -q --disable-pip-version-check -r tests/e2e/peers/requirements.txt

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

# Measures Forebay beside nginx, HAProxy, Envoy and Caddy; see bench/README.md.
bench:
	cargo build --release -p forebay-cli -p forebay-origin
	python3 bench/run.py --install

# Each fuzz target for a while: make fuzz SECONDS=600
SECONDS ?= 60
fuzz:
	cargo +nightly fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz
	mkdir -p fuzz/corpus/configuration && cp examples/* fuzz/corpus/configuration
	for target in $$(cargo +nightly fuzz list); do \
		cargo +nightly fuzz run $$target -- -max_total_time=$(SECONDS) -max_len=4096 -timeout=5 -rss_limit_mb=1024 || exit 1; \
	done

clean:
	cargo clean
	rm -rf bench/out fuzz/target
