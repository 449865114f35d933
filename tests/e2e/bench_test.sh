#!/bin/sh
# r1 bench and bench/compare.sh from the outside. Prints "N passed, N failed, N skipped".
exec python3 "$(dirname "$0")/bench.py" "$@"
