"""The chat, on a pseudo-terminal: asking, stopping, saving, loading, and what the terminal shows."""
import json
import os
import pty
import re
import select
import signal
import struct
import time

from harness import R1, TMP, environment, main, model, r1, read, real, test, tmp

GGUF = model("llama_256", "llama_256.Q8_0.gguf")
PROMPT = ">>> "


class Chat:
    """r1 on a terminal of 80 columns. ask() types a line and gives what was shown until the next prompt."""

    def __init__(self, *args, **env):
        import fcntl
        import termios
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                os.execve(R1, [R1, *map(str, args)], environment(TERM="xterm-256color", **env))
            finally:
                os._exit(127)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 80, 0, 0))
        self.raw, self.pending = b"", b""

    def wait(self, what, timeout=30):
        """Read until the regular expression is found behind what an earlier wait took; give the text up to its end."""
        end, seen = time.time() + timeout, self.pending
        while True:
            m = re.search(what.encode(), seen)
            if m:
                self.raw += seen[:m.end()]
                self.pending = seen[m.end():]
                return plain(seen[:m.end()])
            if not select.select([self.fd], [], [], max(0, end - time.time()))[0]:
                raise AssertionError(f"{what!r} did not come: {plain(seen)[-500:]!r}")
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                data = b""
            if not data:
                raise AssertionError(f"r1 ended before {what!r} came: {plain(seen)[-500:]!r}")
            seen += data

    def type(self, text):
        os.write(self.fd, text.encode())

    def ask(self, line, timeout=30):
        self.type(line + "\r")
        self.wait(re.escape(line[-20:]) + r"\r*\n", timeout)  # the echo of the line
        return self.wait(re.escape(PROMPT), timeout)

    def leave(self, keys="/bye\r"):
        """The exit code."""
        self.type(keys)
        end = time.time() + 20
        while time.time() < end:
            try:
                if select.select([self.fd], [], [], 0.2)[0] and not os.read(self.fd, 65536):
                    break
            except OSError:
                break
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass


def plain(data):
    """Without escape sequences and carriage returns; a bar that was drawn over is gone."""
    text = data.decode(errors="replace")
    text = re.sub(r"\033\[[0-9;?]*[A-Za-z]", "", text)
    return text.replace("\r", "")


def tiny(*more, **env):
    """A chat with noise: greedy, short, the same each time."""
    a = r1("tokenize", GGUF, "a").text.strip()
    return Chat("run", GGUF, "--template", "smollm2", "-n", "6", "--logit-bias", f"{a}=1e9", *more, **env)


@test
def a_chat_answers_and_leaves():
    with tiny() as c:
        hello = c.wait(re.escape(PROMPT))
        assert "/help" in hello and "smollm2" in hello, hello
        assert "aaaaaa" in c.ask("hello")
        assert c.leave() == 0
    with tiny() as c:
        c.wait(re.escape(PROMPT))
        assert c.leave("\x04") == 0  # Ctrl-D


@test
def slash_commands():
    with tiny() as c:
        c.wait(re.escape(PROMPT))
        text = c.ask("/help")
        for name in ("/think", "/set", "/system", "/clear", "/save", "/load", "/stats", "/help", "/bye"):
            assert name in text, name
        assert "did you mean /help" in c.ask("/hlep")
        assert "/help lists" in c.ask("/xyzzyx")
        assert "hide" in c.ask("/think hide") and "dim, show, hide" in c.ask("/think loud")
        assert "0.25" in c.ask("/set temperature 0.25") and "0.25" in c.ask("/set")
        assert "from 0 to 100" in c.ask("/set temperature hot")
        assert "did you mean 'temperature'" in c.ask("/set temprature 1")
        assert "pirate" in c.ask('/system "You are a pirate."') and "pirate" in c.ask("/system")
        assert "no system message" in c.ask('/system ""')
        assert "context: 0 of" in c.ask("/stats")
        c.ask("hello")
        assert "tokens/s" in c.ask("/stats")
        assert "found 'now'" in c.ask("/clear now") and "found 'now'" in c.ask("/bye now")
        assert "new conversation" in c.ask("/clear") and "context: 0 of" in c.ask("/stats")
        assert c.leave() == 0


