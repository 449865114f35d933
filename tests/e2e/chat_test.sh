#!/bin/sh
# The chat, on a pseudo-terminal. Prints "N passed, N failed, N skipped".
exec python3 "$(dirname "$0")/chat.py" "$@"
