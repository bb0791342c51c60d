# SPDX-License-Identifier: GPL-2.0-or-later
# homesim: make demo shows it at work, make test proves it, make install puts it on a Pi.
# Each installs the packages it needs (tests/prepare, lib/install.sh).

PREFIX = /usr/local

PYTHON = .venv/bin/python
# The demo runs with any Python that has gammu: the system's, or the one in .venv.
ANY = $$(/usr/bin/python3 -c 'import gammu, requests, filelock' 2>/dev/null && echo /usr/bin/python3 || echo $(PYTHON))

# Some tests need a boot that was an hour ago at least: as root they are shown one of yesterday (time_namespaces(7)).
SINCE = $$(unshare -T --boottime 86400 true 2>/dev/null && echo unshare -T --boottime 86400)

# Each of pytest's workers compiles all tests where bytecode is not kept.
unexport PYTHONDONTWRITEBYTECODE

# Most tests wait for a stick or a server: many more of them at once than there are cores.
TOGETHER = -n 10 --dist load --maxschedchunk 1

.PHONY: help install uninstall purge demo test test-quick test-installed test-chroot test-vm soak-vm break-vm check \
        bench clean

help:
	@echo 'make install     programs, udev rule, usb_modeswitch files, cron file; an upgrade is the same (as root)'
	@echo 'make uninstall   remove these; configuration and SMS stay (as root)'
	@echo 'make purge       uninstall, and after a question remove configuration and SMS too (as root)'
	@echo 'make demo        a few SMS on an emulated stick, and the chat they end up in'
	@echo 'make test        all tests (seven minutes on two cores)'
	@echo 'make test-quick  without the slow ones, on one libgammu (a minute and a half)'
	@echo 'make test-installed   all tests, with the installed programs'
	@echo 'make test-chroot  install, upgrade, uninstall, quick tests in fresh Debian systems (as root, three hours with ARM)'
	@echo 'make test-vm     on a real Debian kernel in QEMU, with an emulated stick: USB, udev, cron (SUITE=trixie)'
	@echo 'make soak-vm     a day in an hour there: 200 SMS, random faults'
	@echo 'make break-vm    make test-vm with what each case is there for broken: each must fail'
	@echo 'make check       ruff, mypy --strict, the rules of the rooms'
	@echo 'make bench       homesim, gammu-smsd and smstools side by side (half an hour; CORE=10: with a tenth of a core)'
	@echo 'make clean       remove what these have made'

install uninstall purge:
	@PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' CONFIRM='$(CONFIRM)' sh lib/install.sh $@

demo:
	@tests/prepare demo
	@PYTHONPATH=lib $(ANY) -B tests/demo.py

test:
	@tests/prepare test
	$(SINCE) $(PYTHON) -m pytest -q $(TOGETHER)

test-quick:
	@tests/prepare test
	$(SINCE) $(PYTHON) -m pytest -q $(TOGETHER) -m 'not slow'

test-installed:
	@tests/prepare test
	@test -d '$(DESTDIR)$(PREFIX)/lib/homesim/bin' || { echo 'nothing is installed: sudo make install'; exit 2; }
	HOMESIM_BIN='$(DESTDIR)$(PREFIX)/lib/homesim/bin' $(SINCE) $(PYTHON) -m pytest -q $(TOGETHER)

test-chroot:
	@tests/prepare chroot
	$(PYTHON) -m pytest -q -rs tests/install/chroot_install.py

test-vm:
	@tests/vm/run -m 'not soak'

soak-vm:
	@tests/vm/run -m soak -rP

break-vm:
	@tests/vm/run -m 'not soak' --broken -rx --xfail-tb

check:
	@tests/prepare test
	$(PYTHON) -m ruff check
	$(PYTHON) -m mypy
	$(PYTHON) -m pytest -q tests/rules/test_house.py tests/rules/test_readme.py

bench:
	@tests/prepare bench
	PYTHONPATH=lib:tests $(PYTHON) tests/bench/main.py --readme tests/README.md $(if $(CORE),--core $(CORE))

clean:
	rm -rf .chroots .vm .venv .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
