# r1: make · make run · make test · make test-neon · make check · make bench · make deps · make install · make fuzz · make lint
#
#   CC=gcc|clang                       V=1 shows commands
#   BUILD=release|debug|asan|tiny      asan: ASan+UBSan; tiny: constants made tiny (R1_TINY), also with ASan+UBSan
#   PREFIX=/usr/local DESTDIR=         for install
#   SKIP='tests/golden/%'              for test: programs to leave out
#   LLAMA_BENCH=path                   for bench: compare with this program of llama.cpp
#   TARGET=gguf TIME=60                for fuzz: one target, seconds for each; without TARGET all of them
#
# Objects, programs and generated files go to build/BUILD-CC. docs/where.md says what is where.

.DEFAULT_GOAL := all

BUILD   ?= release
CC      ?= cc
OBJCOPY ?= objcopy
PREFIX  ?= /usr/local
ifeq ($(origin CC),default)
CC      := gcc
endif
Q       := $(if $(V),,@)
# What is being made, a line each; nothing with V=1 (the command shows) or -s.
QUIET   := $(V)$(findstring s,$(firstword -$(MAKEFLAGS)))
SAY      = @$(if $(QUIET),:,printf '  %-3s %s\n' '$(1)' '$(2)')

# As many jobs as there are processors, unless -j says otherwise.
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 1)
endif

B       := build/$(BUILD)-$(notdir $(firstword $(CC)))
CACHE   := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/r1
MODEL   := $(CACHE)/models/SmolLM2-135M-Instruct.Q4_1.gguf

# ---- packages ----------------------------------------------------------------------------------------------------
# Each goal says what it needs; tools/deps knows how to see that it is there and how to install it. When something is
# missing, the goals become one rule that installs it and starts make again, because the flags below are computed while
# this file is read.

GOALS   := $(or $(MAKECMDGOALS),all)
NEEDS   := $(if $(filter-out clean deps help,$(GOALS)),build)
NEEDS   += $(if $(filter test test-code tests %_test,$(GOALS)),unit)
NEEDS   += $(if $(filter fuzz,$(GOALS)),fuzz)
NEEDS   += $(if $(filter test-neon,$(GOALS)),neon)
MISSING := $(if $(strip $(NEEDS)),$(shell CC='$(CC)' tools/deps --missing $(NEEDS)))
# What only fetching needs is tried once and not insisted on: without it tools/fetch says so, and tests are skipped.
WANTS   := $(if $(filter run test bench,$(GOALS)),$(if $(wildcard $(MODEL)),,model))
WANTS   += $(if $(filter test,$(GOALS)),$(if $(wildcard $(CACHE)/tokenizers/smollm2.json),,tokenizers))
WANTED  := $(if $(R1_DEPS_TRIED),,$(if $(strip $(WANTS)),$(shell CC='$(CC)' tools/deps --missing $(WANTS))))

ifneq ($(strip $(MISSING)$(WANTED)),)
ifneq ($(R1_DEPS_TRIED),)
$(error still missing after installing packages: $(MISSING))
endif
.PHONY: $(GOALS) install-and-again
$(GOALS): install-and-again ;@:
install-and-again:
	@echo 'missing: $(MISSING)$(WANTED)'
	$(if $(strip $(MISSING)),@CC='$(CC)' tools/deps $(NEEDS))
	$(if $(strip $(WANTED)),@CC='$(CC)' tools/deps $(WANTS) || true)
	@+$(MAKE) --no-print-directory R1_DEPS_TRIED=1 $(GOALS)
else

# ---- flags -------------------------------------------------------------------------------------------------------

LIBS    := jansson libpcre2-8 libutf8proc libcrypto gmp mpfr libseccomp libcurl
CLILIBS := libedit md4c
PKGC    := $(shell pkg-config --cflags $(LIBS) $(CLILIBS) 2>/dev/null)
PKGL    := $(shell pkg-config --libs $(LIBS) 2>/dev/null)
PKGLCLI := $(shell pkg-config --libs $(CLILIBS) 2>/dev/null)
MACHINE := $(shell $(CC) -dumpmachine 2>/dev/null)
VERSION := $(shell sed -n 's/^.define R1_VERSION "\(.*\)"/\1/p' include/r1/r1.h)

WARN    := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
CSTD    := -std=c17 -ffp-contract=off -fno-math-errno -fvisibility=hidden -pthread
OPT_release := -O2 -g
OPT_debug   := -O0 -g
OPT_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
OPT_tiny    := -O1 -g -DR1_TINY=1 -fsanitize=address,undefined -fno-sanitize-recover=all
OPT_fuzz    := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
# gcc's own warnings of these kinds are wrong about instrumented code (its manual says so)
GCC_SAN := $(if $(findstring clang,$(CC)),,$(if $(findstring -fsanitize,$(OPT_$(BUILD))),-Wno-format-truncation -Wno-maybe-uninitialized -Wno-stringop-overflow))
OPT     := $(OPT_$(BUILD)) $(GCC_SAN)
CFLAGS_ALL := $(CSTD) $(WARN) $(OPT) -Iinclude -Isrc -I. $(PKGC) $(CFLAGS)
LDFLAGS_ALL := -pthread $(filter -fsanitize%,$(OPT)) $(LDFLAGS)

