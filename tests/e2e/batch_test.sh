#!/bin/sh
# r1 batch from the outside. Prints "N passed, N failed, N skipped".
exec python3 "$(dirname "$0")/batch.py" "$@"
