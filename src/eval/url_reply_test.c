/* Tests of url_reply.c: addresses, requests, and replies of many servers. */
#include "eval/url_reply.h"
#include "tests/test.h"

#include <math.h>

static void routes_to(const char *base, const char *want)
{
    char *out;
    r1_error e = { 0 };
    EXPECT_OK(r1_url_route(base, "chat/completions", &out, &e), &e);
    EXPECT_STR(out, want);
    free(out);
}

TEST(addresses)
{
    routes_to("http://127.0.0.1:8080", "http://127.0.0.1:8080/v1/chat/completions");
    routes_to("http://h:1/", "http://h:1/v1/chat/completions");
    routes_to("https://api.example.com/v1", "https://api.example.com/v1/chat/completions");
    routes_to("https://api.example.com/v1/", "https://api.example.com/v1/chat/completions");
    routes_to("https://h/openai/v2/chat/completions", "https://h/openai/v2/chat/completions");
    char *out;
    r1_error e = { 0 };
    EXPECT_OK(r1_url_route("https://h/v1/chat/completions", "models", &out, &e), &e);
    EXPECT_STR(out, "https://h/v1/models");
    free(out);
    const char *wrong[] = { "", "h:80", "ftp://h", "http://", "http:///v1", "http://a b", "http://h/?q=1", "http://h#x", "file:///etc/passwd" };
    for (size_t i = 0; i < R1_COUNT(wrong); i++) EXPECT_STATUS(r1_url_route(wrong[i], "models", &out, &e), R1_EINVAL);
    EXPECT_STATUS(r1_url_route("https://me:secret@h/v1", "models", &out, &e), R1_EINVAL);
    EXPECT(!strstr(e.msg, "secret"));
}

TEST(requests)
{
    r1_url_options o = { .model = "m\"1", .sampling = { .temperature = 0.6, .top_p = 0.95, .max_tokens = 32768, .think_budget = -1 } };
    r1_ask ask = { .seed = 2147483647, .prompt = "a \"b\"\n\\boxed{}" };
    char *body;
    r1_error e = { 0 };
    EXPECT_OK(r1_url_request(&o, &ask, &body, &e), &e);
    json_t *v;
    EXPECT_OK(r1_json_parse(&v, body, strlen(body), &e), &e);
    EXPECT_STR(json_string_value(json_object_get(v, "model")), "m\"1");
    const json_t *m = json_object_get(v, "messages");
    EXPECT_INT(json_array_size(m), 1); /* no system message */
    EXPECT_STR(json_string_value(json_object_get(json_array_get(m, 0), "role")), "user");
    EXPECT_STR(json_string_value(json_object_get(json_array_get(m, 0), "content")), ask.prompt);
    EXPECT(fabs(json_number_value(json_object_get(v, "temperature")) - 0.6) < 1e-9);
    EXPECT_INT(json_integer_value(json_object_get(v, "seed")), 2147483647);
    EXPECT_INT(json_integer_value(json_object_get(v, "max_tokens")), 32768);
    EXPECT(json_is_false(json_object_get(v, "stream")) && !json_object_get(v, "top_k") && !json_object_get(v, "thinking_budget"));
    json_decref(v);
    free(body);
    ask.prompt = "\xff";
    EXPECT_STATUS(r1_url_request(&o, &ask, &body, &e), R1_EFORMAT);
    EXPECT_NULL(body);
}

/* The message of a reply gives these parts; NULL: none. */
static void says(const char *message, const char *reasoning, const char *content)
{
    char text[1024];
    r1_eval_sample a = { 0 };
    r1_error e = { 0 };
    int n = snprintf(text, sizeof text, "{\"choices\":[{\"message\":%s,\"finish_reason\":\"length\"}],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":9,"
                     "\"completion_tokens_details\":{\"reasoning_tokens\":4}}}", message);
    EXPECT_OK(r1_url_reply(text, (size_t)n, &a, &e), &e);
    EXPECT_STR(a.content, content);
    if (reasoning) EXPECT_STR(a.reasoning, reasoning);
    else EXPECT_NULL(a.reasoning);
    EXPECT(a.prompt_tokens == 7 && a.completion_tokens == 9 && a.reasoning_tokens == 4);
    EXPECT_STR(a.finish, "length");
    r1_eval_sample_deinit(&a);
}

