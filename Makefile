# `make test` and `make demo` work from a bare clone: each target installs what it needs first (scripts/install).
.DEFAULT_GOAL := help
.PHONY: help demo test mysql soak fuzz lint bench screenshots serve lock clean
# Without bytecode every process of ours would compile its imports anew.
unexport PYTHONDONTWRITEBYTECODE
unexport PYTHONPATH
BIN := .venv/bin

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 8

demo: ## Run the main jobs on real data, compare both ends, leave the servers running
	@scripts/install demo
	$(BIN)/disync demo

test: ## Run every test (ARGS="-k name -x" passes arguments on to pytest)
	@scripts/install dev mysql ray clients
	@scripts/test $(ARGS)

mysql: ## Run all tests of MySQL sources on MySQL itself, not on MariaDB
	@scripts/install dev mysql
	DISYNC_TEST_SERVER=mysql SEEDS=$(or $(SEEDS),200) $(BIN)/pytest -n 2 --dist loadfile --timeout 180 \
		tests/connectors/mysql tests/connectors/pair tests/exactly_once $(ARGS)

fuzz: ## Give broken bytes to what is compiled, new ones at every run (ARGS="--seconds 3600")
	@scripts/install dev
	$(BIN)/python tests/native/broken.py $(ARGS)

soak: ## Break MySQL to PostgreSQL in 2,000 ways (SEEDS=n sets how many, SEED=n repeats one)
	@scripts/install dev
	SEED=$(SEED) SEEDS=$(or $(SEEDS),2000) $(BIN)/pytest -n 2 --dist loadfile --timeout 180 tests/exactly_once \
		$(if $(SEED),--deselect tests/exactly_once/test_once_broken.py) $(ARGS)

lint: ## Check style, formatting, types and the direction of imports
	@scripts/install dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check src tests scripts bench
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: ## Measure, beside others (ARGS="load --rows 100000": one part, smaller; --readme writes the table)
	@scripts/install dev bench
	$(BIN)/python -m bench $(ARGS)

screenshots: ## Make the pictures of the console in docs/screenshots
	@scripts/install dev
	$(BIN)/python scripts/screenshots.py

serve: ## Start the server (ARGS="--port 8080 --home DIR")
	@scripts/install serve
	$(BIN)/disync serve $(ARGS)

lock: ## Write the lock files anew (needs uv)
	scripts/lock

clean: ## Remove what the other targets installed in this folder
	rm -rf .venv .cache build src/disync/native/*.so tests/clients/node-pop/node_modules
