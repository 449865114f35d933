/* The ChatML templates: qwen2_5, qwen3 and smollm2. Each message stands between <|im_start|>role and <|im_end|>.
 *
 * The two Qwen templates list tools in the system message, write calls as JSON inside <tool_call> and gather results in
 * one user message. Repairs of the shipped texts: arguments given as a string are not quoted a second time (qwen2_5;
 * qwen3 takes them as they are), and calls may stand beside content that is null (qwen3). smollm2 knows no tools.
 */
#include "text/template_int.h"

#define QWEN_SYSTEM "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."

static const char *role_name(r1_role r)
{
    return r == R1_ROLE_SYSTEM ? "system" : r == R1_ROLE_USER ? "user" : r == R1_ROLE_ASSISTANT ? "assistant" : "tool";
}

static void start(r1_writer *w, r1_role role)
{
    r1_put_text(w, "<|im_start|>");
    r1_put_text(w, role_name(role));
}

static void whole_message(r1_writer *w, size_t i)
{
    start(w, w->messages[i].role);
    r1_put_text(w, "\n");
    r1_put_content(w, i, w->messages[i].content);
    r1_put_text(w, "<|im_end|>\n");
}

/* ---- Qwen: what both share ---------------------------------------------------------------------------------------- */

static void qwen_tools(r1_writer *w)
{
    size_t n = json_array_size(w->tools);
    r1_put_text(w, "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
                   "You are provided with function signatures within <tools></tools> XML tags:\n<tools>");
    for (size_t i = 0; i < n; i++) {
        r1_put_text(w, "\n");
        r1_put_json(w, json_array_get(w->tools, i), -1);
    }
    r1_put_text(w, "\n</tools>\n\nFor each function call, return a json object with function name and arguments within "
                   "<tool_call></tool_call> XML tags:\n<tool_call>\n{\"name\": <function-name>, \"arguments\": "
                   "<args-json-object>}\n</tool_call><|im_end|>\n");
}

static void qwen_call(r1_writer *w, size_t i, size_t j, bool string_as_it_is)
{
    r1_call c;
    if (!r1_writer_call(w, i, j, &c)) return;
    r1_put_text(w, "<tool_call>\n{\"name\": \"");
    r1_put_outside(w, c.name);
    r1_put_text(w, "\", \"arguments\": ");
    if (string_as_it_is && json_is_string(c.arguments))
        r1_put_outside(w, r1_json_slice(c.arguments));
    else
        r1_put_arguments(w, i, j, c.arguments);
    r1_put_text(w, "}\n</tool_call>");
}

/* Results that follow each other share one user message. */
static void qwen_result(r1_writer *w, size_t i)
{
    if (i == 0 || w->messages[i - 1].role != R1_ROLE_TOOL) r1_put_text(w, "<|im_start|>user");
    r1_put_text(w, "\n<tool_response>\n");
    r1_put_content(w, i, w->messages[i].content);
    r1_put_text(w, "\n</tool_response>");
    if (i + 1 == w->n_messages || w->messages[i + 1].role != R1_ROLE_TOOL) r1_put_text(w, "<|im_end|>\n");
}

/* ---- Qwen2.5 ------------------------------------------------------------------------------------------------------ */

static void qwen2_5_assistant(r1_writer *w, size_t i)
{
    const r1_message *m = &w->messages[i];
    if (!m->n_calls) {
        whole_message(w, i);
        return;
    }
    start(w, R1_ROLE_ASSISTANT);
    if (m->content.n) {
        r1_put_text(w, "\n");
        r1_put_content(w, i, m->content);
    }
    for (size_t j = 0; j < m->n_calls && !w->s; j++) {
        r1_put_text(w, "\n");
        qwen_call(w, i, j, false);
    }
    r1_put_text(w, "<|im_end|>\n");
}

void r1_template_qwen2_5(r1_writer *w)
{
    bool has_system = w->messages[0].role == R1_ROLE_SYSTEM;
    r1_put_text(w, "<|im_start|>system\n");
    if (has_system) r1_put_content(w, 0, w->messages[0].content);
    else r1_put_text(w, QWEN_SYSTEM);
    if (w->tools) {
        r1_put_text(w, "\n\n");
        qwen_tools(w);
    } else {
        r1_put_text(w, "<|im_end|>\n");
    }
    for (size_t i = has_system; i < w->n_messages && !w->s; i++) {
        switch (w->messages[i].role) {
        case R1_ROLE_SYSTEM: case R1_ROLE_USER: whole_message(w, i); break;
        case R1_ROLE_ASSISTANT: qwen2_5_assistant(w, i); break;
        case R1_ROLE_TOOL: qwen_result(w, i); break;
        }
    }
    if (w->generation) r1_put_text(w, "<|im_start|>assistant\n");
}

