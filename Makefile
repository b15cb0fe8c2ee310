# SPDX-License-Identifier: GPL-2.0-or-later
# Builds, tests and installs the Kamailio module authban. `make help` lists
# the targets.
#
# Variables: VERSION, BUILD (folder of all products), CC, CFLAGS, LDFLAGS, KAMAILIO
# (the binary that will load the module), KSRC (its source tree, instead of
# the headers that scripts/kamailio-headers fetches), V=1 (show commands),
# PYTHON, DESTDIR, PREFIX, MODULES_DIR.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

# kamailio lies in sbin, which is not in every user's PATH
export PATH := $(PATH):/usr/sbin:/sbin

VERSION ?= 0.1
BUILD ?= build
B := $(BUILD)
KAMAILIO ?= kamailio
PYTHON ?= /usr/bin/python3
PREFIX ?= /usr/local
CFLAGS ?= -O2 -g
ifeq ($(origin CC),default)
CC := gcc
endif

V ?= 0
ifeq ($(V),1)
Q :=
say := @:
else
Q := @
say := @printf '  %-5s %s\n'
MAKEFLAGS += --no-print-directory
endif

SRC := modules/authban
CORE_O := $(patsubst $(SRC)/%.c,$(B)/%.o,$(wildcard $(SRC)/ab_*.c))
GLUE_O := $(patsubst $(SRC)/%.c,$(B)/%.o,$(wildcard $(SRC)/authban_*.c))

# SAN is set by the check-asan and check-tsan targets
WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wformat=2 -Wundef -Wpointer-arith -Wvla \
	-Wimplicit-fallthrough
COMMON := -fPIC $(WARN) -MMD -MP $(SAN)
# the core is C11 and libc, nothing else; the glue needs what Kamailio needs
CORE_FLAGS := -std=c11 -D_POSIX_C_SOURCE=200809L -pedantic -Wcast-qual \
	-Wwrite-strings
# Kamailio keeps functions of every arity behind one pointer type
GLUE_FLAGS = -std=gnu11 -D_GNU_SOURCE -Wno-cast-function-type -include $(B)/kamailio_flags.h \
	-isystem $$(cat $(B)/ksrc)/src $(if $(REDIS_TLS),-DAUTHBAN_REDIS_TLS)
UNIT_FLAGS := -std=gnu11 -D_GNU_SOURCE -I$(SRC) -Itests -Itests/unit

# make before 4.3 wants it escaped inside a function, later ones take the \ along
hash := \#
has_header = $(shell echo '$(hash)include <$(1)>' | $(CC) $(CPPFLAGS) -E - \
	>/dev/null 2>&1 && echo yes)
# $(shell) of make 4.3 does not see the PATH exported above
has_command = $(shell PATH="$(PATH)"; command -v $(firstword $(1)) 2>/dev/null)
# TLS to Redis. Debian 12 has hiredis's header without its library, so a library
# is linked (once); the glue looks at AUTHBAN_REDIS_TLS.
TLS_LIBS := -lhiredis_ssl -lssl -lcrypto
REDIS_TLS = $(eval REDIS_TLS := $(shell printf '$(hash)include <%s>\n' \
	stddef.h hiredis/hiredis.h hiredis/hiredis_ssl.h openssl/ssl.h | \
	$(CC) $(CPPFLAGS) -shared -o /dev/null -x c - $(TLS_LIBS) 2>/dev/null && \
	echo yes))$(REDIS_TLS)
HIREDIS_LIBS ?= -lhiredis $(if $(REDIS_TLS),$(TLS_LIBS))
MODULES_DIR ?= $(firstword $(subst :, ,$(shell PATH="$(PATH)"; \
	$(KAMAILIO) -I 2>/dev/null | sed -n 's/.*Default paths to modules: *//p')))
DOCDIR ?= $(PREFIX)/share/doc/authban
TOOLS := authban-report authban-lists authban-top authban-doctor
TOOLDIR ?= $(PREFIX)/share/authban

