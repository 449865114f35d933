/* template_int: what the template files of this folder share. Private to src/text.
 *
 * A family's render function walks over checked messages and puts text into a writer. The writer's status sticks: after
 * the first failure every further put does nothing, so the render functions read like the templates they stand for and
 * the driver in template.c looks at the status once.
 */
#ifndef R1_TEXT_TEMPLATE_INT_H
#define R1_TEXT_TEMPLATE_INT_H

#include "text/template.h"

#define R1_TEMPLATE_MESSAGES_MAX 100000
#define R1_TEMPLATE_TEXT_MAX ((size_t)256 << 20)

typedef enum r1_role { R1_ROLE_SYSTEM, R1_ROLE_USER, R1_ROLE_ASSISTANT, R1_ROLE_TOOL } r1_role;

typedef struct r1_message {
    r1_role role;
    r1_slice content;     /* p is NULL when null: only beside tool calls, or when content_json is there */
    char *joined;         /* owns content.p where it was a list of parts */
    const json_t *content_json; /* a tool result that is a list or an object, where the template writes it as JSON */
    const json_t *calls;  /* NULL when there are none, else an array with n_calls > 0 */
    size_t n_calls;
    r1_slice reasoning;   /* p is NULL when the message has none beside its content */
} r1_message;

typedef struct r1_call {
    r1_slice type;           /* "function" when the call has none */
    bool outside_type;       /* type comes from the request */
    r1_slice name;
    const json_t *arguments; /* anything but nothing */
} r1_call;

typedef struct r1_writer {
    r1_rendering *out;
    r1_error *err;
    r1_status s;
    const r1_template *t;
    const char *bos;
    r1_message *messages; size_t n_messages;
    const json_t *tools;          /* NULL when there are none */
    bool generation, continued;   /* add_generation_prompt, continue_final_message */
    bool no_thinking;             /* enable_thinking is false */
    bool tools_in_system;         /* tools_in_user_message is false */
    r1_slice date;                /* p is NULL: not given */
    const json_t *builtin_tools;  /* array of strings or NULL */
    size_t end_of_last;           /* where the last message's content ends in the text; SIZE_MAX: not written */
    bool strip_end;               /* the template trims: white space before end_of_last goes too */
} r1_writer;

struct r1_template {
    const char *name;
    const char *bos;              /* "" when it writes none */
    void (*render)(r1_writer *w);
    bool no_tools;                /* cannot show definitions or calls */
    bool tool_json;               /* writes a tool result that is a list or an object as JSON */
    bool flat_calls;              /* takes {"name", "arguments"} without "function" around them */
    bool builtin_tools;           /* knows the options builtin_tools and custom_tools */
    bool joins_systems;           /* DeepSeek: several system messages are joined; else the last one counts */
    bool keeps_reasoning;         /* DeepSeek: earlier thoughts stay */
    const char *between_outputs;  /* DeepSeek: between two tool results */
    const char *generation;       /* DeepSeek: the generation prompt */
};

/* The families. */
void r1_template_deepseek(r1_writer *w);
void r1_template_qwen2_5(r1_writer *w);
void r1_template_qwen3(r1_writer *w);
void r1_template_smollm2(r1_writer *w);
void r1_template_llama3(r1_writer *w);
void r1_template_llama3_1(r1_writer *w);

/* Read and check the request into w; free with the second, which also accepts a half-read one. */
r1_status r1_writer_read(r1_writer *w, const json_t *request);
void r1_writer_deinit(r1_writer *w);

/* Set the status and the sentence, once. */
void r1_writer_fail(r1_writer *w, r1_status s, const char *fmt, ...) R1_PRINTF(3, 4);

void r1_put(r1_writer *w, r1_seg_kind kind, const char *p, size_t n);
void r1_put_text(r1_writer *w, const char *s);                /* the template's own words */
void r1_put_outside(r1_writer *w, r1_slice s);
/* Content of message i, or the part s of it that the template shows, as the kind its role has. Remembers where it ends. */
void r1_put_content(r1_writer *w, size_t i, r1_slice s);
/* The same with white space at both ends removed. */
void r1_put_trimmed(r1_writer *w, size_t i);
/* As Python's json.dumps(ensure_ascii=False) writes it; indent < 0: on one line. Outside text. */
void r1_put_json(r1_writer *w, const json_t *v, int indent);
/* The text "s" as a JSON string without its closing quote. */
void r1_put_json_open_string(r1_writer *w, r1_slice s);
/* Arguments given as an object, or as a string that holds JSON; a string that holds none stays a string. */
void r1_put_arguments(r1_writer *w, size_t message, size_t call, const json_t *arguments);

/* Call j of message i. False after a failure, which names the field. */
bool r1_writer_call(r1_writer *w, size_t i, size_t j, r1_call *c);
/* Parse arguments that are a string; *owned is to be released. Returns v itself when it is no string or holds no JSON,
 * NULL after a failure. */
const json_t *r1_parse_arguments(r1_writer *w, size_t message, size_t call, const json_t *v, json_t **owned);

/* Text helpers. */
#define R1_SLICE(s) ((r1_slice){ (s), sizeof(s) - 1 })
static inline r1_slice r1_json_slice(const json_t *string) { return (r1_slice){ json_string_value(string), json_string_length(string) }; }
static inline bool r1_slice_equal(r1_slice a, r1_slice b) { return a.n == b.n && memcmp(a.p, b.p, a.n) == 0; }
size_t r1_slice_find(r1_slice s, r1_slice part);   /* offset of the first, SIZE_MAX: none */
size_t r1_slice_rfind(r1_slice s, r1_slice part);  /* offset of the last */
r1_slice r1_slice_from(r1_slice s, size_t at);
r1_slice r1_slice_until(r1_slice s, size_t at);
r1_slice r1_strip_newlines(r1_slice s, bool left, bool right);
r1_slice r1_strip_space(r1_slice s, bool left, bool right); /* what Python's str.strip() removes */
/* What follows the last </think>, all of s when there is none. */
r1_slice r1_after_thought(r1_slice s);

#endif
