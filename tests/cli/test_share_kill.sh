# Fifty processes on one file whose owners are killed; SHARE_SECONDS=120 for the long run.
. "$(dirname "$0")/lib.sh"

q enqueue --quiet -- true >/dev/null # the store is there
result=$(python3 "$HERE/share_kill.py" "${SHARE_SECONDS:-12}" 50)
is "no job is lost or run again, and nobody fails: $result" $? 0
finish