.PHONY: all check check-clang check-asan check-tsan test test-long test-trixie test-sid \
	test-newuser run \
	demo bench bench-fleet checker peers doc doc-check install uninstall deb format \
	format-check lint \
	clean distclean help need-cc need-build need-check need-doc \
	FORCE

# --- the module --------------------------------------------------------------

all: need-build $(B)/authban.so ## build the module

# Asked for in a recipe, so that `make check` and `make help` never ask.
# $(error) ends the output with this one sentence.
missing_cc = $(if $(call has_command,$(CC)),,$(CC))
missing_build = $(strip $(missing_cc) \
	$(if $(call has_command,$(KAMAILIO)),,kamailio) \
	$(if $(missing_cc)$(call has_header,hiredis/hiredis.h),,libhiredis-dev))
missing_check = $(strip $(missing_cc) \
	$(if $(missing_cc)$(shell printf '%s\n' '$(hash)include <stdarg.h>' \
	'$(hash)include <stddef.h>' '$(hash)include <stdint.h>' \
	'$(hash)include <setjmp.h>' '$(hash)include <cmocka.h>' | $(CC) $(CPPFLAGS) -E - >/dev/null 2>&1 && \
	echo yes),,libcmocka-dev))
missing_doc = $(strip $(if $(call has_command,xsltproc),,xsltproc) \
	$(if $(call has_command,lynx),,lynx))

need-cc:
	$(if $(missing_cc),$(error not installed: $(missing_cc); run \
	scripts/install-deps --build))
need-build:
	$(if $(missing_build),$(error not installed: $(missing_build); run \
	scripts/install-deps --build))
need-check:
	$(if $(missing_check),$(error not installed: $(missing_check); run \
	scripts/install-deps --build --test))
need-doc:
	$(if $(missing_doc),$(error not installed: $(missing_doc); run \
	scripts/install-deps --doc))

# Kamailio may have been upgraded, or KSRC changed: asked every time, written
# only when the answer differs, so nothing is compiled without need.
if_changed = cmp -s $@.new $@ && rm $@.new || mv $@.new $@

$(B)/ksrc: FORCE | need-build
	@mkdir -p $(@D)
	@KSRC='$(KSRC)' scripts/kamailio-headers $(KAMAILIO) >$@.new
	@$(if_changed)

$(B)/kamailio_flags.h: FORCE | need-build
	@mkdir -p $(@D)
	@scripts/kamailio-flags $(KAMAILIO) >$@.new
	@$(if_changed)

# Kamailio loads a module only when both strings are equal to its own
same = _Static_assert(!__builtin_strcmp($(1), $(2)), "differs from kamailio -V")
$(B)/flags.ok: $(B)/kamailio_flags.h $(B)/ksrc
	$(Q)printf '%s\n' '#include "core/ver_defs.h"' \
		'$(call same,SER_FULL_VERSION,KAMAILIO_BINARY_VERSION);' \
		'$(call same,SER_COMPILE_FLAGS,KAMAILIO_BINARY_FLAGS);' | \
		$(CC) $(GLUE_FLAGS) -w -fsyntax-only -x c -
	@touch $@

$(CORE_O): $(B)/ab_%.o: $(SRC)/ab_%.c Makefile | need-cc
	@mkdir -p $(@D)
	$(say) CC $@
	$(Q)$(CC) $(CPPFLAGS) $(COMMON) $(CORE_FLAGS) $(CFLAGS) -c -o $@ $<

$(GLUE_O): $(B)/authban_%.o: $(SRC)/authban_%.c Makefile $(B)/flags.ok
	$(say) CC $@
	$(Q)$(CC) $(CPPFLAGS) $(COMMON) $(GLUE_FLAGS) $(CFLAGS) -c -o $@ $<

