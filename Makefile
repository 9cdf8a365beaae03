# `make help` lists what there is. PORT=9000 make up moves the fleet; PYTHON names another Python.
PYTHON ?= python3
TRACEMYPODS := .venv/bin/tracemypods

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

.PHONY: install
install:
	@$(PYTHON) scripts/install.py

.PHONY: up
up: install ## Install what is missing, start the fleet, and say where it is
	@$(TRACEMYPODS) up

.PHONY: restart
restart: install ## Stop the fleet and start it again as it was (PART="ask token" names parts)
	@$(TRACEMYPODS) restart $(PART)

.PHONY: down
down: ## Stop the fleet; its data stays
	@$(TRACEMYPODS) down

.PHONY: status
status: ## Show what runs, where, and how much memory it takes
	@$(TRACEMYPODS) status

.PHONY: logs
logs: ## Show the last lines of all logs (`.venv/bin/tracemypods logs -f ask` follows one)
	@$(TRACEMYPODS) logs

.PHONY: reset
reset: ## Stop the fleet and delete its data and secrets
	@$(TRACEMYPODS) reset

.PHONY: render
render: ## Render what repeats fleet.toml, settings and licences
	@$(TRACEMYPODS) render
	@.venv/bin/python scripts/render_docs.py
	@if .venv/bin/python -c 'import helm_python' 2>/dev/null; then \
		.venv/bin/python scripts/render_manifests.py; \
	else echo "deploy/k8s is left as it is: rendering it takes make install-development"; fi

.PHONY: pin-images
pin-images: install ## Ask registries for the digests of all images that are not ours
	@$(TRACEMYPODS) pin-images

.PHONY: install-development
install-development:
	@$(PYTHON) scripts/install.py --development

.PHONY: test
test: install-development ## Run all tests, on data and ports of their own
	@.venv/bin/python scripts/test.py

.PHONY: test-alone
test-alone: install-development ## Test services with nothing but what they declare (SERVICE=ask)
	@.venv/bin/python scripts/test_alone.py $(SERVICE)

.PHONY: test-long
test-long: install-development ## Run the tests that take too long for every run
	@.venv/bin/pytest -m long
	@.venv/bin/pytest -m "hypothesis and not long" --hypothesis-profile=exploring

.PHONY: cluster-tools
cluster-tools: install-development ## Build a Kubernetes control plane for `make test-cluster` (needs Go)
	@.venv/bin/python tests/cluster/build.py

.PHONY: test-cluster
test-cluster: install-development ## Test the chart on a Kubernetes API server, where there is one
	@PATH="$(CURDIR)/.local/cluster/bin:$$PATH" .venv/bin/pytest -v tests/cluster

.PHONY: check
check: install-development ## Lint, format, types, and that what is rendered is current
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/pyright
	@$(TRACEMYPODS) render --check
	@.venv/bin/python scripts/render_docs.py --check
	@.venv/bin/python scripts/render_manifests.py --check

.PHONY: format
format: ## Format the code and mend what the linter can
	@.venv/bin/ruff check --fix
	@.venv/bin/ruff format

.PHONY: lock
lock: ## Lock again after a pyproject.toml changed (UPGRADE=--upgrade renews all pins)
	@.venv/bin/python scripts/lock.py $(UPGRADE)

.PHONY: bench
bench: install ## Measure the figures of docs/performance.md
	@.venv/bin/python -m loadtest.bench

.PHONY: budget
budget: install ## Measure how much memory each service's container needs, into fleet.toml
	@.venv/bin/python -m loadtest.budget --write
	@$(TRACEMYPODS) render

.PHONY: invoice-picture
invoice-picture: install ## Make the picture of an invoice in docs/images again
	@mkdir -p docs/images; .venv/bin/python -m tracemypods.deliver.pdf.picture docs/images/invoice.png

.PHONY: cache-report
cache-report: install-development ## Report how well the semantic cache tells questions apart
	@.venv/bin/python -m tests.cache_quality
