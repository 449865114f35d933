/* Fuzz target: files of benchmark items. A byte names the benchmark, the rest is the file.
 *
 * What must hold: nothing crashes; an error has a sentence of one line and leaves no items; an item has an id, a problem, what its check
 * needs, and makes a question by the usual template; the same bytes give the same items. */
#include "eval/grade.h"
#include "eval/question.h"
#include "tests/fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(const r1_benchmark *b, const r1_item *t)
{
    r1_buf question;
    r1_error e = { 0 };
    require(t->id && t->problem && *t->problem && t->gold && t->category && strlen(t->id) <= R1_ITEM_ID_MAX);
    require(t->check != R1_EVAL_BY_ITEM && (t->check != R1_EVAL_MATH || *t->gold));
    require(t->check != R1_EVAL_CHOICE || (t->right_choice < t->n_choices && t->gold[0] == (char)('A' + t->right_choice)));
    r1_buf_init(&question, R1_QUESTION_BYTES_MAX);
    r1_status s = r1_question_make(r1_question_template(b, t), t, &question, &e);
    if (s) require_error(s, &e); /* the prompt of mbpp needs test_list, which a custom item may lack */
    else require(question.len > 0);
    r1_buf_deinit(&question);
    if (t->check == R1_EVAL_FUNCTION || t->check == R1_EVAL_STDIO) {
        json_t *task;
        s = r1_grade_code_task(t, &task, &e);
        if (s) require_error(s, &e);
        require((s == R1_OK) == (task != NULL));
        json_decref(task);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    const r1_benchmark *b = r1_benchmark_at(data[0] & 15);
    if (!b) b = r1_benchmark_custom();
    r1_items t, u;
    r1_error e = { 0 };
    r1_items_options o = { .task = b->name, .seed = 1, .where = data[0] & 16 ? "split=test" : NULL, .limit = data[0] >> 5 };
    r1_status s = r1_items_parse(&t, b, &o, (const char *)data + 1, size - 1, &e);
    if (s) require_error(s, &e);
    require(s == R1_OK ? t.n > 0 && (!o.limit || t.n <= o.limit) : t.n == 0 && !t.items);
    require(r1_items_parse(&u, b, &o, (const char *)data + 1, size - 1, NULL) == s && u.n == t.n);
    for (size_t i = 0; i < t.n; i++) {
        look(b, &t.items[i]);
        require(!strcmp(t.items[i].id, u.items[i].id) && t.items[i].right_choice == u.items[i].right_choice);
    }
    r1_items_deinit(&t);
    r1_items_deinit(&u);
    return 0;
}
