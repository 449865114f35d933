/* template: chat templates, built in. No template text from a file is ever run; it only tells which one to use.
 *
 * A rendering is a list of segments: text the template wrote (added tokens in it count) and text from outside (they do
 * not). Encoding joins them: everything between two parsed tokens is encoded as one text. Golden: tests/golden/templates.
 */
#ifndef R1_TEXT_TEMPLATE_H
#define R1_TEXT_TEMPLATE_H

#include "base/base.h"
#include "base/json.h"
#include "text/tokenizer.h"

typedef struct r1_template r1_template; /* static, immutable */

/* By name; NULL if unknown. Case, '-', '_' and '.' do not matter ("R1-Distill", "qwen2.5"). Other names: deepseek_r1, v3,
 * deepseek_r1_distill, distill, qwen2, smollm, and chatml for smollm2 (with its default system message).
 * The proper names in order: r1_template_at(i), NULL at the end. */
const r1_template *r1_template_find(const char *name);
const char *r1_template_at(size_t i);
const char *r1_template_name(const r1_template *t);
/* "deepseek_v3, r1, r1_distill, ...", for messages. */
const char *r1_template_names(void);

/* Recognise a model's own Jinja text (may be NULL) and, failing that, its architecture ("deepseek_v3") and tokenizer
 * (which added tokens it has). NULL: no idea. Pure function of its arguments. */
const r1_template *r1_template_detect(const char *jinja, size_t n, const char *architecture, const r1_tokenizer *t);

typedef enum r1_seg_kind {
    R1_SEG_TEMPLATE,   /* written by the template: every added token is parsed */
    R1_SEG_OUTSIDE,    /* user, system, tool: nothing is parsed */
    R1_SEG_ASSISTANT   /* assistant text: only <think> and </think> are parsed */
} r1_seg_kind;

typedef struct r1_segment { r1_seg_kind kind; size_t start, n; } r1_segment; /* into text */

typedef struct r1_rendering {
    r1_buf text;
    r1_segment *segments; size_t n_segments, cap_segments;
    bool opens_thinking;   /* the generation prompt, or the assistant message to be continued, ends inside <think> */
} r1_rendering;

/* Render {"messages","tools","add_generation_prompt","continue_final_message","options"}; other members are ignored.
 *
 * Content is a string or a list of {"type":"text"} parts, which are joined without separator. "developer" is "system". An
 * empty list of tools or calls is none. Options: enable_thinking, date_string, tools_in_user_message (each template uses
 * those it knows), builtin_tools and custom_tools (llama3_1 only); others are refused. add_generation_prompt is false when
 * absent. The DeepSeek templates have no place for tool definitions: "tools" is then accepted and not shown, as shipped.
 *
 *   bos   text of the BOS token the template writes (NULL: the template's own)
 * Errors:  R1_EFORMAT names the message and field; R1_EUNSUPPORTED where the template cannot show what is there (tools, two
 *          calls, ...) rather than losing it silently. *r is then deinited.
 * Memory:  *r is initialised here; free with r1_rendering_deinit. */
r1_status r1_template_render(const r1_template *t, const json_t *request, const char *bos, r1_rendering *r, r1_error *err) R1_MUST_CHECK;
void r1_rendering_deinit(r1_rendering *r);

/* Encode the safe way. No BOS is added (the template wrote it). */
r1_status r1_rendering_encode(const r1_rendering *r, const r1_tokenizer *t, r1_ids *out, r1_error *err) R1_MUST_CHECK;

#endif