@test
def guessing_ahead_can_be_set():
    """A bias makes the answer one token over and over, so every guess comes true; saying the same without guesses."""
    with tiny() as c:
        c.wait(re.escape(PROMPT))
        assert re.search(r"speculate +auto\n", c.ask("/set")) and "auto, off, 1, 2" in c.ask("/set speculate 9").replace("\n", " ")
        said = []
        for how, value in (("4", "4"), ("none", "off"), ("off", "off")):
            assert re.search(rf"speculate +{value}\n", c.ask(f"/set speculate {how}")), how
            c.ask("/clear")
            said.append(c.ask("hello"))
            assert ("guessed tokens came true" in c.ask("/stats").replace("\n", " ")) == (value == "4"), how
        assert said[0] == said[1] == said[2] and "aaaaaa" in said[0], said
        path = tmp("guess.json")
        c.ask(f"/save {path}")
        assert re.search(r"speculate +auto\n", c.ask("/set speculate default"))
        c.ask(f"/load {path}")
        assert re.search(r"speculate +off\n", c.ask("/set speculate"))
        assert c.leave() == 0


@test
def settings_that_no_question_can_use_are_refused_at_once():
    with tiny() as c:
        c.wait(re.escape(PROMPT))
        assert "expected ID=VALUE" in c.ask("/set logit-bias 5=x")
        assert "expected" in c.ask('/set stop ""')
        assert "repetition_penalty is 50" in c.ask("/set repetition-penalty 50").replace("-", "_")
        assert "there is no template" in c.ask("/set template nowhere")
        assert "name one with --template" in c.ask("/set template default").replace("\n", " ")
        assert 'stop                 none' in c.ask("/set") and "aaaaaa" in c.ask("hello")
        assert '"x y"' in c.ask("/set stop x y") and '"aa" "b"' in c.ask('/set stop "aa" "b"')
        assert "aaaaaa" not in c.ask("hello")
        assert "none" in c.ask("/set stop default")
        for name, value in (("temperature", "default"), ("top-k", "default"), ("think", "dim"), ("think-budget", "none"), ("stats", "false")):
            c.ask(f"/set {name} {'show' if name == 'think' else 'true' if name == 'stats' else 1}")
            assert re.search(rf"{name} +{value}\n", c.ask(f"/set {name} default")), name
        assert re.search(r"top-p +1\n", c.ask("/set top-p none")) and re.search(r"max-tokens +none", c.ask("/set max-tokens none"))
        assert "pirate" in c.ask("/set system a pirate") and "no system message" in c.ask("/set system none")
        assert c.leave() == 0


@test
def a_chat_that_cannot_answer_does_not_open():
    for args, code, word in (([], 5, "qwen3"), (["--template", "smollm2", "--logit-bias", "5=x"], 2, "ID=VALUE"),
                             (["--template", "smollm2", "--ctx", "8"], 3, "at least one for the answer")):
        with Chat("run", GGUF, *args) as c:
            assert word in c.wait(r"\n$") and PROMPT not in plain(c.raw)
            assert os.waitstatus_to_exitcode(os.waitpid(c.pid, 0)[1]) == code


@test
def numbers_of_a_refused_question_are_not_shown():
    with tiny("--ctx", "160") as c:
        c.wait(re.escape(PROMPT))
        c.ask("hello")
        before = re.search(r"prompt: .*", c.ask("/stats"))[0]
        c.type("word " * 80 + "\r")
        c.wait(r"at least one[^>]*" + re.escape(PROMPT))
        text = c.ask("/stats")
        assert "was refused" in text and before in text, text
        assert c.leave() == 0


@test
def ctrl_c_at_the_prompt_keeps_the_program():
    with tiny() as c:
        c.wait(re.escape(PROMPT))
        c.type("\x03")
        assert "/bye" in c.wait(re.escape(PROMPT))
        c.type("half a line\x03")
        assert "/bye" not in c.wait(r"\^C[^>]*" + re.escape(PROMPT))
        assert "aaaaaa" in c.ask("hello")
        assert c.leave() == 0


@test
def several_lines_are_one_message():
    file = tmp("lines.json")
    with tiny("--ctx", "2000") as c:
        c.wait(re.escape(PROMPT))
        c.type('"""first\r')
        c.wait(r"\.\.\. ")
        c.type('second"""\r')
        c.wait(r"second.*\n")
        c.wait(re.escape(PROMPT))
        c.type("one\\\r")
        c.wait(r"\.\.\. ")
        c.ask("two")
        c.type("\033[200~pasted ü日\rlines\033[201~")
        c.wait("lines")
        c.type("\r")
        c.wait(re.escape(PROMPT))
        c.ask(" /not a command")
        c.ask(f"/save {file}")
        assert c.leave() == 0
    said = [m["content"] for m in json.loads(read(file))["messages"] if m["role"] == "user"]
    assert said == ["first\nsecond", "one\ntwo", "pasted ü日\nlines", "/not a command"], said


