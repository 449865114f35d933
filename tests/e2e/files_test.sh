#!/bin/sh
# Commands that make model files. Prints "N passed, N failed, N skipped".
exec python3 "$(dirname "$0")/files.py" "$@"
