/* Which library functions an object file defines: those that the test calls must be the library's.
 *
 * The file comes from a box and is read with suspicion: every offset is checked, and a file that is not understood replaces
 * nothing (the linker will have its own opinion). */
#define _GNU_SOURCE
#include "reward/code/code_int.h"
#include <elf.h>
#include <stdio.h>

/* The name of a C++ function that takes a library name: _Z6strcmpPKc is strcmp. */
static const char *plain_name(const char *s, size_t *n)
{
    size_t len = 0, i = 2;
    if (*n < 4 || s[0] != '_' || s[1] != 'Z') return s;
    while (i < *n && s[i] >= '0' && s[i] <= '9' && len < 1000) len = 10 * len + (size_t)(s[i++] - '0');
    if (!len || i + len > *n) return s;
    *n = len;
    return s + i;
}

static bool section(const char *object, size_t n, const Elf64_Ehdr *h, size_t i, Elf64_Shdr *out)
{
    uint64_t at = h->e_shoff + (uint64_t)i * sizeof *out;
    if (i >= h->e_shnum || h->e_shoff > n || at + sizeof *out > n) return false;
    memcpy(out, object + at, sizeof *out);
    return out->sh_type == SHT_NOBITS || (out->sh_offset <= n && out->sh_size <= n - out->sh_offset);
}

/* Whether a function that compilers, headers and libraries call by themselves has that name: the test does not need to name it. Functions of libgcc end with the
 * modes of their operands. */
static bool is_called_unnamed(const r1_code_run *run, const char *name, size_t n)
{
    static const char *const names[] = { "memcmp", "bcmp", "memcpy", "memmove", "memset", "malloc", "calloc", "realloc", "free", "dl_iterate_phdr", /* of C++ only: */ "memchr", "strlen", "wmemcmp", "wcslen", "wmemchr" };
    enum { OF_C = 10 };
    static const char *const starts[] = { "__cxa_", "__gxx_", "__sync_", "__atomic_", "_Unwind_" };
    static const char *const modes[] = { "si", "di", "ti", "hf", "sf", "df", "xf", "tf", "sc", "dc", "xc", "tc" };
    const r1_code_task *t = run->task;
    if ((t->entry_point.n == n && !memcmp(t->entry_point.data, name, n)) || r1_code_has_word(t->prompt, name, n)) return false;
    for (size_t i = 0; i < (t->language == R1_CODE_CPP ? R1_COUNT(names) : OF_C); i++)
        if (strlen(names[i]) == n && !memcmp(names[i], name, n)) return !r1_code_has_word(t->test, name, n); /* else it may be what is tested */
    if (n < 5 || name[0] != '_' || name[1] == 'Z') return false;
    for (size_t i = 0; i < R1_COUNT(starts); i++)
        if (strlen(starts[i]) <= n && !memcmp(starts[i], name, strlen(starts[i]))) return true;
    if (r1_code_is_library(name, n)) return true;
    size_t end = n - (name[n - 1] >= '2' && name[n - 1] <= '4');
    for (size_t i = 0; i < R1_COUNT(modes) && name[1] == '_'; i++)
        if (!memcmp(name + end - 2, modes[i], 2)) return true;
    return false;
}

/* Symbols of one table. n_other: functions that the test names and that are not in the library; *always: what was found is no subject of a test. */
static bool search(const r1_code_run *run, const char *object, const Elf64_Shdr *table, const Elf64_Shdr *strings, size_t *n_other, bool *always, char *what, size_t size)
{
    bool found = false;
    for (uint64_t i = 0; i < table->sh_size / sizeof(Elf64_Sym); i++) {
        Elf64_Sym y;
        memcpy(&y, object + table->sh_offset + i * sizeof y, sizeof y);
        if (y.st_shndx == SHN_UNDEF || y.st_name >= strings->sh_size) continue;
        const char *name = object + strings->sh_offset + y.st_name;
        size_t len = strnlen(name, strings->sh_size - y.st_name);
        if (!len) continue;
        bool unnamed = is_called_unnamed(run, name, len);
        name = plain_name(name, &len);
        if (unnamed) {
            if (!found) snprintf(what, size, "%.*s", (int)r1_min(len, 60), name);
            found = *always = true;
        } else if (r1_code_is_taken(run, name, len)) {
            if (!found) snprintf(what, size, "%.*s", (int)r1_min(len, 60), name);
            found = true;
        } else if (ELF64_ST_TYPE(y.st_info) == STT_FUNC && !(len == 4 && !memcmp(name, "main", 4)) && r1_code_has_word(run->task->test, name, len)) {
            ++*n_other;
        }
    }
    return found;
}