TEST(replies_of_many_servers)
{
    says("{\"content\":\"42\"}", NULL, "42");
    says("{\"content\":\"42\",\"reasoning_content\":\"6*7\"}", "6*7", "42");
    says("{\"content\":\"42\",\"reasoning\":\"6*7\"}", "6*7", "42");
    says("{\"content\":\"42\",\"reasoning_content\":null}", NULL, "42");
    says("{\"content\":\"42\",\"reasoning_content\":\"\"}", NULL, "42");
    says("{\"content\":\"<think>\\n6*7\\n</think>\\n\\n42\"}", "6*7", "42");
    says("{\"content\":\"6*7\\n</think>\\n\\n42\"}", "6*7", "42"); /* the template opened the thought */
    says("{\"content\":\"<think>\\n6*7 is\"}", "6*7 is", "");
    says("{\"content\":null,\"reasoning_content\":\"6*7 is\"}", "6*7 is", "");
    says("{\"content\":\"use <think> sparingly\"}", NULL, "use <think> sparingly");
}

static void refuses(const char *text, const char *word)
{
    r1_eval_sample a = { 0 };
    r1_error e = { 0 };
    EXPECT_STATUS(r1_url_reply(text, strlen(text), &a, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, word);
    EXPECT(!a.content && !a.reasoning);
}

TEST(replies_that_are_none)
{
    refuses("", "the reply: wrong JSON");
    refuses("<html>", "wrong JSON");
    refuses("{}", "no choices[0].message; it is: {}");
    refuses("{\"choices\":[]}", "no choices");
    refuses("{\"choices\":[{\"message\":5}]}", "no choices");
    refuses("{\"choices\":[{\"message\":{\"content\":[1]}}]}", "the content of the reply is an array");
}

TEST(numbers_a_server_does_not_tell)
{
    r1_eval_sample a = { 0 };
    const char *text = "  {\"choices\":[{\"message\":{\"content\":\"</think>x\"},\"finish_reason\":\"odd\"}],\"usage\":{\"prompt_tokens\":-4,\"completion_tokens\":\"9\"}}";
    EXPECT_OK(r1_url_reply(text, strlen(text), &a, NULL), NULL);
    EXPECT(a.prompt_tokens == -1 && a.completion_tokens == -1 && a.reasoning_tokens == -1);
    EXPECT_STR(a.finish, "unknown");
    EXPECT_STR(a.reasoning, "");
    r1_eval_sample_deinit(&a);
}

static void complains(const char *text, const char *want)
{
    char out[400];
    r1_url_complaint(text, strlen(text), out, sizeof out);
    EXPECT_STR(out, want);
}

TEST(complaints)
{
    complains("{\"error\":{\"message\":\"too many\\nrequests\"}}", "too many?requests");
    complains("{\"error\":\"plain\"}", "plain");
    complains("{\"detail\":\"no such model\"}", "no such model");
    complains("<html>bad gateway</html>", "<html>bad gateway</html>");
    complains("", "");
}

TEST(models_of_a_server)
{
    const char *text = "{\"data\":[{\"id\":\"a\"},{\"name\":\"x\"},{\"id\":\"b\"}]}";
    json_t *v = r1_url_models(text, strlen(text));
    EXPECT_INT(json_array_size(v), 2);
    json_decref(v);
    EXPECT_NULL(r1_url_models("[]", 2));
    EXPECT_NULL(r1_url_models("", 0));
}

TEST(waiting_doubles_and_obeys)
{
    double last = 0;
    for (int i = 1; i < 7; i++) {
        double w = r1_url_wait(i, -1, 1);
        EXPECT(w > last && w <= 60);
        EXPECT(r1_url_wait(i, -1, 0) * 2 > w * 0.999);
        last = w;
    }
    EXPECT(r1_url_wait(50, -1, 1) <= 60);
    EXPECT(r1_url_wait(1, 17, 0) >= 17 && r1_url_wait(1, 1e9, 0) <= 300);
}
