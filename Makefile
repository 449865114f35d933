# r1: make · make run · make test · make check · make bench · make deps · make install · make fuzz · make lint
#
# CC=gcc|clang   V=1 shows commands   BUILD=release|debug|asan|tiny (asan: ASan+UBSan; tiny: constants made tiny)

BUILD   ?= release
CC      ?= cc
PREFIX  ?= /usr/local
ifeq ($(origin CC),default)
CC      := gcc
endif
Q       := $(if $(V),,@)

B       := build/$(BUILD)-$(notdir $(firstword $(CC)))
LIBS    := jansson libpcre2-8 libutf8proc libcrypto
CLILIBS := libedit md4c
PKGC    := $(shell pkg-config --cflags $(LIBS) $(CLILIBS) 2>/dev/null)
PKGL    := $(shell pkg-config --libs $(LIBS) 2>/dev/null)
PKGLCLI := $(shell pkg-config --libs $(CLILIBS) 2>/dev/null)

WARN    := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
CSTD    := -std=c17 -ffp-contract=off -fno-math-errno -fvisibility=hidden -pthread
OPT_release := -O2 -g
OPT_debug   := -O0 -g
OPT_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
OPT_tiny    := -O1 -g -DR1_TINY=1 -fsanitize=address,undefined -fno-sanitize-recover=all
OPT     := $(OPT_$(BUILD))
CFLAGS_ALL := $(CSTD) $(WARN) $(OPT) -Iinclude -Isrc -I. $(PKGC) $(CFLAGS)
LDFLAGS_ALL := -pthread $(filter -fsanitize%,$(OPT)) $(LDFLAGS)

SRC     := $(filter-out %_test.c,$(wildcard src/*/*.c src/*/*/*.c))
LIBSRC  := $(filter-out src/cli/%,$(SRC))
CLISRC  := $(filter src/cli/%,$(SRC))
TESTSRC := $(wildcard src/*/*_test.c src/*/*/*_test.c tests/*/*_test.c)
LIBOBJ  := $(LIBSRC:%.c=$(B)/%.o)
CLIOBJ  := $(CLISRC:%.c=$(B)/%.o)
TESTS   := $(TESTSRC:%.c=$(B)/%)

$(B)/src/kernels/avx2/%.o:   CFLAGS_ALL += -mavx2 -mfma -mf16c -O3
$(B)/src/kernels/avx512/%.o: CFLAGS_ALL += -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni -mavx2 -mfma -mf16c -O3
$(B)/src/kernels/scalar/%.o: CFLAGS_ALL += -O3

all: $(B)/r1
.PHONY: all
.SECONDARY:

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) -MMD -MP -fPIC -c $< -o $@

$(B)/libr1.a: $(LIBOBJ)
	@rm -f $@
	$(Q)ar rcs $@ $^

$(B)/r1: $(CLIOBJ) $(B)/libr1.a
	$(Q)$(CC) $(LDFLAGS_ALL) $^ $(PKGL) $(PKGLCLI) -lm -o $@

$(B)/%_test: $(B)/%_test.o $(B)/tests/test_main.o $(B)/libr1.a
	$(Q)$(CC) $(LDFLAGS_ALL) $^ $(PKGL) -lcmocka -lm -o $@

-include $(LIBOBJ:.o=.d) $(CLIOBJ:.o=.d) $(TESTS:=.d)