/* Whether a symbol is found by calling a function of the solution, which then runs before the stub does. */
static bool has_ifunc(const char *object, const Elf64_Shdr *table)
{
    for (uint64_t i = 0; i < table->sh_size / sizeof(Elf64_Sym); i++) {
        Elf64_Sym y;
        memcpy(&y, object + table->sh_offset + i * sizeof y, sizeof y);
        if (ELF64_ST_TYPE(y.st_info) == STT_GNU_IFUNC) return true;
    }
    return false;
}

/* Whether anything but the one pointer behind the test refers to main, or has its place: a solution could ask it for the right answer. */
static bool uses_main(const r1_code_run *run, const char *object, size_t n, const Elf64_Ehdr *h, size_t symbols)
{
    Elf64_Shdr table, strings, relocations;
    Elf64_Sym y, main_symbol = { 0 };
    uint64_t index = 0, n_uses = 0;
    r1_code_text test = run->task->test;
    const char *first = memmem(test.data, test.n, "main", 4);
    size_t behind = first ? (size_t)(first - test.data) + 4 : test.n;
    if (r1_code_has_word((r1_code_text){ test.data + behind, test.n - behind }, "main", 4)) return false; /* the test may call it */
    if (!section(object, n, h, symbols, &table) || !section(object, n, h, table.sh_link, &strings)) return false;
    for (int round = 0; round < 2; round++) /* find it, then what is in the same place */
        for (uint64_t i = 1; i < table.sh_size / sizeof y; i++) {
            memcpy(&y, object + table.sh_offset + i * sizeof y, sizeof y);
            bool named = y.st_name < strings.sh_size && strings.sh_size - y.st_name >= 5 && !memcmp(object + strings.sh_offset + y.st_name, "main", 5);
            if (!round && named && y.st_shndx != SHN_UNDEF) index = i, main_symbol = y;
            int type = ELF64_ST_TYPE(y.st_info);
            if (round && index && i != index && (type == STT_FUNC || type == STT_OBJECT) && y.st_shndx == main_symbol.st_shndx && y.st_value == main_symbol.st_value) return true;
        }
    for (size_t i = 0; index && i < h->e_shnum; i++) {
        if (!section(object, n, h, i, &relocations) || relocations.sh_type != SHT_RELA || relocations.sh_link != symbols) continue;
        for (uint64_t k = 0; k < relocations.sh_size / sizeof(Elf64_Rela); k++) {
            Elf64_Rela r;
            memcpy(&r, object + relocations.sh_offset + k * sizeof r, sizeof r);
            n_uses += ELF64_R_SYM(r.r_info) == index;
        }
    }
    return n_uses > 1;
}

bool r1_code_replaces(const r1_code_run *run, const char *object, size_t n, char *what, size_t size)
{
    Elf64_Ehdr h;
    Elf64_Shdr table, strings;
    size_t n_other = 0;
    bool found = false, always = false;
    if (n < sizeof h) return false;
    memcpy(&h, object, sizeof h);
    if (memcmp(h.e_ident, ELFMAG, SELFMAG) || h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_shentsize != sizeof table) return false;
    for (size_t i = 0; i < h.e_shnum; i++) {
        if (!section(object, n, &h, i, &table) || table.sh_type != SHT_SYMTAB) continue;
        if (!section(object, n, &h, table.sh_link, &strings) || strings.sh_type != SHT_STRTAB) continue;
        if (has_ifunc(object, &table)) return snprintf(what, size, "has an ifunc, which runs before the test"), true;
        if (uses_main(run, object, n, &h, i)) return snprintf(what, size, "uses main, which is the test's"), true;
        char name[80];
        if (search(run, object, &table, &strings, &n_other, &always, name, sizeof name) && !found) {
            found = true;
            snprintf(what, size, "defines %s, which the test takes from the library", name);
        }
    }
    /* a task without entry_point may be about a function that has such a name */
    return always || (found && (run->task->entry_point.n || n_other));
}
