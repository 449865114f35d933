/* reward_int: what the rewards that read words share. Private to this folder. */
#ifndef R1_REWARD_REWARD_INT_H
#define R1_REWARD_REWARD_INT_H

#include "reward/reward.h"

typedef enum r1_script {
    R1_SCRIPT_NONE, /* no letter */
    R1_SCRIPT_LATIN, R1_SCRIPT_GREEK, R1_SCRIPT_CYRILLIC, R1_SCRIPT_ARMENIAN, R1_SCRIPT_HEBREW, R1_SCRIPT_ARABIC, R1_SCRIPT_DEVANAGARI,
    R1_SCRIPT_BENGALI, R1_SCRIPT_GURMUKHI, R1_SCRIPT_GUJARATI, R1_SCRIPT_TAMIL, R1_SCRIPT_TELUGU, R1_SCRIPT_KANNADA, R1_SCRIPT_MALAYALAM,
    R1_SCRIPT_SINHALA, R1_SCRIPT_THAI, R1_SCRIPT_LAO, R1_SCRIPT_MYANMAR, R1_SCRIPT_GEORGIAN, R1_SCRIPT_ETHIOPIC, R1_SCRIPT_KHMER,
    R1_SCRIPT_HANGUL, R1_SCRIPT_KANA, R1_SCRIPT_HAN,
    R1_SCRIPT_OTHER,/* a letter of a script not listed */
    R1_N_SCRIPTS
} r1_script;

typedef enum r1_char_kind { R1_CHAR_NONE, R1_CHAR_LETTER, R1_CHAR_MARK, R1_CHAR_DIGIT } r1_char_kind;

r1_char_kind r1_char_kind_of(uint32_t cp);
r1_script r1_script_of(uint32_t cp); /* of a letter */
/* Written without blanks between words. */
bool r1_script_is_unspaced(r1_script s);

/* ---- reward_words.c: languages ---- */

#define R1_LATIN_MOST 16 /* languages of the Latin script; masks have a bit for each */

typedef struct r1_language {
    const char *code, *name;
    r1_script script;
    int latin;           /* bit in masks, -1 for other scripts */
    const char *foreign; /* letters of its script that it does not use, UTF-8; NULL: not told */
} r1_language;

extern const r1_language r1_languages[]; /* ends with code NULL */
/* Common words of the Latin language of bit i, parted by blanks, small letters in NFC; NULL past the last. */
extern const char *const r1_latin_words[R1_LATIN_MOST + 1];

/* Letters that only some Latin languages have: the mask of them, 0 for any other letter. Small letters. */
uint32_t r1_letter_languages(uint32_t cp);
/* Names of functions that are no words of any language. */
bool r1_is_function_name(r1_span word);

#endif
