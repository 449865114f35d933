#!/bin/sh
# r1 verify from the outside. Prints "N passed, N failed, N skipped".
exec python3 "$(dirname "$0")/verify.py" "$@"