# ---- sources -----------------------------------------------------------------------------------------------------

# An instruction set's kernels are built only where the compiler's target has it; src/kernels/kernels.c chooses at run time.
NOT_HERE := $(if $(filter x86_64%,$(MACHINE)),,avx2 avx512 amx) $(if $(filter aarch64-% arm64-%,$(MACHINE)),,neon)
SRC     := $(filter-out %_test.c $(NOT_HERE:%=src/kernels/%/%),$(wildcard src/*/*.c src/*/*/*.c))
LIBSRC  := $(filter-out src/cli/%,$(SRC))
CLISRC  := $(filter src/cli/%,$(SRC))
TESTSRC := $(filter-out $(NOT_HERE:%=src/kernels/%/%),$(wildcard src/*/*_test.c src/*/*/*_test.c tests/*/*_test.c))
FUZZSRC := $(wildcard tests/fuzz/fuzz_*.c)
# Files that are part of the library as they are (tools/mkembed)
EMBEDDED := $(wildcard src/*/*.css src/*/*.js)
PAGES   := $(sort $(wildcard docs/cli/*.md))
LIBOBJ  := $(LIBSRC:%.c=$(B)/%.o) $(EMBEDDED:%=$(B)/gen/%.o) $(B)/gen/code_scripts.o
CLIOBJ  := $(CLISRC:%.c=$(B)/%.o) $(if $(PAGES),$(B)/gen/help_pages.o)
TESTS   := $(TESTSRC:%.c=$(B)/%)
REPLAYS := $(FUZZSRC:tests/fuzz/fuzz_%.c=$(B)/tests/fuzz/replay_%)
SCRIPTS := $(sort $(wildcard tests/*/*_test.sh))
MAN     := $(PAGES:docs/cli/%.md=$(B)/man/%.1)
PROGRAM := $(if $(CLISRC),$(B)/r1)

# clang takes minutes over unrolled kernels with UBSan; gcc's build with both sanitizers looks for undefined behaviour there
KERNEL_OPT := $(if $(findstring -fsanitize,$(OPT)),$(if $(findstring clang,$(CC)),-fno-sanitize=undefined),$(if $(filter release,$(BUILD)),-O3))
AVX512  := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni -mavx2 -mfma -mf16c
$(B)/src/kernels/avx2/%.o:   CFLAGS_ALL += -mavx2 -mfma -mf16c $(KERNEL_OPT)
$(B)/src/kernels/avx512/%.o: CFLAGS_ALL += $(AVX512) $(KERNEL_OPT)
$(B)/src/kernels/amx/%.o:    CFLAGS_ALL += $(AVX512) -mamx-tile -mamx-int8 -mamx-bf16 $(KERNEL_OPT)
$(B)/src/kernels/neon/%.o:   CFLAGS_ALL += -march=armv8.2-a+dotprod $(KERNEL_OPT)
$(B)/src/kernels/scalar/%.o: CFLAGS_ALL += $(KERNEL_OPT)
$(B)/src/quant/%.o:          CFLAGS_ALL += $(KERNEL_OPT)
$(B)/src/cli/%.o $(B)/gen/%.o: CFLAGS_ALL += -I$(B)/gen

