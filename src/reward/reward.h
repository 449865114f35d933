/* reward: what a response is worth, by rules alone: no model is asked.
 *
 * r1_reward_check judges one item, a JSON object that names its kind; it serves `r1 verify FILE.jsonl`, evaluation and training.
 * Mathematics stands in math/math.h, code in code/code.h; the other kinds are here, and each can be called alone.
 *
 *   kind        right when                                                    fields beside id, gold and answer or response
 *   math        the answer equals the gold one (math/math.h)
 *   choice      the answer is the gold letter and no other                    choices: the texts of A, B, C ...
 *   code        a program passes its task (code/code.h)                       task
 *   countdown   an expression uses the numbers and gives the target           nums, target, use: "all" or "some"; gold is not needed
 *   exact       the texts are equal, normalised                               ignore_case
 *   regex       the pattern `gold` matches all of the answer
 *   language    enough of the thought's words are of the language `gold`      part: "thinking", "answer", "all"; threshold
 *   format      one thought in its tags, then an answer                       answer_tags: "optional", "required", "none"; empty_thought; no gold
 *   repetition  little is said twice                                          ngram, threshold, part; no gold
 *   length      the tokens stay within the limit                              tokens, max_tokens, cache_tokens; no gold
 *   custom      a command says so                                             anything
 *
 * `answer` is the bare answer; `response` is all a model said, from which the answer is taken (r1_response_final; without any mark, the
 * last line for choice and countdown, all of the answer for exact and regex). `opened`: the prompt has already opened the thought. Fields that only
 * describe an item (problem, question, solution, category, subject, level, source, note, meta) may be there; any other is an error.
 *
 * What a response cannot do: run code here (only r1_code and a custom command run anything), take long or much memory (each kind has
 * its bound), or be right by saying several things. A checker that gives up says wrong, with the reason.
 *
 * Threads: any; an r1_custom is used by one thread at a time. Tests: *_test.c beside each file, tests/fuzz/fuzz_reward.c.
 */
#ifndef R1_REWARD_REWARD_H
#define R1_REWARD_REWARD_H

#include "base/base.h"
#include "base/json.h"

struct r1_code_task;
struct r1_code_checker;

#define R1_RESPONSE_BYTES_MAX ((size_t)16 << 20) /* longer ones are an error */

/* A part of a text, borrowed. p is NULL when there is none; an empty part has a place. */
typedef struct r1_span { const char *p; size_t n; } r1_span;

static inline r1_span r1_span_of(const char *s) { return (r1_span){ s, s ? strlen(s) : 0 }; }
r1_span r1_span_trim(r1_span s);                         /* without ASCII white space at both ends */
bool r1_span_is(r1_span s, const char *word);            /* equal bytes */
bool r1_span_is_word(r1_span s, const char *lower_word); /* equal but for the case of ASCII letters */

/* ---- verdicts (r1_verdict is in r1.h) ---- */

/* A verdict of a kind that is right (score 1) or wrong (score 0). `reason` is a code; extracted may be NULL. Errors: R1_ENOMEM. */
r1_status r1_verdict_set(r1_verdict *v, bool right, const char *reason, r1_span extracted, r1_error *err) R1_MUST_CHECK;
/* Takes a JSON object (NULL: there was no memory for it). Errors: R1_ENOMEM. */
r1_status r1_verdict_details(r1_verdict *v, json_t *details, r1_error *err) R1_MUST_CHECK;

/* ---- response.c: thought, answer, final answer ---- */

typedef struct r1_response {
    r1_span thought; /* between the tags; none where no thought was begun or closed */
    r1_span answer;  /* after the thought, or the whole text without one; none when a thought was never closed */
} r1_response;

/* The answer is what stands after the last </think>. It is none when a <think> stands open at the end; `opened`: the prompt has
 * already opened the thought, so that a text without </think> is all thought. */
void r1_response_split(const char *text, size_t n, bool opened, r1_response *out);

