"""python: attacks through the interpreter. The mode is argv[1]; "escaped" is printed when something worked that must not."""
import os
import sys


def escaped(what):
    print("escaped:", what, flush=True)


def memory():
    b = bytearray()
    while True:
        b += bytes(range(256)) * 4096


def strings():
    s = "x"
    while True:
        s += s


def recursion():
    import threading
    sys.setrecursionlimit(10**9)
    threading.stack_size(256 << 20)

    class Deep:
        def __repr__(self):
            return repr(self) + "x"
    t = threading.Thread(target=lambda: repr(Deep()))
    t.start()
    t.join()


def processes():
    while True:
        try:
            os.fork()
        except OSError:
            pass


def sockets():
    import socket
    for address in (("127.0.0.1", 80), ("8.8.8.8", 53)):
        try:
            socket.create_connection(address, 1)
            escaped(address)
        except OSError:
            pass
    try:
        socket.getaddrinfo("example.com", 80)
        escaped("DNS")
    except OSError:
        pass
    print("done")


def native():
    import ctypes
    c = ctypes.CDLL(None)
    print("escaped: ptrace gave", c.ptrace(16, os.getppid(), 0, 0))


def parent():
    import signal
    for pid in (os.getppid(), 1, -1):
        for s in (signal.SIGTERM, signal.SIGSTOP, signal.SIGKILL):
            try:
                os.kill(pid, s)
            except OSError:
                pass
    print("done")


def preload():
    with open("sitecustomize.py", "w") as f:
        f.write("print('customized')")
    for folder in ("/usr/lib/python3", "/usr/local/lib", sys.prefix, os.path.dirname(os.__file__)):
        try:
            open(os.path.join(folder, "sitecustomize.py"), "w")
            escaped(folder)
        except OSError:
            pass
    print("done")


def honest():
    """What ordinary programs do: threads, a pool, a temporary file, a child, a megabyte of output."""
    import subprocess
    import tempfile
    import threading
    from multiprocessing import Pool
    with Pool(2) as p:
        assert p.map(abs, [-1, -2]) == [1, 2]
    with tempfile.NamedTemporaryFile() as f:
        f.write(b"x")
    t = [threading.Thread(target=sum, args=([1] * 1000,)) for _ in range(8)]
    for x in t:
        x.start()
    for x in t:
        x.join()
    assert subprocess.run(["/bin/echo", "hi"], capture_output=True).stdout == b"hi\n"
    import asyncio
    asyncio.run(asyncio.sleep(0.01))
    sys.stdout.write("y" * 1000000)


globals()[sys.argv[1]]()
