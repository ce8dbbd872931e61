# The command line itself: help, versions, words nobody knows.
. "$(dirname "$0")/lib.sh"

run --help
exits "help succeeds" 0
like "help lists commands" "$out" "enqueue .*worker .*jobs list .*version"
like "help tells where the store is" "$out" "QUEUACK_DB"
for command in enqueue worker stats "jobs list" "jobs show" "jobs retry" "dead list" sql version; do
    run $command --help
    like "help of $command" "$out" "^Usage: queuack $command"
    exits "help of $command succeeds" 0
done
run help jobs list
like "help as a command" "$out" "Usage: queuack jobs list"
run help --json
json "the table of commands as data" \
    'any(c["name"] == "enqueue" and any(o["letter"] == "q" for o in c["options"]) for c in d["commands"])'

run version
like "version for people" "$out" "^queuack [0-9]+\.[0-9]+\.[0-9]+ \(DuckDB [0-9]+\.[0-9]"
run --json version
json "version has two keys" 'set(d) == {"version", "duckdb"} and d["version"][0].isdigit()'
run --version
exits "--version succeeds" 0
like "--version is version" "$out" "^queuack "

refuses "no command" 2 "no command is given"
refuses "unknown command" 2 'unknown command "frobnicate"' frobnicate
refuses "unknown command suggests the nearest" 2 'did you mean "enqueue"\?' enqeue
refuses "group suggests the nearest" 2 'did you mean "jobs"\?' job list
refuses "second word suggests the nearest" 2 'did you mean "jobs list"\?' jobs lits
refuses "second word is missing" 2 "needs a second word" jobs
refuses "unknown option suggests the nearest" 2 "did you mean --priority\?" enqueue k --priorty 5
refuses "unknown short option" 2 'unknown option "-Z"' enqueue k -Z
refuses "option without its value" 2 "--queue needs a value" enqueue k --queue
refuses "flag with a value" 2 "takes no value" stats --quiet=yes
refuses "option given twice" 2 "given twice" enqueue k --priority 1 --priority 2
refuses "too many words" 2 "one word too many" stats a b
refuses "too few words" 2 "needs more" jobs show
refuses "unknown status suggests the nearest" 2 'did you mean "failed"' jobs list --status fialed
is "none of this made a store" "$(ls "$DIR"/*.duckdb 2>/dev/null)" ""

run --db "$DIR/elsewhere.duckdb" enqueue k
exits "global option before the command" 0
like "making a store is said" "$err" "created $DIR/elsewhere.duckdb"
run enqueue k --db="$DIR/elsewhere.duckdb" --quiet
exits "global option after the command" 0
is "--quiet says nothing" "$err" ""
run stats --db "$DIR/elsewhere.duckdb" --json
json "both went to that store" 'd["queues"]["default"]["pending"] == 2'
QUEUACK_DB='' run enqueue k
is "without \$QUEUACK_DB it is ./queuack.duckdb" "$(ls "$DIR/queuack.duckdb")" "$DIR/queuack.duckdb"

for url in postgres://host/db http://host:1/ unix:/tmp/socket; do
    refuses "a store of another kind: $url" 2 "opens files only" --db "$url" stats
done
"$QUEUACK" version >/dev/full 2>"$DIR/err"
status=$?
out=
err=$(cat "$DIR/err")
exits "a full disk behind stdout is exit 5" 5
like "and is said" "$err" "cannot write the output: No space left"
finish