typedef enum r1_final {
    R1_FINAL_NONE,    /* nothing that says it is the answer */
    R1_FINAL_EMPTY,   /* an empty or unclosed box or tag */
    R1_FINAL_SEVERAL, /* <answer> tags that say different things, or boxes side by side: "\boxed{A} or \boxed{B}" */
    R1_FINAL_BOX,     /* the last complete \boxed{} or \fbox{} */
    R1_FINAL_TAG,     /* <answer>...</answer> */
    R1_FINAL_PHRASE   /* "The answer is ...", "Answer: ...", "#### ...": the last of them, to the end of its line */
} r1_final;

/* The final answer within `answer`, by the first of these rules that applies: tag, box (also within the tag), phrase. Time: O(n). */
r1_final r1_response_final(r1_span answer, r1_span *out);

/* ---- reward_format.c ---- */

typedef enum r1_answer_tags { R1_ANSWER_TAGS_OPTIONAL, R1_ANSWER_TAGS_REQUIRED, R1_ANSWER_TAGS_NONE } r1_answer_tags;

typedef struct r1_format_options {
    bool opened;                /* the prompt ends with <think>, so the response must not begin with one */
    bool empty_thought;         /* a thought of nothing but white space is allowed */
    r1_answer_tags answer_tags; /* <answer>...</answer> around the whole answer, as the template of R1-Zero asks */
} r1_format_options;

/* NULL when the form is right: <think>, a thought, </think>, an answer; white space around each, nothing before, each tag once. Else a
 * code: no_think, text_before_think, second_think, unclosed_think, empty_think, empty_answer, no_answer_tag, bad_answer_tags,
 * answer_tag_in_think. Tags are case-sensitive. out (may be NULL) receives the parts when the form is right, the answer without its tags. */
const char *r1_format_check(const char *text, size_t n, const r1_format_options *o, r1_response *out);

/* ---- reward_language.c ---- */

typedef struct r1_language_share {
    size_t n_words, n_target; /* words that count, and those of the language */
    double share;             /* n_target / n_words; 0 for a text without words: nothing shows its language */
} r1_language_share;

/* The share of words of a text that are of one language, as R1's language reward has it.
 *
 * Not counted: fenced and inline code, LaTeX, numbers, addresses, tags, single Latin, Greek or Cyrillic letters (variables), names of
 * functions (sin, log ...), two to four capitals (triangle ABC), and identifiers: words with a digit, '_', or a capital after a small letter.
 * Words are runs of letters and their marks, hyphens part them. Han, Kana, Thai, Lao, Khmer and Burmese are written without blanks:
 * a Han character is a word, of the others three letters make one.
 * Languages that share no script are told apart by it. Chinese and Japanese: Han characters of a sentence with Kana are Japanese,
 * of others Chinese. Languages of the Latin script are told apart by common words and letters of each (reward_words.c), sentence by
 * sentence: words that nothing tells of go with the language most of the sentence's known words have, a sentence that tells too little with
 * the whole text, and a text without evidence with the target. Two words that only another
 * language's list has, in one sentence, count against the target.
 * Cyrillic and Arabic: a word with a letter the target does not use counts against it. A word of two scripts is of no language.
 * What it cannot see: whether the words make sense (a list of words pasted in counts; r1_repetition sees one that repeats), and languages
 * of one script that no list tells apart (Urdu and Arabic, Hindi and Marathi).
 *
 *   language  ISO 639-1 code
 * Errors: R1_EINVAL for an unknown code; the message lists those there are. R1_ENOMEM. Time: O(n). */
r1_status r1_language_check(const char *language, const char *text, size_t n, r1_language_share *out, r1_error *err) R1_MUST_CHECK;

/* ---- reward_length.c ---- */

/* Cosine reward of "Demystifying Long Chain-of-Thought" (arXiv:2502.03373): from one end value at length 0 to the other at max, flat in
 * between at both ends. Lengths over max count as max. */
