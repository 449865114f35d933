"""A server of the OpenAI dialect on this machine that a test tells what to say. Standard library only.

    with Server(answer) as s: ... s.url ... s.requests

`answer(request, number)` gets the body of a chat request and how many came before it; it returns a dict of the message, or
(status, headers, body), or None to break the connection.
"""
import http.server
import json
import threading


class Server:
    def __init__(self, answer, models=("fake",), key=None):
        self.answer, self.models, self.key = answer, models, key
        self.requests, self.lock = [], threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def send(self, status, headers, body):
                self.send_response(status)
                for k, v in headers.items():
                    self.send_header(k, v)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def refused(self):
                if outer.key and self.headers.get("Authorization") != f"Bearer {outer.key}":
                    self.send(401, {}, b'{"error":{"message":"wrong key","code":"invalid_api_key"}}')
                    return True
                return False

            def do_GET(self):
                if self.refused():
                    return
                if self.path == "/v1/models":
                    self.send(200, {}, json.dumps({"object": "list", "data": [{"id": m} for m in outer.models]}).encode())
                else:
                    self.send(404, {}, b'{"error":{"message":"no such route"}}')

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.refused():
                    return
                if self.path != "/v1/chat/completions":
                    self.send(404, {}, b'{"error":{"message":"no such route"}}')
                    return
                request = json.loads(body)
                with outer.lock:
                    number = len(outer.requests)
                    outer.requests.append(request)
                said = outer.answer(request, number)
                if said is None:
                    self.close_connection = True
                    return
                if isinstance(said, tuple):
                    self.send(*said)
                    return
                finish = said.pop("finish_reason", "stop")
                usage = said.pop("usage", {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30})
                reply = {"id": "x", "object": "chat.completion", "model": request["model"], "usage": usage,
                         "choices": [{"index": 0, "finish_reason": finish, "message": dict(role="assistant", **said)}]}
                self.send(200, {"Content-Type": "application/json"}, json.dumps(reply).encode())

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request, client_address):
                pass  # a killed client is what some tests are about

        self.httpd = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.httpd.server_port}"
        self.thread = threading.Thread(target=self.httpd.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *args):
        self.httpd.shutdown()
        self.httpd.server_close()
