/* The DeepSeek templates: deepseek_v3, r1, r1_distill and r1_distill_2025_01. One function, four descriptions.
 *
 * The shipped Jinja texts share one design and its mistakes; this file writes what they mean (tests/golden/templates,
 * "Defects"): every round of calls is opened and closed once, every round of results too, calls stay beside content, and
 * earlier thoughts are removed wherever a message is shown, but for V3, which keeps them. Results that no answer follows
 * are closed too, before a user speaks as well as before further calls.
 * Tool definitions have no place in these templates: a caller puts them into a message.
 */
#include "text/template_int.h"

static void systems(r1_writer *w)
{
    bool first = true;
    size_t last = SIZE_MAX;
    for (size_t i = 0; i < w->n_messages; i++) {
        if (w->messages[i].role != R1_ROLE_SYSTEM) continue;
        last = i;
        if (!w->t->joins_systems) continue;
        if (!first) r1_put_text(w, "\n\n");
        r1_put_content(w, i, w->messages[i].content);
        first = false;
    }
    if (!w->t->joins_systems && last != SIZE_MAX) r1_put_content(w, last, w->messages[last].content);
}

static void calls(r1_writer *w, size_t i)
{
    r1_call c;
    r1_put_text(w, "<｜tool▁calls▁begin｜>");
    for (size_t j = 0; j < w->messages[i].n_calls && r1_writer_call(w, i, j, &c); j++) {
        r1_put_text(w, j ? "\n<｜tool▁call▁begin｜>" : "<｜tool▁call▁begin｜>");
        r1_put(w, c.outside_type ? R1_SEG_OUTSIDE : R1_SEG_TEMPLATE, c.type.p, c.type.n);
        r1_put_text(w, "<｜tool▁sep｜>");
        r1_put_outside(w, c.name);
        r1_put_text(w, "\n```json\n");
        if (json_is_string(c.arguments))
            r1_put_outside(w, r1_json_slice(c.arguments));
        else if (json_is_null(c.arguments))
            r1_writer_fail(w, R1_EFORMAT, "messages[%zu].tool_calls[%zu].function.arguments is null, expected a string or an object", i, j);
        else
            r1_put_json(w, c.arguments, -1);
        r1_put_text(w, "\n```<｜tool▁call▁end｜>");
    }
    r1_put_text(w, "<｜tool▁calls▁end｜>");
}

/* A turn of the assistant. After results it goes on where the calls ended, without a tag of its own. */
static void assistant(r1_writer *w, size_t i, bool after_results)
{
    const r1_message *m = &w->messages[i];
    r1_put_text(w, after_results ? "<｜tool▁outputs▁end｜>" : "<｜Assistant｜>");
    if (m->content.p) r1_put_content(w, i, w->t->keeps_reasoning ? m->content : r1_after_thought(m->content));
    if (m->n_calls) calls(w, i);
    r1_put_text(w, "<｜end▁of▁sentence｜>");
}

void r1_template_deepseek(r1_writer *w)
{
    bool in_results = false;
    r1_put_text(w, w->bos);
    systems(w);
    for (size_t i = 0; i < w->n_messages && !w->s; i++) {
        const r1_message *m = &w->messages[i];
        switch (m->role) {
        case R1_ROLE_SYSTEM:
            break;
        case R1_ROLE_USER:
            if (in_results) r1_put_text(w, "<｜tool▁outputs▁end｜>");
            in_results = false;
            r1_put_text(w, "<｜User｜>");
            r1_put_content(w, i, m->content);
            break;
        case R1_ROLE_ASSISTANT:
            assistant(w, i, in_results);
            in_results = false;
            break;
        case R1_ROLE_TOOL:
            r1_put_text(w, in_results ? w->t->between_outputs : "<｜tool▁outputs▁begin｜>");
            in_results = true;
            r1_put_text(w, "<｜tool▁output▁begin｜>");
            r1_put_content(w, i, m->content);
            r1_put_text(w, "<｜tool▁output▁end｜>");
            break;
        }
    }
    if (in_results) r1_put_text(w, "<｜tool▁outputs▁end｜>");
    else if (w->generation) r1_put_text(w, w->t->generation);
}
