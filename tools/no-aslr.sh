#!/bin/sh
# Runs a command without address space randomisation where that is allowed: with much of it, older
# ThreadSanitizer runtimes end with "unexpected memory mapping".
if setarch "$(uname -m)" -R true 2>/dev/null; then
    exec setarch "$(uname -m)" -R "$@"
fi
exec "$@"
