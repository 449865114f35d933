#!/bin/sh
# r1 eval from the outside. Prints "N passed, N failed, N skipped".
exec python3 "$(dirname "$0")/eval.py" "$@"