# no link against kamailio: its symbols are found when it loads the module
$(B)/authban.so: $(CORE_O) $(GLUE_O)
	$(say) LD $@
	$(Q)$(CC) -shared -Wl,-Bsymbolic-functions $(CFLAGS) $(LDFLAGS) $(SAN) \
		-o $@ $^ $(HIREDIS_LIBS)

# --- unit tests of the core: a C compiler and cmocka, nothing else ------------

# tests/unit/test_*.c are programs, tsan_*.c are programs for check-tsan, the
# other .c files there are linked into each of them
UNIT ?= test_
UNIT_C := $(wildcard tests/unit/*.c)
HELP_O := $(patsubst %.c,$(B)/%.o,$(filter-out tests/unit/test_% \
	tests/unit/tsan_%,$(UNIT_C)))
UNIT_BIN := $(patsubst %.c,$(B)/%,$(filter tests/unit/$(UNIT)%,$(UNIT_C)))

$(B)/tests/unit/%.o: tests/unit/%.c Makefile | need-check
	@mkdir -p $(@D)
	$(say) CC $@
	$(Q)$(CC) $(CPPFLAGS) $(COMMON) $(UNIT_FLAGS) $(CFLAGS) -c -o $@ $<

$(UNIT_BIN): %: %.o $(HELP_O) $(CORE_O)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $(SAN) -o $@ $^ -lcmocka -lpthread
.PRECIOUS: $(B)/tests/unit/%.o

# all run, also after a failure; the exit status tells of any
check: need-check $(UNIT_BIN) ## unit tests of the core
	$(if $(UNIT_BIN),,$(error there is no tests/unit/$(UNIT)*.c))
	$(Q)failed=; for t in $(UNIT_BIN); do \
		$(RUN) $$t || failed="$$failed $$t"; \
	done; [ -z "$$failed" ] || { echo "failed:$$failed"; exit 1; }

check-clang: ## the same, built with clang in build-clang
	$(Q)$(MAKE) check BUILD=build-clang CC=clang

check-asan: ## the same with address and undefined-behaviour sanitizers
	$(Q)AUTHBAN_SHORT=1 $(MAKE) check BUILD=$(B)/asan \
		SAN='-fsanitize=address,undefined -fno-sanitize-recover=all'

# gcc 12's and clang 14's runtimes give up where the kernel randomizes more
# address bits than they know, so without randomization where that is allowed
check-tsan: ## threads on the core (tests/unit/tsan_*.c) under TSan
	$(Q)TSAN_OPTIONS=halt_on_error=1 $(MAKE) check BUILD=$(B)/tsan UNIT=tsan_ \
		SAN=-fsanitize=thread \
		RUN="$$(setarch -R true 2>/dev/null && echo setarch -R)"

# --- the sync process without Kamailio: the checker and the fleet ---------------

# The module's own objects, taken out of an archive as they are needed; what they
# want of Kamailio is in kamailio.c. Both programs want a redis-server.
CLUSTER_B := $(B)/tests/cluster
cluster_o = $(patsubst %,$(CLUSTER_B)/%.o,kamailio core $(1))
CHECKER_O := $(call cluster_o,sim server truth stage chaos checker)
FLEET_O := $(call cluster_o,fleet fleet_member fleet_redis)

$(CLUSTER_B)/%.o: tests/cluster/%.c Makefile $(B)/flags.ok
	@mkdir -p $(@D)
	$(say) CC $@
	$(Q)$(CC) $(CPPFLAGS) $(COMMON) $(GLUE_FLAGS) -I$(SRC) $(CFLAGS) -c -o $@ $<

$(CLUSTER_B)/glue.a: $(CORE_O) $(GLUE_O)
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(CLUSTER_B)/still_clock.so: tests/cluster/still_clock.c Makefile | need-build
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) -shared $(WARN) -fPIC -D_GNU_SOURCE $(CFLAGS) -o $@ $<

$(CLUSTER_B)/checker: $(CHECKER_O) $(CLUSTER_B)/glue.a
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $(SAN) -o $@ $^ $(HIREDIS_LIBS)

$(CLUSTER_B)/fleet: $(FLEET_O) $(CLUSTER_B)/glue.a
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $(SAN) -o $@ $^ $(HIREDIS_LIBS)

checker: need-build $(CLUSTER_B)/checker $(CLUSTER_B)/still_clock.so ## random faults against several proxies and a real Redis

bench-fleet: need-build $(CLUSTER_B)/fleet ## what 10, 50 and 200 proxies cost one Redis, and a cluster
	$(CLUSTER_B)/fleet

# --- everything else -----------------------------------------------------------

# Most tests wait, so several processes run them side by side, a file at a time;
# what is marked `alone` measures time, and follows. JOBS=0: one after the other.
# Each test prints its figure (tests/lib/figures.py).
JOBS ?= 3
PYTEST := $(PYTHON) -m pytest -ra --durations=15
# the longest files first
PYTEST_DIRS = $(wildcard tests/package tests/fault tests/cluster tests/sip \
	tests/page tests/rpc tests/tools tests/docs tests/config tests/reports)
# both parts run, also after a failure; 5: nothing in them is marked so
pytest_all = status=0; \
	$(PYTEST) -n $(JOBS) --dist loadfile -m 'not alone' $(1) || status=1; \
	$(PYTEST) -m alone $(1) || [ $$? -eq 5 ] || status=1; \
	exit $$status
doc_xml := $(wildcard $(SRC)/doc/*.xml)

test: ## install what is needed, build twice, run every test
	scripts/install-deps --all
	$(MAKE) -j2 all
	$(MAKE) -j2 all BUILD=build-clang CC=clang
	$(MAKE) -j2 -Otarget check check-clang check-asan check-tsan lint checker \
		$(if $(doc_xml),doc-check)
	$(if $(PYTEST_DIRS),$(call pytest_all,$(PYTEST_DIRS)))

test-long: ## the slow tests: AUTHBAN_LONG=1, and the fuzzers
	scripts/install-deps --all
	$(MAKE) all checker
	AUTHBAN_LONG=1 $(PYTEST) $(PYTEST_DIRS)
	$(if $(wildcard tests/fuzz/run),AUTHBAN_LONG=1 tests/fuzz/run)

test-trixie: ## build, load and ban once on Debian 13, in .trixie/
	scripts/test-trixie

test-sid: ## the same on Debian's unstable, the newest Kamailio, in .sid/
	SUITE=sid scripts/test-trixie

test-newuser: ## a bare Debian 12: run, demo, package, Kamailio's own configurations, in .newuser/
	scripts/new-user $(if $(TESTS),--$(TESTS))

run: ## a proxy with the module and a Redis of its own
	scripts/install-deps --build --run
	$(MAKE) all
	scripts/run

demo: ## an attack on such a proxy, and what the module does
	scripts/install-deps --build --run
	$(MAKE) all
	scripts/demo

bench: ## measure the module
	scripts/install-deps --build --run --test --bench
	$(MAKE) all $(CLUSTER_B)/fleet
	$(PYTHON) tests/bench/run

peers: ## the same threats against pike and htable
	scripts/install-deps --build --run --test
	$(MAKE) all
	$(PYTHON) tests/peers/run

# Made as Kamailio makes the READMEs of its modules, with its own stylesheets.
# The copy has the folders of Kamailio's tree, because the XML names
# ../../../../doc/docbook/entities.xml.
$(B)/README: $(doc_xml) $(B)/ksrc Makefile | need-doc
	$(say) DOC $@
	$(Q)rm -rf $(B)/doc && mkdir -p $(B)/doc/src/modules/authban $(B)/doc/doc
	$(Q)cp -R $(SRC)/doc $(B)/doc/src/modules/authban/
	$(Q)ln -s "$$(cat $(B)/ksrc)/doc/docbook" $(B)/doc/doc/docbook
	$(Q)cd $(B)/doc/src/modules/authban/doc && xsltproc --nonet --novalid \
		--xinclude ../../../../doc/docbook/txt.xsl authban.xml >authban.html
	$(Q)LC_ALL=C.UTF-8 lynx -nolist -force_html -assume_charset=utf-8 \
		-display_charset=utf-8 -dump \
		$(B)/doc/src/modules/authban/doc/authban.html >$@

doc: $(B)/README ## make the module's README from its DocBook
	cp $(B)/README $(SRC)/README

doc-check: $(B)/README ## the README in the tree is the one that doc makes
	diff -u $(SRC)/README $(B)/README

install: all ## the module, its README, the examples and the operator's tools
	$(if $(MODULES_DIR),,$(error kamailio -I names no module folder; \
	set MODULES_DIR))
	install -d "$(DESTDIR)$(MODULES_DIR)" "$(DESTDIR)$(DOCDIR)"
	install -m 644 $(B)/authban.so "$(DESTDIR)$(MODULES_DIR)/authban.so"
	for f in README.md CHANGELOG.md $(SRC)/README; do \
		[ ! -f $$f ] || install -m 644 $$f "$(DESTDIR)$(DOCDIR)/"; \
	done
	[ ! -d etc ] || { rm -rf "$(DESTDIR)$(DOCDIR)/examples" && \
		cp -R etc "$(DESTDIR)$(DOCDIR)/examples"; }
	install -d "$(DESTDIR)$(PREFIX)/bin"
	for l in authban_lib authban_ops; do \
		install -d "$(DESTDIR)$(TOOLDIR)/$$l" && install -m 644 \
			scripts/$$l/*.py "$(DESTDIR)$(TOOLDIR)/$$l/" || exit 1; \
	done
	for t in $(TOOLS); do \
		f=scripts/$$t; [ -f $$f ] || f=scripts/$${t#authban-}; \
		install -m 755 $$f "$(DESTDIR)$(TOOLDIR)/$$t" && \
		ln -sfn "$(TOOLDIR)/$$t" "$(DESTDIR)$(PREFIX)/bin/$$t" || exit 1; \
	done

uninstall: ## take away what install put there
	$(if $(MODULES_DIR),,$(error kamailio -I names no module folder; \
	set MODULES_DIR))
	rm -f "$(DESTDIR)$(MODULES_DIR)/authban.so"
	rm -rf "$(DESTDIR)$(DOCDIR)" "$(DESTDIR)$(TOOLDIR)"
	for t in $(TOOLS); do rm -f "$(DESTDIR)$(PREFIX)/bin/$$t"; done

deb: ## a Debian package for the kamailio of this machine, in build/deb
	scripts/install-deps --build --deb
	scripts/deb/build $(B)/deb $(VERSION)

C_FILES = $(shell find $(SRC) $(wildcard tests) -name '*.[ch]')

format: ## format the C files as Kamailio does
	clang-format -i $(C_FILES)

format-check: ## name each C file that is not formatted so
	$(Q)clang-format --dry-run -Werror $(C_FILES)

# all of them run, also after a finding
lint: $(B)/flags.ok ## layers, format, clang-tidy, cppcheck, shellcheck
	$(Q)status=0; \
	scripts/check-layers.sh $(B) || status=1; \
	$(MAKE) format-check || status=1; \
	scripts/lint $(B) || status=1; \
	exit $$status

clean: ## remove what was built
	rm -rf $(B) build-clang

distclean: clean ## remove the cached headers and the Debian trees too
	rm -rf .cache
	$(if $(wildcard .trixie),scripts/test-trixie --remove)
	$(if $(wildcard .sid),SUITE=sid scripts/test-trixie --remove)
	$(if $(wildcard .newuser),scripts/new-user --remove)

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1	\2/p' $(MAKEFILE_LIST) | \
		while IFS='	' read -r t d; do printf '  %-13s %s\n' "$$t" "$$d"; done

FORCE:

-include $(wildcard $(B)/*.d $(B)/tests/unit/*.d $(CLUSTER_B)/*.d)
