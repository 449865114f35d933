/* Which templates there are, and which one a model wants.
 *
 * A file's Jinja text is never run. It is recognised by words that only one of the known texts has, not by a hash of the
 * whole: copies differ in white space, in quotes and in small repairs. What is not recognised so is decided by the
 * tokenizer: a template's tags are added tokens of the vocabulary it was made for.
 */
#include "text/template_int.h"

#define DEEPSEEK_BOS "<｜begin▁of▁sentence｜>"
#define LLAMA_BOS "<|begin_of_text|>"

enum { DEEPSEEK_V3, R1, R1_DISTILL, R1_DISTILL_2025_01, QWEN2_5, QWEN3, SMOLLM2, LLAMA3, LLAMA3_1, N_TEMPLATES };

static const r1_template templates[N_TEMPLATES] = {
    [DEEPSEEK_V3] = { .name = "deepseek_v3", .bos = DEEPSEEK_BOS, .render = r1_template_deepseek, .joins_systems = true, .keeps_reasoning = true,
                      .between_outputs = "\n", .generation = "<｜Assistant｜>" },
    [R1] = { .name = "r1", .bos = DEEPSEEK_BOS, .render = r1_template_deepseek, .joins_systems = true, .between_outputs = "", .generation = "<｜Assistant｜><think>\n" },
    [R1_DISTILL] = { .name = "r1_distill", .bos = DEEPSEEK_BOS, .render = r1_template_deepseek, .between_outputs = "\n", .generation = "<｜Assistant｜><think>\n" },
    [R1_DISTILL_2025_01] = { .name = "r1_distill_2025_01", .bos = DEEPSEEK_BOS, .render = r1_template_deepseek, .between_outputs = "\n", .generation = "<｜Assistant｜>" },
    [QWEN2_5] = { .name = "qwen2_5", .bos = "", .render = r1_template_qwen2_5, .flat_calls = true },
    [QWEN3] = { .name = "qwen3", .bos = "", .render = r1_template_qwen3, .flat_calls = true },
    [SMOLLM2] = { .name = "smollm2", .bos = "", .render = r1_template_smollm2, .no_tools = true },
    [LLAMA3] = { .name = "llama3", .bos = LLAMA_BOS, .render = r1_template_llama3, .no_tools = true },
    [LLAMA3_1] = { .name = "llama3_1", .bos = LLAMA_BOS, .render = r1_template_llama3_1, .tool_json = true, .builtin_tools = true },
};

/* ---- names -------------------------------------------------------------------------------------------------------- */

/* Letters and digits, small: "Qwen2.5" and "qwen-2_5" are one name. Returns false when it does not fit. */
static bool squeeze(const char *name, char out[64])
{
    size_t n = 0;
    for (; *name; name++) {
        char c = *name >= 'A' && *name <= 'Z' ? (char)(*name - 'A' + 'a') : *name;
        if (c == '-' || c == '_' || c == '.') continue;
        if (n + 1 >= 64) return false;
        out[n++] = c;
    }
    out[n] = 0;
    return n > 0;
}

const r1_template *r1_template_find(const char *name)
{
    static const struct { const char *alias; int template; } aliases[] = {
        { "deepseekr1", R1 }, { "v3", DEEPSEEK_V3 }, { "deepseekr1distill", R1_DISTILL }, { "distill", R1_DISTILL }, { "qwen2", QWEN2_5 },
        { "chatml", SMOLLM2 }, { "smollm", SMOLLM2 },
    };
    char want[64], have[64];
    if (!name || !squeeze(name, want)) return NULL;
    for (size_t i = 0; i < N_TEMPLATES; i++)
        if (squeeze(templates[i].name, have) && !strcmp(want, have)) return &templates[i];
    for (size_t i = 0; i < R1_COUNT(aliases); i++)
        if (!strcmp(want, aliases[i].alias)) return &templates[aliases[i].template];
    return NULL;
}

const char *r1_template_at(size_t i) { return i < N_TEMPLATES ? templates[i].name : NULL; }
const char *r1_template_name(const r1_template *t) { return t->name; }
const char *r1_template_names(void) { return "deepseek_v3, r1, r1_distill, r1_distill_2025_01, qwen2_5, qwen3, smollm2, llama3, llama3_1"; }

/* ---- recognition -------------------------------------------------------------------------------------------------- */

static bool says(r1_slice jinja, const char *words) { return r1_slice_find(jinja, (r1_slice){ words, strlen(words) }) != SIZE_MAX; }

static const r1_template *by_jinja(r1_slice j)
{
    if (says(j, "<｜Assistant｜>") && says(j, "<｜User｜>")) {
        if (says(j, "thinking is defined")) return NULL; /* V3.1 and later: hybrid thinking, another design */
        if (says(j, "is_first_sp")) return &templates[says(j, "</think>") ? R1 : DEEPSEEK_V3];
        /* Also the distills' first text, which differs only in not opening the thought: DeepSeek advises to open it. */
        return says(j, "</think>") ? &templates[R1_DISTILL] : NULL;
    }
    if (says(j, "<|start_header_id|>"))
        return &templates[says(j, "tools_in_user_message") || says(j, "Cutting Knowledge Date") ? LLAMA3_1 : LLAMA3];
    if (says(j, "<|im_start|>")) {
        if (says(j, "reasoning_content") || says(j, "enable_thinking")) return &templates[QWEN3];
        if (says(j, "created by Alibaba Cloud") || (says(j, "<tool_call>") && says(j, "<tool_response>"))) return &templates[QWEN2_5];
        if (says(j, "named SmolLM")) return &templates[SMOLLM2];
    }
    return NULL;
}

static bool has_token(const r1_tokenizer *t, const char *text) { return t && r1_tokenizer_find(t, text, strlen(text)) >= 0; }

static const r1_template *by_tokens(const char *architecture, const r1_tokenizer *t)
{
    bool deepseek = !strncmp(architecture, "deepseek", 8);
    if (has_token(t, "<｜Assistant｜>")) {
        if (deepseek) return &templates[has_token(t, "<think>") ? R1 : DEEPSEEK_V3];
        return &templates[R1_DISTILL];
    }
    if (has_token(t, "<|im_start|>")) {
        if (!strncmp(architecture, "qwen3", 5)) return &templates[QWEN3];
        if (!strncmp(architecture, "qwen2", 5)) return &templates[QWEN2_5];
        return !strcmp(architecture, "llama") ? &templates[SMOLLM2] : NULL;
    }
    if (has_token(t, "<|start_header_id|>")) return &templates[LLAMA3_1];
    return NULL;
}

const r1_template *r1_template_detect(const char *jinja, size_t n, const char *architecture, const r1_tokenizer *t)
{
    const r1_template *found = jinja ? by_jinja((r1_slice){ jinja, n }) : NULL;
    return found ? found : by_tokens(architecture ? architecture : "", t);
}
