#!/bin/sh
# gzip that fails on the first attempt of its job, to show a retry.
if [ "${QUEUACK_ATTEMPT:-1}" -lt 2 ]; then
    echo "the first attempt fails on purpose" >&2
    exit 75
fi
exec gzip -k "$1"
