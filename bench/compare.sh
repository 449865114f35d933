#!/bin/sh
# r1 beside llama.cpp-style programs, in interleaved rounds of one run: bench/compare.sh --help
exec python3 "$(dirname "$0")/compare.py" "$@"