typedef struct r1_length_cosine {
    double right_short, right_long; /* defaults 1, 0.5: a right answer is worth more when short */
    double wrong_short, wrong_long; /* -1, -0.5: a wrong one may think longer */
    double exceeded;                /* instead of the others from max on; NaN: none. The paper has -10 */
} r1_length_cosine;
#define R1_LENGTH_COSINE_DEFAULT { 1, 0.5, -1, -0.5, __builtin_nan("") }
double r1_reward_length_cosine(size_t length, size_t max, bool right, const r1_length_cosine *o); /* o NULL: defaults */

/* Linear reward of Kimi k1.5 (arXiv:2501.12599) within the answers to one prompt: 0.5 for the shortest to -0.5 for the longest, for wrong
 * answers at most 0; 0 when all are equally long. A length outside shortest..longest counts as the nearer. */
double r1_reward_length_linear(size_t length, size_t shortest, size_t longest, bool right);

/* Soft overlong punishment of DAPO (arXiv:2503.14476): 0 up to max - cache, then linear to -1 at max, -1 beyond. cache is at most max; 0: a
 * step. The paper has max 20480, cache 4096. */
double r1_reward_overlong(size_t length, size_t max, size_t cache);

/* ---- reward_repetition.c ---- */

/* The share of n-grams of words that stand in the text before: 1 - different / all; 0 for a text of fewer words than n. Words are runs
 * of letters and digits without case; of scripts without blanks each character. At most the first R1_REPETITION_WORDS_MAX words.
 * Times a penalty below 0 it is the reward of arXiv:2502.03373. Errors: R1_EINVAL for n outside 1..16, R1_ENOMEM. Time: O(words log words). */
#define R1_REPETITION_WORDS_MAX ((size_t)1 << 20)
r1_status r1_repetition(const char *text, size_t n, unsigned ngram, double *share, r1_error *err) R1_MUST_CHECK;

/* ---- reward_countdown.c ---- */

#define R1_COUNTDOWN_MOST 64

typedef struct r1_countdown {
    int64_t nums[R1_COUNTDOWN_MOST];
    size_t n_nums;
    int64_t target;
    bool some; /* each number at most once instead of exactly once */
} r1_countdown;

/* NULL when the expression is right, else a code: syntax, wrong_numbers, wrong_value, division_by_zero, over_budget.
 *
 * Integers in decimal digits, + - * / and parentheses, with × · ÷ − and \times \cdot \div \frac{}{} \left \right as other signs for the same; a minus may
 * stand before an operand. No decimal points, powers, // or %, no two numbers side by side. "= target" may follow or "target =" go before,
 * nothing else. Values are exact. At most 4,096 bytes, 64 levels. Errors: R1_ENOMEM is never (GMP's own few numbers aside). */
const char *r1_countdown_check(const r1_countdown *task, r1_span expression);

/* ---- reward_choice.c ---- */

/* NULL when the answer chooses what gold does, else a code: no_choice, wrong_choice, hedged, mismatch.
 *
 *   gold     a letter, or several parted by commas (all of them have to be chosen, in any order)
 *   choices  [n] texts of A, B, C ...; n 0: not known
 * "C", "(C)", "**C.**", "\text{C}", "option C", "C) because ..." choose C. With choices known their text does, too, and a letter with
 * the text of another is a mismatch. Another letter beside it ("A or C", "C, maybe B") is hedging; sentences that follow "C." may name others.
 * found (may be NULL) receives the letters chosen, "" for none. */
typedef struct r1_choices { const char *const *texts; size_t n; } r1_choices;
#define R1_CHOICES_MOST 26
const char *r1_choice_check(const char *gold, const r1_choices *choices, r1_span answer, char found[R1_CHOICES_MOST + 1]);
/* Whether its first line is only a letter and paragraphs follow, which may explain it. */
bool r1_choice_leads(r1_span answer);

/* ---- reward_text.c ---- */

/* Whether two texts are equal in Unicode form NFC, white space at the ends left out and elsewhere taken as one blank; ignore_case
 * compares case-folded: *reason is NULL, or "different", "over_budget" (over 1 MiB, or more than 64 combining marks in a row).
 * Errors: R1_ELIMIT, R1_EFORMAT for such a gold or one that is no UTF-8; R1_ENOMEM. */
