#!/bin/sh
# The programs of examples/, built against the library and run. Prints "N passed, N failed, N skipped".
exec python3 "$(dirname "$0")/examples.py" "$@"