@test
def a_chat_is_saved_and_loaded():
    file = tmp("saved.json")
    with tiny() as c:
        c.wait(re.escape(PROMPT))
        c.ask("/system Be brief.")
        c.ask("/set top-k 7")
        c.ask("erste Frage: größer?")
        assert "saved 3 messages" in c.ask(f"/save {file}")
        assert c.leave() == 0
    saved = json.loads(read(file))
    assert [m["role"] for m in saved["messages"]] == ["system", "user", "assistant"]
    assert saved["messages"][1]["content"] == "erste Frage: größer?" and saved["messages"][2]["content"] == "aaaaaa"
    with tiny() as c:
        c.wait(re.escape(PROMPT))
        assert "cannot open" in c.ask("/load /nowhere.json")
        assert "wrong JSON" in c.ask("/load " + tmp("bad.json", "{"))
        assert "role of message 1" in c.ask("/load " + tmp("role.json", '{"r1_chat":1,"messages":[{"role":"king","content":""}]}'))
        assert "'r1_chat' is 2, expected 1" in c.ask("/load " + tmp("v2.json", '{"r1_chat":2,"messages":[]}'))
        assert "this is no saved chat" in c.ask("/load " + tmp("none.json", '{"messages":[]}')).replace("\n", " ")
        other = '{"r1_chat":1,"model":"a/other.gguf","messages":[{"role":"user","content":"x"},{"role":"assistant","content":"y"}]}'
        assert "another model, 'a/other.gguf'" in c.ask("/load " + tmp("foreign.json", other)).replace("\n", " ")
        bad = '{"r1_chat":1,"settings":{"logit-bias":["99999999=1"]},"messages":[]}'
        assert "99999999" in c.ask("/load " + tmp("bias.json", bad))
        text = c.ask(f"/load {file}")
        assert "loaded 3 messages" in text and "another model" not in text
        assert " 7" in c.ask("/set top-k") and "Be brief." in c.ask("/system")
        c.ask("zweite")
        assert "saved 5 messages" in c.ask("/save")  # its own file may be written again
        assert "/save! " in c.ask("/save " + tmp("other.json", "{}")) and read(os.path.join(TMP.name, "other.json")) == b"{}"
        assert "saved 5" in c.ask("/save! " + os.path.join(TMP.name, "other.json"))
        assert c.leave() == 0
    assert len(json.loads(read(file))["messages"]) == 5


@test
def the_session_reuses_what_it_has_read():
    with tiny("--stats") as c:
        c.wait(re.escape(PROMPT))
        first = c.ask("hello there")
        second = c.ask("and again")
        reused = [int(re.search(r"\((\d+) reused\)", t)[1]) for t in (first, second)]
        prompt = int(re.search(r"prompt: (\d+) tokens", first)[1])
        assert reused[0] == 0 and reused[1] >= prompt, (first, second)
        assert c.leave() == 0


@test
def a_full_context_is_told_with_both_numbers():
    with tiny("--ctx", "160") as c:
        c.wait(re.escape(PROMPT))
        c.type("word " * 80 + "\r")
        text = c.wait(re.escape(PROMPT))
        assert re.search(r"is \d+ tokens long", text) and "160" in text and "/clear" in text, text
        assert "aaa" in c.ask("hi")  # the chat goes on
        assert c.leave() == 0


@test
def history_is_kept():
    data = os.path.join(TMP.name, "history-data")
    with tiny(XDG_DATA_HOME=data) as c:
        c.wait(re.escape(PROMPT))
        c.ask("remember me")
        assert c.leave() == 0
    path = os.path.join(data, "r1/history")
    assert os.stat(path).st_mode & 0o077 == 0
    assert os.listdir(os.path.dirname(path)) == ["history"]
    with tiny(XDG_DATA_HOME=data) as c:
        c.wait(re.escape(PROMPT))
        c.type("\033[A\033[A")
        c.wait("remember me")
        assert c.leave("\x15/bye\r") == 0


