#!/bin/sh
# Every command from the outside. Prints "N passed, N failed, N skipped".
exec python3 "$(dirname "$0")/cli.py" "$@"
