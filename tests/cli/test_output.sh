# Output for people: terminals, widths, colours, hostile text, closed pipes.
. "$(dirname "$0")/lib.sh"

on_terminal() {
    python3 "$HERE/on_terminal.py" "$@" >"$DIR/out" 2>"$DIR/err"
    status=$?
    out=$(cat "$DIR/out")
    err=$(cat "$DIR/err")
}
escape=$'\033'

on_terminal 80 "$QUEUACK" enqueue k
like "on a terminal: nothing is there to run it" "$out" "nothing is there to run it.*queuack worker"
run enqueue k
unlike "not without one" "$err" "nothing is there"
run --json enqueue k --name "evil${escape}[2J$(printf '\u202e')name"
like "a name with an escape is refused" "$err" "control character"
q enqueue --quiet -d '"\u001b[31m\u009b1m"' --name "over$(printf '\u202e')ride" k >/dev/null
q enqueue --quiet --name bad -- sh -c 'printf "out\033[31mred\033]0;title\007\n"; echo "er\033[5mror" >&2; exit 1' >/dev/null
q enqueue --quiet --name wide -- printf '%s' "日本語のとても長い名前" >/dev/null
run worker --drain --quiet
for command in "jobs list" "jobs show @1" "jobs show @2" "jobs show @3" "jobs logs @2" "dead list"; do
    TERM=xterm on_terminal 100 "$QUEUACK" $command
    shown=${out//"${escape}["[0-9]m/}
    shown=${shown//"${escape}["3[0-9]m/}
    unlike "$command: no escape sequence but our colours" "$shown" "$escape"
    unlike "$command: no override" "$shown" $'\u202e'
done
TERM=xterm on_terminal 100 "$QUEUACK" jobs logs @2
like "log text is shown with its escapes visible" "$out" 'out\\x1b\[31mred\\x1b\]0;title\\x07'
run jobs logs @2
like "and raw into a file" "$out" "out${escape}\\[31mred"

TERM=xterm on_terminal 80 "$QUEUACK" jobs list
like "colours on a terminal" "$out" "${escape}\\[3"
is "no line is wider than the terminal" "$(python3 - "$DIR/out" <<'END'
import re, sys, unicodedata
wide = 0
for line in open(sys.argv[1], encoding="utf-8"):
    line = re.sub(r"\033\[\d*m", "", line.rstrip("\n"))
    wide = max(wide, sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line))
print(wide <= 80, wide > 40)
END
)" "True True"
NO_COLOR=1 TERM=xterm on_terminal 80 "$QUEUACK" jobs list
unlike "NO_COLOR" "$out" "$escape"
TERM=dumb on_terminal 80 "$QUEUACK" jobs list
unlike "a dumb terminal" "$out" "$escape"
run jobs list
unlike "no terminal, no colours" "$out" "$escape"
like "and whole ids" "$out" "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-"
TZ=Asia/Tokyo run jobs list
tokyo=$(sed -n 2p "$DIR/out" | grep -o '[0-9-]* [0-9:]*:[0-9][0-9]')
run jobs list
is "times are local" "$(date -u -d "$tokyo 9 hours ago" '+%F %T')" \
    "$(sed -n 2p "$DIR/out" | grep -o '[0-9-]* [0-9:]*:[0-9][0-9]')"

seq 3000 | sed 's/.*/{"kind":"k","payload":&}/' | q enqueue --quiet --batch - >/dev/null
for command in "jobs list --limit 3000" "--json jobs list --limit 3000"; do
    "$QUEUACK" $command 2>"$DIR/err" | head -n 1 >"$DIR/out"
    codes=("${PIPESTATUS[@]}")
    is "$command | head: no error" "${codes[0]} $(cat "$DIR/err" | grep -v 'there are more')" "0 "
done
"$QUEUACK" --json sql "SELECT * FROM jobs" 2>"$DIR/err" | head -c 10 >"$DIR/out"
is "sql | head: no error" "$(cat "$DIR/err")" ""
finish