@test
def history_outlives_the_terminal_and_other_chats():
    data = os.path.join(TMP.name, "shared-data")
    with tiny(XDG_DATA_HOME=data) as a, tiny(XDG_DATA_HOME=data) as b:
        a.wait(re.escape(PROMPT))
        b.wait(re.escape(PROMPT))
        a.ask("said by a\\b")
        b.ask("said by b")
        a.ask("again a ü")
        os.kill(a.pid, signal.SIGHUP)
        os.waitpid(a.pid, 0)
        assert b.leave() == 0
    folder = os.path.join(data, "r1")
    assert os.listdir(folder) == ["history"]
    lines = read(os.path.join(folder, "history")).decode().splitlines()
    assert lines == ["_HiStOrY_V2_", r"said\040by\040a\134b", r"said\040by\040b", r"again\040a\040ü", "/bye"], lines
    with open(os.path.join(folder, "history"), "a", encoding="utf-8") as f:
        f.write("".join(f"old\\040{i}\n" for i in range(1200)))
    with tiny(XDG_DATA_HOME=data) as c:
        c.wait(re.escape(PROMPT))
        c.type("\033[A")
        c.wait("old 1199")
        assert c.leave("\x15/bye\r") == 0
    lines = read(os.path.join(folder, "history")).decode().splitlines()
    assert len(lines) == 1002 and lines[:2] == ["_HiStOrY_V2_", r"old\040200"] and lines[-1] == "/bye", lines[:3]


@test
def shown_thinking_and_the_answer_are_told_apart():
    for more, env in ((("--think", "show"), {}), ((), {"NO_COLOR": "1"})):
        with Chat("run", GGUF, "--template", "r1_distill", "-n", "40", "--think-budget", "6", "--seed", "3", *more, **env) as c:
            c.wait(re.escape(PROMPT))
            text = c.ask("hello")
            assert re.search(r"thinking:\n(.|\n)+\nanswer:\n", text), text
            assert c.leave() == 0


@test
def thinking_is_dim_then_the_answer():
    with Chat("run", GGUF, "--template", "r1_distill", "-n", "40", "--think-budget", "6", "--seed", "3") as c:
        c.wait(re.escape(PROMPT))
        c.ask("hello")
        assert b"\033[2m" in c.raw and c.leave() == 0


@test
def no_colour_means_none():
    with tiny(NO_COLOR="1") as c:
        c.wait(re.escape(PROMPT))
        c.ask("hello")
        assert b"\033[2m" not in c.raw and b"\033[1m" not in c.raw and c.leave() == 0


@test
def escapes_of_the_model_do_not_reach_the_terminal():
    esc = r1("tokenize", GGUF, stdin=b"\x1b").text.strip()
    with Chat("run", GGUF, "--template", "smollm2", "-n", "5", "--logit-bias", f"{esc}=1e9", "--no-loop-guard") as c:
        c.wait(re.escape(PROMPT))
        start = len(c.raw)
        text = c.ask("hello")
        assert "\u241b" * 5 in text, text
        assert b"\033\033" not in c.raw[start:] and c.leave() == 0


@test
def ctrl_c_stops_the_answer_and_keeps_it():
    file = tmp("stopped.json")
    with Chat("run", real(), "--logit-bias", "2=-100", "--no-loop-guard", "--seed", "1") as c:
        c.wait(re.escape(PROMPT))
        c.type("Write a long story about a ship.\r")
        c.wait(r"ship\.\r*\n")
        c.wait(r"\w+ \w+ \w+ \w+")
        c.type("\x03")
        assert "stays in the conversation" in c.wait(re.escape(PROMPT))
        c.ask(f"/save {file}")
        assert c.leave() == 0
    messages = json.loads(read(file))["messages"]
    assert [m["role"] for m in messages] == ["user", "assistant"] and len(messages[1]["content"]) > 10


@test
def a_real_answer_as_markdown():
    with Chat("run", real(), "--greedy", "-n", "60") as c:
        c.wait(re.escape(PROMPT))
        assert "The capital of Japan is Tokyo." in c.ask("What is the capital of Japan?")
        assert c.leave() == 0


@test
def one_shot_names_no_command_of_the_chat():
    n = len(r1("template", GGUF, "--template", "smollm2", "--ids", stdin='{"messages":[{"role":"user","content":"hi"}],"add_generation_prompt":true}').text.split())
    err = r1("run", GGUF, "hi", "--template", "smollm2", "--ctx", n, code=3).err.decode()
    assert f"{n} tokens long" in err and "at least one for the answer" in err and "/clear" not in err, err


@test
def one_shot_on_a_terminal_is_wrapped_and_stopped():
    with Chat("run", real(), "Write a long story about a ship.", "--logit-bias", "2=-100", "--no-loop-guard", "--seed", "1") as c:
        c.wait(r"\w+ \w+ \w+ \w+")
        c.type("\x03")
        c.wait("interrupted")
        _, status = os.waitpid(c.pid, 0)
        assert os.waitstatus_to_exitcode(status) == 130


main()
