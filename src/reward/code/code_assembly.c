/* What the compiler hands to the assembler: nothing in it may change how the test's part is assembled.
 *
 * A solution reaches the assembler by asm, by names of sections and by #ident. A macro there may have the name of an instruction, and then that
 * instruction of the test's does something else; .reloc and .org write over what is there. So the text for the assembler is looked at
 * once where the solution has a word that could bring something of its own into it.
 *
 * Anywhere, a string included, no directive that expands, includes, repeats or leaves out; between #APP and #NO_APP, where compilers put what comes
 * from asm, instructions, labels and plain data only. */
#include "reward/code/code_int.h"
#include <ctype.h>
#include <stdio.h>

bool r1_code_has_assembly(const r1_code_run *run)
{
    static const char *const signs[] = { "asm", "attribute", "[[", "ident", "sccs", "section" };
    r1_code_words w;
    bool found = !r1_code_split(&w, run->solution, run->task->language == R1_CODE_CPP) || w.glues;
    for (size_t i = 0; i < R1_COUNT(signs) && !found; i++) found = strstr(w.text, signs[i]) != NULL;
    r1_code_words_free(&w);
    return found;
}

/* Whether the word at p, of n bytes, starts with name, in capitals or not. */
static bool starts(const char *p, size_t n, const char *name)
{
    size_t k = 0;
    while (k < n && name[k] && tolower((unsigned char)p[k]) == name[k]) k++;
    return !name[k];
}

static bool in(const char *p, size_t n, const char *const *list, size_t n_list)
{
    for (size_t i = 0; i < n_list; i++)
        if (starts(p, n, list[i])) return true;
    return false;
}

static bool is_name_char(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || c == '.';
}

/* A statement that came from asm: labels, then an instruction or data. */
static bool is_plain_statement(const char *p, size_t n)
{
    static const char *const data[] = { ".byte", ".2byte", ".4byte", ".8byte", ".word", ".short", ".long", ".int", ".quad", ".p2align", ".balign", ".align" };
    for (bool label = true; label;) {
        size_t k = 0;
        label = false;
        while (n && isspace((unsigned char)*p)) p++, n--;
        while (k < n && is_name_char(p[k])) k++;
        if (k && k < n && p[k] == ':') {
            label = true;
            p += k + 1;
            n -= k + 1;
        }
    }
    for (size_t i = 0; i < n; i++)
        if (p[i] == '=' || p[i] == '"' || (p[i] == '/' && i + 1 < n && p[i + 1] == '*')) return false;
    return !n || *p != '.' || in(p, n, data, R1_COUNT(data));
}

/* Always true. */
static bool tell(char *what, size_t size, const char *p, size_t n)
{
    snprintf(what, size, "%.*s", n && *p ? (int)r1_min(n, 30) : 1, n && *p ? p : "?");
    return true;
}

bool r1_code_assembly_forbidden(const char *text, size_t n, char *what, size_t size)
{
    static const char *const never[] = { ".macro", ".altmacro", ".noaltmacro", ".purgem", ".exitm", ".irp", ".rept", ".rep", ".include", ".incbin", ".reloc", ".org", ".if", ".else", ".end",
                                         ".intel_syntax", ".att_syntax", ".code16", ".code32", ".mri" };
    bool app = false;
    for (size_t i = 0, end; i < n; i = end + 1) {
        const char *lf = memchr(text + i, '\n', n - i);
        end = lf ? (size_t)(lf - text) : n;
        const char *line = text + i;
        size_t len = end - i;
        if (len >= 4 && !memcmp(line, "#APP", 4)) app = true;
        if (len >= 7 && !memcmp(line, "#NO_APP", 7)) app = false;
        for (size_t k = 0; k < len; k++) {
            if (line[k] != '.' || (k && is_name_char(line[k - 1])) || !in(line + k, len - k, never, R1_COUNT(never))) continue;
            size_t word = 1;
            while (k + word < len && !strchr(" \t\";,\\", line[k + word])) word++;
            return tell(what, size, line + k, word);
        }
        for (size_t from = 0, to; app && from < len && line[0] != '#'; from = to + 1) {
            const char *semicolon = memchr(line + from, ';', len - from);
            to = semicolon ? (size_t)(semicolon - line) : len;
            if (is_plain_statement(line + from, to - from)) continue;
            return tell(what, size, line + from, to - from);
        }
    }
    return false;
}
