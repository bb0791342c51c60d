# SPDX-License-Identifier: GPL-2.0-or-later
# homesim: make demo shows it at work, make test proves it. Both install what they need (tests/prepare).

PYTHON = .venv/bin/python
# The demo runs with any Python that has gammu: the system's, or the one in .venv.
ANY = $$(/usr/bin/python3 -c 'import gammu, requests, filelock' 2>/dev/null && echo /usr/bin/python3 || echo $(PYTHON))

# Most tests wait for a stick or a server: more of them at once than there are cores.
TOGETHER = -n 4 --dist worksteal

.PHONY: help demo test test-quick check bench clean

help:
	@echo 'make demo        a few SMS on an emulated stick, and the chat they end up in'
	@echo 'make test        all tests, on each libgammu there is (some minutes)'
	@echo 'make test-quick  the same on the first libgammu, without the slow ones (under two minutes)'
	@echo 'make check       ruff, mypy --strict, the rules of the rooms'
	@echo 'make bench       homesim, gammu-smsd and smstools side by side (about a quarter of an hour)'
	@echo 'make clean       remove what these have made'

demo:
	@tests/prepare demo
	@$(ANY) -B tests/demo.py

test:
	@tests/prepare test
	$(PYTHON) -m pytest -q $(TOGETHER)

test-quick:
	@tests/prepare test
	$(PYTHON) -m pytest -q $(TOGETHER) -m 'not slow'

check:
	@tests/prepare test
	$(PYTHON) -m ruff check
	$(PYTHON) -m mypy
	$(PYTHON) -m pytest -q tests/test_rooms.py

bench:
	@tests/prepare bench
	$(PYTHON) tests/bench.py --readme README.md

clean:
	rm -rf .venv .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
