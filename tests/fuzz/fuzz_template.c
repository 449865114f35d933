/* Fuzz target: a conversation rendered by each template. The first byte ('0' to '8') chooses the template, the rest is
 * the request. What is rendered is valid text cut into segments without a gap; what is refused says why and leaves
 * nothing behind. The bytes also serve as Jinja text to be recognised and as a name to be found. */
#include "base/utf8.h"
#include "text/template.h"
#include "tests/fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_segments(const r1_rendering *r)
{
    size_t at = 0;
    for (size_t i = 0; i < r->n_segments; i++) {
        const r1_segment *g = &r->segments[i];
        require(g->start == at && g->n > 0 && g->kind <= R1_SEG_ASSISTANT);
        require(i == 0 || g->kind != r->segments[i - 1].kind);
        require(r1_utf8_is_valid(r->text.data + g->start, g->n, NULL));
        at += g->n;
    }
    require(at == r->text.len && r->text.data && r->text.data[at] == 0);
}

static void check_render(const r1_template *t, const json_t *request)
{
    r1_rendering r;
    r1_error e = { 0 };
    r1_status s = r1_template_render(t, request, NULL, &r, &e);
    if (s) {
        require((s == R1_EFORMAT || s == R1_EUNSUPPORTED || s == R1_ELIMIT) && e.status == s && e.msg[0]);
        require(!r.text.data && !r.segments && !r.n_segments);
        return;
    }
    check_segments(&r);
    r1_rendering_deinit(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    char name[80] = "";
    json_t *request;
    (void)r1_template_detect(text, size, NULL, NULL);
    memcpy(name, text, r1_min(size, sizeof name - 1));
    (void)r1_template_find(name);
    if (!size || r1_json_parse(&request, text + 1, size - 1, NULL)) return 0;
    check_render(r1_template_find(r1_template_at((unsigned)(data[0] - '0') % 9)), request);
    json_decref(request);
    return 0;
}