r1_status r1_exact_check(r1_span gold, r1_span answer, bool ignore_case, const char **reason, r1_error *err) R1_MUST_CHECK;

/* Whether a pattern (PCRE2, UTF-8) matches the answer from its first byte to its last: *reason is NULL, or "no_match", "over_budget". "(?s).*word.*"
 * looks for a word. At most 4,096 bytes of pattern and 65,536 of answer; matching has a budget of steps and of memory, no clock.
 * Errors: R1_EFORMAT for a wrong pattern, with the place; R1_ENOMEM. */
r1_status r1_regex_check(r1_span pattern, r1_span answer, const char **reason, r1_error *err) R1_MUST_CHECK;

/* ---- reward_custom.c: a command as a checker ---- */

/* The command (of the user: it is not confined) runs with "sh -c" in a process group of its own. It reads an item as one line of
 * JSON on standard input and writes a line: a number, or {"score": number, "reason": text, "extracted": text}. Once for each item; with `persistent` it
 * lives on and answers a line for each line. What takes too long or writes too much is killed, with its group; a persistent one is started
 * again for the next item. */
typedef struct r1_custom r1_custom;
typedef struct r1_custom_options {
    bool persistent;
    double time_s;              /* for one item, by the clock; 0: 10 */
    bool (*go_on)(void *ctx);   /* may be NULL; asked about ten times a second; false: R1_ECANCELLED */
    void *ctx;
} r1_custom_options;
r1_status r1_custom_new(r1_custom **out, const char *command, const r1_custom_options *o, r1_error *err) R1_MUST_CHECK;
void r1_custom_free(r1_custom *c);
/* Errors: R1_EFORMAT (what it wrote is no score; how it ended, with the end of its standard error), R1_ELIMIT (time, output over
 * 64 KiB), R1_EIO, R1_ENOMEM, R1_ECANCELLED. right: score >= 1. */
r1_status r1_custom_check(r1_custom *c, const json_t *item, r1_verdict *v, r1_error *err) R1_MUST_CHECK;

/* ---- reward.c: one item of any kind ---- */

typedef struct r1_reward_options {
    r1_custom *custom;          /* for kind custom; NULL: refused */
    struct r1_code_checker *code; /* for kind code (code/code.h), with its own options; NULL: one is made for the item */
    bool (*go_on)(void *ctx);   /* may be NULL; asked by one that is made while code runs; false: R1_ECANCELLED */
    void *ctx;
} r1_reward_options;

/* Judge one item. OK means there is a verdict, also when it is wrong. o NULL: defaults.
 * Errors: R1_EFORMAT names the field, what was found and what was expected; R1_EUNSUPPORTED names the kinds there are; R1_ELIMIT;
 * those of the kinds. *v is then empty. Memory: r1_verdict_deinit. */
r1_status r1_reward_check(const r1_reward_options *o, const json_t *item, r1_verdict *v, r1_error *err) R1_MUST_CHECK;

/* ---- reward_checkers.c: mathematics and code as verdicts ---- */

/* Errors: R1_ENOMEM. */
r1_status r1_reward_math(r1_span gold, r1_span text, bool is_response, r1_verdict *v, r1_error *err) R1_MUST_CHECK;

/* word is the verdict, reason a sentence, details: tests_passed, tests, peak_mb, stdout_tail, stderr_tail. A solution that is too long is wrong.
 * Errors: R1_EIO (no box can be made), R1_ECANCELLED, R1_ENOMEM. */
r1_status r1_reward_code(const r1_reward_options *o, const struct r1_code_task *t, r1_span solution, r1_verdict *v, r1_error *err) R1_MUST_CHECK;
/* A wrong verdict of the same form where nothing ran; word: the verdict, which is not copied. Errors: R1_ENOMEM. */
r1_status r1_reward_code_without(const struct r1_code_task *t, const char *word, const char *reason, r1_verdict *v, r1_error *err) R1_MUST_CHECK;

#endif
