/* small_vocab_test: a small vocabulary whose tokens cut characters, tags and stop strings in every way. For tests and fuzzing.
 *
 * Ids 0..255 are the bytes; then come the words below, then two roles and an end of turn, then, where there are, the tags. */
#ifndef R1_TEXT_SMALL_VOCAB_TEST_H
#define R1_TEXT_SMALL_VOCAB_TEST_H

#include "base/utf8.h"
#include "text/tokenizer.h"

#include <stdio.h>

static const char *const small_words[] = {
    "ab", "ba", "aab", "STOP", "ST", "OP", "  ", "\n\n", " \n a", "<th", "ink>", "</thi", "nk>", "</", "think", "<think>", "</think>", "<thi<think>", "x</think>\n\ny",
    "\xC3\xA9", " \xC3", "\xA9 ", "\xE2\x82", "\xAC\xAC", "a\xF0\x9F", ("\x98\x80" "b"), "\xFF<", "assistant", "00", ", ", "hello ",
};
enum {
    SMALL_WORDS = 256, SMALL_USER = SMALL_WORDS + (int)R1_COUNT(small_words), SMALL_ASSISTANT, SMALL_END, SMALL_OPEN, SMALL_CLOSE, SMALL_SIZE
};

typedef enum small_kind { SMALL_TAGS, SMALL_CONTROL_TAGS, SMALL_NO_TAGS, SMALL_KINDS } small_kind;

/* One byte in the alphabet of byte-level vocabularies: printable ones stand for themselves. */
static inline size_t small_letter(unsigned byte, char *out)
{
    unsigned others = 0;
    for (unsigned b = 0; b <= byte; b++) {
        bool itself = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
        if (b == byte) return (size_t)r1_utf8_encode(itself ? b : 256 + others, out);
        others += !itself;
    }
    return 0;
}

/* Aborts on failure: there is nothing to test then. */
static inline r1_tokenizer *small_vocab(small_kind kind)
{
    static char spelled[SMALL_SIZE][64];
    r1_slice tokens[SMALL_SIZE];
    int32_t types[SMALL_SIZE];
    for (int i = 0; i < SMALL_USER; i++) {
        char byte = (char)i;
        const char *s = i < 256 ? &byte : small_words[i - 256];
        size_t n = i < 256 ? 1 : strlen(s), len = 0;
        for (size_t k = 0; k < n; k++) len += small_letter((unsigned char)s[k], spelled[i] + len);
        tokens[i] = (r1_slice){ spelled[i], len };
        types[i] = R1_TOKEN_NORMAL;
    }
    static const char *const added[] = { "<|user|>", "<|assistant|>", "<|im_end|>", "<think>", "</think>" };
    for (int i = SMALL_USER; i < SMALL_SIZE; i++) {
        tokens[i] = (r1_slice){ added[i - SMALL_USER], strlen(added[i - SMALL_USER]) };
        types[i] = i >= SMALL_OPEN && kind == SMALL_TAGS ? R1_TOKEN_USER_DEFINED : R1_TOKEN_CONTROL;
    }
    r1_vocab v = { .tokens = tokens, .n_tokens = kind == SMALL_NO_TAGS ? SMALL_OPEN : SMALL_SIZE, .types = types, .pre = "gpt-2",
                   .bos = -1, .eos = SMALL_END, .eot = -1, .pad = -1 };
    r1_tokenizer *t;
    r1_error e = { 0 };
    if (r1_tokenizer_from_vocab(&t, &v, &e)) {
        fprintf(stderr, "the small vocabulary: %s\n", e.msg);
        abort();
    }
    return t;
}

#endif
