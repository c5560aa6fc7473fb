# weft - build, install, test.  One file, no recursion.
#
#   make                 build/weft, build/weft.so and build/job_submit_weft.so
#   make check           all tests (sets itself up: make deps)
#   make demo            a private Slurm cluster, a real workflow on it, the result
#   make demo-modulation the same for a search that a network steers, beside the full grid
#   make bench           the measured figures
#   make fuzz            an hour of fuzzing (FUZZ_TIME=, FUZZ_TARGETS=)
#   make install         DESTDIR=, prefix= and the other GNU names
#   make check-stage-faults check-kills check-walltime lint check-layers schema clean help
#
# VARIANT=release|debug|san|cov|fuzz   DEPS=no (packagers: check for no packages)

ifneq ($(filter fuzz,$(MAKECMDGOALS)),)
VARIANT := fuzz
endif
VARIANT ?= release
DEPS ?= yes
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
# Keeps the objects of tests: they are not built again for each check.
.SECONDARY:

VERSION := 0.1.0

# ---- tools and flags ---------------------------------------------------------

CC := gcc
MPICC ?= mpicc
AR ?= ar
INSTALL ?= install

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wold-style-definition -Wpointer-arith -Wundef -Wvla -Wwrite-strings \
	-Wformat=2 -Wno-format-nonliteral -Wimplicit-fallthrough -Wlogical-op \
	-Wduplicated-cond -Wnull-dereference
WERROR ?= -Werror

ifeq ($(VARIANT),release)
B := build
CFLAGS ?= -O2 -g
else ifeq ($(VARIANT),debug)
B := build/debug
CFLAGS ?= -O0 -g3
else ifeq ($(VARIANT),san)
B := build/san
CFLAGS ?= -O1 -g
VFLAGS := -fsanitize=address,undefined -fno-omit-frame-pointer \
	-fno-sanitize-recover=undefined
else ifeq ($(VARIANT),cov)
B := build/cov
CFLAGS ?= -O0 -g
VFLAGS := --coverage
else ifeq ($(VARIANT),fuzz)
B := build/fuzz
CFLAGS ?= -O1 -g
VFLAGS := -fsanitize=address,undefined -fno-omit-frame-pointer \
	-fno-sanitize-recover=undefined