/* ---- Qwen3 -------------------------------------------------------------------------------------------------------- */

/* The last message in which a user asks; results that a client sent as a user's text are not questions. Thoughts are
 * shown only after it. The last message of all when nobody asks. */
static size_t last_question(const r1_writer *w)
{
    r1_slice open = R1_SLICE("<tool_response>"), close = R1_SLICE("</tool_response>");
    for (size_t i = w->n_messages; i-- > 0;) {
        const r1_message *m = &w->messages[i];
        if (m->role != R1_ROLE_USER) continue;
        r1_slice c = m->content;
        bool unfinished = w->continued && i + 1 == w->n_messages; /* its end is not its end */
        if (unfinished || c.n < open.n || memcmp(c.p, open.p, open.n) != 0 || c.n < close.n ||
            memcmp(c.p + c.n - close.n, close.p, close.n) != 0)
            return i;
    }
    return w->n_messages - 1;
}

/* Thought and answer of an assistant message: its field, or what its content holds between the tags. */
static void qwen3_split(const r1_message *m, r1_slice *thought, r1_slice *answer)
{
    r1_slice close = R1_SLICE("</think>"), open = R1_SLICE("<think>");
    *answer = m->content.p ? m->content : R1_SLICE("");
    *thought = R1_SLICE("");
    if (m->reasoning.p) {
        *thought = m->reasoning;
        return;
    }
    size_t first = r1_slice_find(*answer, close);
    if (first == SIZE_MAX) return;
    *thought = r1_strip_newlines(r1_slice_until(*answer, first), false, true);
    size_t at = r1_slice_rfind(*thought, open);
    if (at != SIZE_MAX) *thought = r1_slice_from(*thought, at + open.n);
    *thought = r1_strip_newlines(*thought, true, false);
    *answer = r1_strip_newlines(r1_after_thought(*answer), true, false);
}

static void qwen3_assistant(r1_writer *w, size_t i, bool after_question)
{
    const r1_message *m = &w->messages[i];
    r1_slice thought, answer;
    bool last = i + 1 == w->n_messages;
    qwen3_split(m, &thought, &answer);
    r1_put_text(w, "<|im_start|>assistant\n");
    if (after_question && (last || thought.n)) {
        r1_put_text(w, "<think>\n");
        thought = r1_strip_newlines(thought, true, true);
        r1_put(w, R1_SEG_ASSISTANT, thought.p, thought.n);
        r1_put_text(w, "\n</think>\n\n");
        r1_put_content(w, i, r1_strip_newlines(answer, true, false));
    } else {
        r1_put_content(w, i, answer);
    }
    for (size_t j = 0; j < m->n_calls && !w->s; j++) {
        if (j || answer.n) r1_put_text(w, "\n");
        qwen_call(w, i, j, true);
    }
    r1_put_text(w, "<|im_end|>\n");
}

void r1_template_qwen3(r1_writer *w)
{
    bool has_system = w->messages[0].role == R1_ROLE_SYSTEM;
    size_t question = last_question(w);
    if (w->tools || has_system) r1_put_text(w, "<|im_start|>system\n");
    if (has_system) r1_put_content(w, 0, w->messages[0].content);
    if (w->tools) {
        if (has_system) r1_put_text(w, "\n\n");
        qwen_tools(w);
    } else if (has_system) {
        r1_put_text(w, "<|im_end|>\n");
    }
    for (size_t i = has_system; i < w->n_messages && !w->s; i++) {
        switch (w->messages[i].role) {
        case R1_ROLE_SYSTEM: case R1_ROLE_USER: whole_message(w, i); break;
        case R1_ROLE_ASSISTANT: qwen3_assistant(w, i, i > question); break;
        case R1_ROLE_TOOL: qwen_result(w, i); break;
        }
    }
    if (!w->generation) return;
    r1_put_text(w, "<|im_start|>assistant\n");
    if (w->no_thinking) r1_put_text(w, "<think>\n\n</think>\n\n");
}

/* ---- SmolLM2 ------------------------------------------------------------------------------------------------------ */

void r1_template_smollm2(r1_writer *w)
{
    if (w->messages[0].role != R1_ROLE_SYSTEM)
        r1_put_text(w, "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n");
    for (size_t i = 0; i < w->n_messages && !w->s; i++) whole_message(w, i);
    if (w->generation) r1_put_text(w, "<|im_start|>assistant\n");
}