# The sandbox's launcher: a static program of its own, without sanitizers (it lives between clone and exec), carried in the library's data.
LAUNCHER := $(B)/src/reward/code/launcher/box_launcher
LAUNCHER_OBJ := $(patsubst %.c,$(B)/%.o,$(wildcard src/reward/code/launcher/*.c))
$(LAUNCHER_OBJ): CFLAGS_ALL := -std=c17 $(WARN) -Isrc -O2 -g -ffunction-sections -fdata-sections
$(B)/src/reward/code/box_start.o: CFLAGS_ALL += -DR1_BOX_LAUNCHER='"$(LAUNCHER)"'
$(B)/src/reward/code/box_start.o: $(LAUNCHER)

# ---- what people type --------------------------------------------------------------------------------------------

.PHONY: all run test test-code test-neon tests fetched check bench deps install fuzz lint man clean help always
.SECONDARY:
.DELETE_ON_ERROR:

all: $(PROGRAM) $(B)/libr1.a $(B)/libr1.so.0 $(MAN)
	$(call SAY,=,$(PROGRAM) is ready)

# a model this small repeats itself without the penalty
run: $(PROGRAM)
	@model=$$(tools/fetch model) && exec $(B)/r1 run "$$model" --repetition-penalty 1.1

tests: $(PROGRAM) $(TESTS) $(REPLAYS) $(if $(PROGRAM),$(B)/tests/faults/r1_named)

# Every program ends with "N passed, N failed, N skipped"; tools/run_tests adds them up and fails when a program failed,
# did not say so, or ran nothing.
RUN_TESTS = CC='$(CC)' B='$(B)' R1='$(B)/r1' R1_TESTS=tests tools/run_tests -d $(B)/test-logs
CODE    = $(filter-out $(SKIP:%=$(B)/%),$(TESTS) $(REPLAYS))
EXAMPLES := $(shell grep -l '^.``sh test' README.md docs/*.md docs/*/*.md 2>/dev/null)
test: all tests fetched
	@$(RUN_TESTS) $(CODE) $(SCRIPTS) "tools/check $(B)" $(if $(PROGRAM),$(if $(EXAMPLES),"tools/check_examples $(B)"))

# Only the test programs, for builds with sanitizers: SKIP='tests/golden/%' leaves some out.
test-code: tests
	@$(RUN_TESTS) $(CODE)

# The program and its kernels on 64-bit ARM, under an emulator.
test-neon: $(PROGRAM)
	@tools/test_neon $(B)/r1

# A missing network is a failure in CI, and elsewhere a reason to skip what needs it.
fetched:
	@tools/fetch model >/dev/null && tools/fetch tokenizers >/dev/null || { echo 'fetch: tests that need it will be skipped' >&2; test -z "$$CI"; }

check: all
	@tools/check $(B)
	@CC='$(CC)' tools/lint

lint:
	@CC='$(CC)' FLAGS='$(CFLAGS_ALL)' tools/lint --all

bench: $(PROGRAM)
	@model=$$(tools/fetch model) && exec bench/compare.sh --r1 $(B)/r1 --model "$$model" $(if $(LLAMA_BENCH),--rival llama.cpp="$(LLAMA_BENCH)")

deps:
	@CC='$(CC)' tools/deps build unit model tokenizers

fuzz: $(if $(filter fuzz,$(BUILD)),fuzz-run,fuzz-build)
.PHONY: fuzz-build fuzz-run fuzz-targets
fuzz-build:
	@+$(MAKE) --no-print-directory BUILD=fuzz CC=clang B=build/fuzz fuzz-run
TIME    ?= 60
fuzz-run: $(if $(TARGET),$(B)/tests/fuzz/fuzz_$(TARGET),$(FUZZSRC:%.c=$(B)/%))
	@tools/run_fuzz $(TIME) $^

fuzz-targets: $(FUZZSRC:%.c=$(B)/%)

man: $(MAN)

clean:
	rm -rf build

help:
	@sed -n '1,/^$$/s/^# \{0,1\}//p' Makefile

# ---- objects, libraries, programs --------------------------------------------------------------------------------

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(call SAY,CC,$<)
	$(Q)$(CC) $(CFLAGS_ALL) -MMD -MP -fPIC -c $< -o $@

$(LAUNCHER): $(LAUNCHER_OBJ)
	$(Q)$(CC) -static -Wl,--gc-sections -s $^ -o $@

$(B)/gen/%.o: $(B)/gen/%.c
	$(Q)$(CC) $(CFLAGS_ALL) -MMD -MP -fPIC -c $< -o $@

$(B)/libr1.a: $(LIBOBJ)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

# The objects hide everything that r1.h does not mark R1_API; the version script keeps it so and tools/check looks.
$(B)/libr1.so.0: $(LIBOBJ) tools/libr1.map
	$(Q)$(CC) -shared $(LDFLAGS_ALL) -Wl,-soname,libr1.so.0 -Wl,--version-script,tools/libr1.map $(LIBOBJ) $(PKGL) -lm -o $@

$(B)/r1: $(CLIOBJ) $(B)/libr1.a
	$(Q)$(CC) $(LDFLAGS_ALL) $^ $(PKGL) $(PKGLCLI) -lm -o $@

# Unit tests of the command line link its objects too, with main() under another name.
CLITEST := $(CLIOBJ:$(B)/src/cli/main.o=$(B)/src/cli/main_renamed.o)
$(B)/src/cli/main_renamed.o: $(B)/src/cli/main.o
	$(Q)$(OBJCOPY) --redefine-sym main=r1_main $< $@

$(filter $(B)/src/cli/%,$(TESTS)): $(B)/src/cli/%_test: $(B)/src/cli/%_test.o $(CLITEST) $(B)/tests/test_main.o $(B)/libr1.a
	$(Q)$(CC) $(LDFLAGS_ALL) $^ $(PKGL) $(PKGLCLI) -lcmocka -lm -o $@

$(B)/%_test: $(B)/%_test.o $(B)/tests/test_main.o $(B)/libr1.a
	$(Q)$(CC) $(LDFLAGS_ALL) $^ $(PKGL) -lcmocka -lm -o $@

# Tests whose allocations fail on purpose: see tests/faults/faults.h.
WRAPPED := malloc calloc realloc reallocarray aligned_alloc posix_memalign strdup strndup free
$(B)/tests/faults/%.o: CFLAGS_ALL += -fno-builtin
$(filter $(B)/tests/faults/%,$(TESTS)): $(B)/tests/faults/%_test: $(B)/tests/faults/%_test.o $(B)/tests/faults/faults.o $(B)/tests/test_main.o $(B)/libr1.a
	$(Q)$(CC) $(LDFLAGS_ALL) $(WRAPPED:%=-Wl,--wrap=%) $^ $(PKGL) -lcmocka -lm -o $@

# The program where files cannot be nameless, for tests/e2e/files.py: see tests/faults/named.c.
$(B)/tests/faults/r1_named: $(CLIOBJ) $(B)/tests/faults/named.o $(B)/libr1.a
	$(Q)$(CC) $(LDFLAGS_ALL) -Wl,--wrap=open -Wl,--wrap=open64 $^ $(PKGL) $(PKGLCLI) -lm -o $@

# checkkernel also tests kernels of instructions this machine may lack, compiled with those instructions emulated.
$(B)/tests/checkkernel/emulated_amx.o: CFLAGS_ALL += $(if $(filter x86_64%,$(MACHINE)),$(AVX512)) $(KERNEL_OPT)
$(filter $(B)/tests/checkkernel/%,$(TESTS)): $(B)/tests/checkkernel/emulated_amx.o

$(REPLAYS): $(B)/tests/fuzz/replay_%: $(B)/tests/fuzz/fuzz_%.o $(B)/tests/fuzz/replay.o $(B)/libr1.a
	$(Q)$(CC) $(LDFLAGS_ALL) $^ $(PKGL) -lm -o $@

$(FUZZSRC:%.c=$(B)/%): $(B)/%: $(B)/%.o $(B)/libr1.a
	$(Q)$(CC) $(LDFLAGS_ALL) -fsanitize=fuzzer $^ $(PKGL) -lm -o $@

# ---- generated ---------------------------------------------------------------------------------------------------

$(B)/gen/help_pages.c: tools/mkhelp $(PAGES)
	@mkdir -p $(@D)
	$(Q)tools/mkhelp c $(PAGES) >$@

$(EMBEDDED:%=$(B)/gen/%.c): $(B)/gen/%.c: % tools/mkembed
	@mkdir -p $(@D)
	$(Q)tools/mkembed $< >$@

SCRIPTED := $(wildcard src/reward/code/*.py src/reward/code/*.js src/reward/code/*.inc)
$(B)/gen/code_scripts.c: tools/mkscripts $(SCRIPTED)
	@mkdir -p $(@D)
	$(Q)tools/mkscripts src/reward/code >$@

$(B)/man/%.1: docs/cli/%.md tools/mkhelp
	@mkdir -p $(@D)
	$(Q)tools/mkhelp man $(VERSION) $< >$@

# What `r1 --version` says of the build; rewritten only when it changes.
$(B)/gen/build_info.h: always
	@mkdir -p $(@D)
	@printf '#define R1_COMMIT "%s"\n#define R1_BUILD "%s"\n' "$$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)" '$(BUILD)' >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@
$(CLISRC:%.c=$(B)/%.o): | $(B)/gen/build_info.h

# ---- install -----------------------------------------------------------------------------------------------------

I       := $(DESTDIR)$(PREFIX)
install: all
	install -d $(I)/bin $(I)/include/r1 $(I)/lib/pkgconfig $(I)/share/man/man1
	$(if $(PROGRAM),install -m 755 $(B)/r1 $(I)/bin/r1)
	install -m 644 include/r1/r1.h $(I)/include/r1/r1.h
	install -m 644 $(B)/libr1.a $(I)/lib/libr1.a
	install -m 755 $(B)/libr1.so.0 $(I)/lib/libr1.so.0
	ln -sf libr1.so.0 $(I)/lib/libr1.so
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' r1.pc.in >$(I)/lib/pkgconfig/r1.pc
	$(if $(MAN),install -m 644 $(MAN) $(I)/share/man/man1)

-include $(LIBOBJ:.o=.d) $(LAUNCHER_OBJ:.o=.d) $(CLIOBJ:.o=.d) $(TESTS:=.d) $(FUZZSRC:%.c=$(B)/%.d) $(B)/tests/test_main.d $(B)/tests/fuzz/replay.d $(B)/tests/faults/faults.d $(B)/tests/checkkernel/emulated_amx.d

endif