# The release build gives the warnings.
WARN := -w
# clang brings libFuzzer; without it gcc counts, and our own driver runs.
ifneq ($(wildcard $(shell clang -print-resource-dir 2>/dev/null)/lib/*/libclang_rt.fuzzer*),)
CC := clang
VFLAGS += -fsanitize=fuzzer-no-link
FUZZ_MAIN := -fsanitize=fuzzer
else
VFLAGS += -fsanitize-coverage=trace-pc
endif
else
$(error VARIANT=$(VARIANT): use release, debug, san, cov or fuzz)
endif

# -iquote, not -I: <slurm/slurm.h> is Slurm's header, "slurm/slurm.h" is our room's.
CPPFLAGS_ALL = -D_GNU_SOURCE -DWEFT_VERSION='"$(VERSION)"' -iquote libs -iquote . $(CPPFLAGS)
CFLAGS_ALL = -std=gnu11 -fPIC -fstack-protector-strong $(WARN) $(WERROR) $(CFLAGS) $(VFLAGS)
LDFLAGS_ALL = $(VFLAGS) $(LDFLAGS) -Wl,--as-needed
# V=1 shows every command.
Q := $(if $(filter 1,$(V)),,@)
SAY = $(if $(filter 1,$(V)),@:,@printf '  %-5s %s\n')
COMPILE = $(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# ---- rooms -------------------------------------------------------------------
# What each room may see: its includes and its link line (make check-layers).

SEES_base :=
SEES_yaml := base
SEES_conf := base
SEES_expr := base
SEES_topo := base
SEES_discover := topo base
SEES_request := base
SEES_wire := base
SEES_stage := wire base
SEES_spec := yaml expr base
SEES_place := topo base
SEES_bind := place topo base
SEES_ticket := place topo base
SEES_cluster := yaml base
SEES_slurm := cluster yaml base
SEES_select := spec conf cluster yaml expr base
SEES_journal := spec yaml expr base
SEES_report := journal select spec conf cluster yaml expr base
SEES_engine := select journal stage wire ticket bind place topo spec conf cluster yaml expr base
SEES_spank := request ticket bind place topo conf base
SEES_job_submit := request conf base

# The outside library of a room, if any.
LINK_base := -lm
LINK_yaml := -lyaml
LINK_discover := -lhwloc -ldl
LINK_slurm := -ldl
LINK_wire := -luv -ldl
LINK_select := -ljansson
LINK_journal := -ljansson
LINK_report := -ljansson
LINK_expr := -lm
LINK_spec := -lm -ljansson
LINK_select += -lm

# In link order. discover is the half of topo/ that knows hwloc.
ROOMS := engine report journal select slurm cluster spec expr yaml stage wire request ticket bind \
	place discover topo conf base

SRC_discover := $(wildcard libs/topo/discover*.c)
SRC_topo := $(filter-out $(SRC_discover),$(wildcard libs/topo/*.c))
$(foreach r,$(filter-out discover topo,$(ROOMS)),$(eval SRC_$(r) := $(wildcard libs/$(r)/*.c)))
$(foreach r,$(ROOMS),$(eval OBJ_$(r) := $(SRC_$(r):%.c=$(B)/obj/%.o)))
ARCHIVE = $(patsubst %,$(B)/lib/libweft_%.a,$(1))
ARCHIVES := $(call ARCHIVE,$(ROOMS))

COMMAND_SRC := $(wildcard plugin/command/*.c)
COMMAND_OBJ := $(COMMAND_SRC:%.c=$(B)/obj/%.o)
COMMAND_LIBS := -lyaml -lhwloc -ljansson -luv -ldl -lm -lpthread
SPANK_SRC := $(wildcard plugin/spank/*.c)
SPANK_OBJ := $(SPANK_SRC:%.c=$(B)/obj/%.o)
SUBMIT_SRC := $(wildcard plugin/job_submit/*.c)
SUBMIT_OBJ := $(SUBMIT_SRC:%.c=$(B)/obj/%.o)

UNIT_SRC := $(wildcard tests/unit/test_*.c)
UNIT := $(UNIT_SRC:tests/unit/%.c=$(B)/tests/%)
TOOL_SRC := $(wildcard tests/tools/*.c)
TOOLS := $(TOOL_SRC:tests/tools/%.c=$(B)/tests/%)
# Preloaded into a command under test.
SHIM_SRC := $(wildcard tests/shim/*.c)
SHIMS := $(SHIM_SRC:tests/shim/%.c=$(B)/tests/%.so)
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ := $(FUZZ_SRC:tests/fuzz/fuzz_%.c=$(B)/tests/fuzz/%)
EXAMPLE := $(B)/examples/augmentation/gray-scott
EXAMPLE_SRC := $(wildcard contrib/examples/augmentation/*.c)

# ---- building ----------------------------------------------------------------

.PHONY: all deps check check-layers check-stage-faults check-kills check-walltime demo demo-modulation \
	bench fuzz lint install uninstall schema clean help dist
all: $(if $(COMMAND_SRC),$(B)/weft) $(if $(SPANK_SRC),$(B)/weft.so) \
	$(B)/job_submit_weft.so

# Compiling waits for the packages; check and demo also need what they run.
ifeq ($(DEPS),yes)
NEED := $(if $(filter check demo demo-% bench bench-%,$(MAKECMDGOALS)),,--build)
STAMP := build/.deps$(NEED)
$(STAMP): contrib/deps
	@mkdir -p $(@D)
	@contrib/deps $(NEED)
	@touch $@
endif
deps:
	@contrib/deps

$(B)/obj/%.o: %.c Makefile | $(STAMP)
	@mkdir -p $(@D)
	$(SAY) CC $<
	$(COMPILE)

define room_rule
$(B)/lib/libweft_$(1).a: $(OBJ_$(1)) Makefile
	@mkdir -p $$(@D)
	@rm -f $$@
	$(Q)$(AR) rcs $$@ $(OBJ_$(1))
endef
$(foreach r,$(ROOMS),$(eval $(call room_rule,$(r))))

$(B)/weft: $(COMMAND_OBJ) $(ARCHIVES)
	$(SAY) LINK $@
	$(Q)$(CC) $(LDFLAGS_ALL) -Wl,-z,now -pie -o $@ $(COMMAND_OBJ) $(ARCHIVES) $(COMMAND_LIBS)

# Only plugin_* and slurm_spank_* leave weft.so; it links none of libyaml, hwloc,
# libslurm.
PLUGIN_LDFLAGS := -shared -Wl,-z,now -Wl,-z,defs \
	-Wl,--version-script=plugin/spank/weft.lds \
	-Wl,--unresolved-symbols=ignore-in-object-files
$(B)/weft.so: $(SPANK_OBJ) plugin/spank/weft.lds $(call ARCHIVE,$(SEES_spank))
	$(SAY) LINK $@
	$(Q)$(CC) $(LDFLAGS_ALL) $(PLUGIN_LDFLAGS) -o $@ $(SPANK_OBJ) \
		$(call ARCHIVE,$(SEES_spank)) -lm

# The controller's half: as weft.so, with no library of its own beside libm.
SUBMIT_LDFLAGS = $(subst plugin/spank/weft.lds,plugin/job_submit/weft.lds,$(PLUGIN_LDFLAGS))
$(B)/job_submit_weft.so: $(SUBMIT_OBJ) plugin/job_submit/weft.lds $(call ARCHIVE,$(SEES_job_submit))
	$(SAY) LINK $@
	$(Q)$(CC) $(LDFLAGS_ALL) $(SUBMIT_LDFLAGS) -o $@ $(SUBMIT_OBJ) \
		$(call ARCHIVE,$(SEES_job_submit)) -lm

# srun, slurmstepd and slurmctld are not sanitized, so they can't load plug-ins that are:
# they get these, beside a sanitized command.
ifeq ($(VARIANT),san)
PLAIN := $(B)/plain/weft.so $(B)/plain/job_submit_weft.so
PLAIN_ROOMS := $(foreach r,$(SEES_spank),$(SRC_$(r):%.c=$(B)/plain/%.o))
PLAIN_OBJ := $(SPANK_SRC:%.c=$(B)/plain/%.o)
PLAIN_SUBMIT := $(SUBMIT_SRC:%.c=$(B)/plain/%.o)
$(B)/plain/%: VFLAGS :=

$(B)/plain/%.o: %.c Makefile | $(STAMP)
	@mkdir -p $(@D)
	$(SAY) CC $@
	$(COMPILE)

$(B)/plain/libweft.a: $(PLAIN_ROOMS)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(B)/plain/weft.so: $(PLAIN_OBJ) plugin/spank/weft.lds $(B)/plain/libweft.a
	$(SAY) LINK $@
	$(Q)$(CC) $(LDFLAGS_ALL) $(PLUGIN_LDFLAGS) -o $@ $(PLAIN_OBJ) $(B)/plain/libweft.a -lm

$(B)/plain/job_submit_weft.so: $(PLAIN_SUBMIT) plugin/job_submit/weft.lds $(B)/plain/libweft.a
	$(SAY) LINK $@
	$(Q)$(CC) $(LDFLAGS_ALL) $(SUBMIT_LDFLAGS) -o $@ $(PLAIN_SUBMIT) $(B)/plain/libweft.a -lm
endif

$(B)/examples/augmentation/gray-scott: $(EXAMPLE_SRC) $(wildcard contrib/examples/augmentation/*.h) | $(STAMP)
	@mkdir -p $(@D)
	$(SAY) MPICC $@
	$(Q)$(MPICC) -O3 -ffp-contract=off -std=gnu11 $(WARN) $(WERROR) -o $@ $(EXAMPLE_SRC) -lm

# ---- tests -------------------------------------------------------------------

# A suite of what is no library's: the objects that it looks at.
# The controller's half, with a slurmctld of the suite's own.
EXTRA_submit := $(SUBMIT_OBJ)
EXTRA_submit_million := $(SUBMIT_OBJ)
$(B)/tests/test_submit $(B)/tests/test_submit_million: $(SUBMIT_OBJ)
EXTRA_spank_cmdline := $(B)/obj/plugin/spank/cmdline.o
$(B)/tests/test_spank_cmdline: $(EXTRA_spank_cmdline)

$(B)/tests/test_%: $(B)/obj/tests/unit/test_%.o $(ARCHIVES)
	@mkdir -p $(@D)
	$(SAY) LINK $@
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $< $(EXTRA_$*) $(ARCHIVES) -lcheck -lsubunit -lrt $(COMMAND_LIBS)

$(B)/tests/%: $(B)/obj/tests/tools/%.o $(ARCHIVES)
	@mkdir -p $(@D)
	$(SAY) LINK $@
	$(Q)$(CC) $(LDFLAGS_ALL) -rdynamic -o $@ $< $(ARCHIVES) $(COMMAND_LIBS)

# A fuzz target of what is no library's: its objects.
FUZZ_EXTRA_bind := $(B)/obj/plugin/command/bind_request.o
FUZZ_EXTRA_cmdline := $(B)/obj/plugin/spank/cmdline.o
FUZZ_EXTRA_order := $(B)/obj/plugin/spank/order.o
FUZZ_EXTRA_request := $(SUBMIT_OBJ)
FUZZ_DRIVER := $(if $(FUZZ_MAIN),,$(B)/obj/tests/fuzz/driver.o)
$(B)/tests/fuzz/bind: $(FUZZ_EXTRA_bind)
$(B)/tests/fuzz/cmdline: $(FUZZ_EXTRA_cmdline)
$(B)/tests/fuzz/order: $(FUZZ_EXTRA_order)
$(B)/tests/fuzz/request: $(FUZZ_EXTRA_request)
$(B)/tests/fuzz/%: $(B)/obj/tests/fuzz/fuzz_%.o $(FUZZ_DRIVER) $(ARCHIVES)
	@mkdir -p $(@D)
	$(SAY) LINK $@
	$(Q)$(CC) $(LDFLAGS_ALL) $(FUZZ_MAIN) -rdynamic -o $@ $< $(FUZZ_EXTRA_$*) \
		$(FUZZ_DRIVER) $(ARCHIVES) $(COMMAND_LIBS)

$(B)/tests/%.so: tests/shim/%.c Makefile | $(STAMP)
	@mkdir -p $(@D)
	$(SAY) LINK $@
	$(Q)$(CC) -std=gnu11 -fPIC -shared $(WARN) $(WERROR) $(CPPFLAGS) -O1 -g -o $@ $< -ldl

check: all $(UNIT) $(TOOLS) $(SHIMS) $(FUZZ) $(EXAMPLE) $(PLAIN)
	@BUILD=$(B) VARIANT=$(VARIANT) tests/run $(TESTS)

fuzz: $(FUZZ)
	@BUILD=$(B) tests/fuzz/long

# The faults of staging for longer: kill -9 at 50 moments, names that flip for a minute.
check-stage-faults: all $(SHIMS)
	@BUILD=$(B) VARIANT=$(VARIANT) WEFT_TEST_KILLS=50 WEFT_TEST_FLIPS=500 tests/run stage/

# Kills of all KINDS at MOMENTS random moments each (50), on runs of MEMBERS (500), LANES at a
# time; and runs that need many jobs, as long as the bar asks for.
check-kills check-walltime: all
	@BUILD=$(B) VARIANT=$(VARIANT) LONG=1 MOMENTS=$(MOMENTS) KINDS="$(KINDS)" MEMBERS=$(MEMBERS) \
		tests/engine/$(@:check-%=%).sh

check-layers: $(ARCHIVES)
	@BUILD=$(B) tests/layers $(foreach r,$(ROOMS) spank job_submit,'$(r):$(SEES_$(r)):$(LINK_$(r))')

lint:
	@tests/lint

demo demo-modulation: all $(EXAMPLE) $(PLAIN)
	@BUILD=$(B) contrib/demo $(filter-out demo,$(@:demo-%=%))

BENCH_TOOLS := $(B)/tests/submit_rate $(B)/tests/measure $(B)/tests/place_figures \
	$(B)/tests/faulty.so $(B)/tests/hash_rate $(B)/tests/copy_limit $(B)/tests/records $(B)/tests/agents
bench: all $(BENCH_TOOLS)
	@BUILD=$(B) tests/bench/run

bench-%: all $(BENCH_TOOLS)
	@BUILD=$(B) tests/bench/run $*

schema: $(B)/weft
	$(B)/weft schema > conf/weft.schema.json
	@BUILD=$(B) tests/fields-man --write

# ---- installing --------------------------------------------------------------

prefix ?= /usr/local
exec_prefix ?= $(prefix)
bindir ?= $(exec_prefix)/bin
libdir ?= $(exec_prefix)/lib
datarootdir ?= $(prefix)/share
datadir ?= $(datarootdir)
mandir ?= $(datarootdir)/man
docdir ?= $(datarootdir)/doc/weft
sysconfdir ?= /etc
# Where this distribution's Slurm looks for plug-ins.
slurmplugindir ?= $(firstword $(wildcard /usr/lib/$(shell $(CC) -print-multiarch)/slurm-wlm \
	/usr/lib64/slurm /usr/lib/$(shell $(CC) -print-multiarch)/slurm /usr/lib/slurm) \
	$(libdir)/slurm)

install: all
	$(INSTALL) -d $(DESTDIR)$(bindir) $(DESTDIR)$(slurmplugindir) \
		$(DESTDIR)$(mandir)/man1 $(DESTDIR)$(mandir)/man5 $(DESTDIR)$(mandir)/man8 \
		$(DESTDIR)$(datadir)/weft $(DESTDIR)$(docdir)
	$(INSTALL) -m 755 $(B)/weft $(DESTDIR)$(bindir)/weft
	$(INSTALL) -m 755 $(B)/weft.so $(DESTDIR)$(slurmplugindir)/weft.so
	$(INSTALL) -m 755 $(B)/job_submit_weft.so $(DESTDIR)$(slurmplugindir)/job_submit_weft.so
	$(INSTALL) -m 644 $(wildcard man/*.1) $(DESTDIR)$(mandir)/man1
	$(INSTALL) -m 644 $(wildcard man/*.5) $(DESTDIR)$(mandir)/man5
	$(INSTALL) -m 644 $(wildcard man/*.8) $(DESTDIR)$(mandir)/man8
	$(INSTALL) -m 644 $(wildcard conf/*) $(DESTDIR)$(datadir)/weft
	$(INSTALL) -m 644 contrib/cli_filter/cli_filter.lua $(DESTDIR)$(datadir)/weft
	$(INSTALL) -m 644 README.md CHANGELOG.md LICENSE $(DESTDIR)$(docdir)

uninstall:
	rm -f $(DESTDIR)$(bindir)/weft $(DESTDIR)$(slurmplugindir)/weft.so \
		$(DESTDIR)$(slurmplugindir)/job_submit_weft.so
	rm -f $(addprefix $(DESTDIR)$(mandir)/man1/,$(notdir $(wildcard man/*.1)))
	rm -f $(addprefix $(DESTDIR)$(mandir)/man5/,$(notdir $(wildcard man/*.5)))
	rm -f $(addprefix $(DESTDIR)$(mandir)/man8/,$(notdir $(wildcard man/*.8)))
	rm -rf $(DESTDIR)$(datadir)/weft $(DESTDIR)$(docdir)

dist:
	@mkdir -p build
	git archive --prefix=weft-$(VERSION)/ -o build/weft-$(VERSION).tar.gz HEAD

clean:
	rm -rf build

help:
	@sed -n '3,/^$$/s/^# \{0,1\}//p' Makefile

-include $(shell find $(B)/obj $(B)/plain -name '*.d' 2>/dev/null)
