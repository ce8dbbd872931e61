# jobs why: what a job waits for.
. "$(dirname "$0")/lib.sh"

# why NAME CODES REGEX JOB: the codes of its reasons, in order, and the sentence.
why() {
    run --json jobs why "$4"
    json "$1: its reasons" "d['reasons'] == $2"
    run jobs why "$4"
    like "$1" "$out" "$3"
    exits "$1 is an answer" 0
}

first=$(q enqueue --quiet --name fetch -- true)
why "nobody is there" '["no_worker"]' 'No worker is there for its queue "default"' @1
q enqueue --quiet -p 90 -- true >/dev/null
why "others of higher priority" '["no_worker", "behind"]' '1 job of higher priority comes first' "$first"
q enqueue --quiet -p 90 -- true >/dev/null
why "several of them" '["no_worker", "behind"]' '2 jobs of higher priority come first' "$first"
why "one before it" '["no_worker", "behind"]' '1 of the same priority was before it' @1
q enqueue --quiet -q it\'s odd >/dev/null
why "a kind that not every worker runs" '["no_worker", "kind"]' "queue \"it's\".*kind \"odd\"" @1
q enqueue --quiet --needs "$first" --name report -- true >/dev/null
why "a parent" '["parents", "no_worker"]' \
    "It waits for its parents to be done: 1 has not ended \\(fetch $first is pending\\)" @1
q enqueue --quiet --mode all_done --needs "$first,@2" --name both -- true >/dev/null
why "two parents" '["parents", "no_worker"]' "the end of its parents: 2 have not ended" @1
q queues pause default >/dev/null
why "a paused queue" '["paused", "no_worker", "behind"]' 'queue "default" is paused' "$first"
q enqueue --quiet --delay 2h -- true >/dev/null
why "a delay" '["delayed", "paused"]' 'It waits until 20.*\(1h59m' @1
q queues resume default >/dev/null
q enqueue --quiet -q retry --max-attempts 2 --backoff 1h --name flaky -- sh -c 'echo broken; exit 3' >/dev/null
start worker -q retry -j 1
until_true grep -q 'exit' "$DIR/bg.err"
stop_with TERM "$pid"
why "a retry" '["delayed"]' 'when it is tried again after attempt 1 of 2: .*3' @1

q enqueue --quiet --name dead -q ends -- sh -c 'exit 7' >/dev/null
q enqueue --quiet --name child -q ends --needs @1 -- true >/dev/null
q enqueue --quiet --name fine -q ends -- true >/dev/null
run worker --quiet -q ends --drain
why "done" '["done"]' 'It waits for nothing: it was done at' @1
why "skipped, and by whom" '["skipped"]' 'skipped because job .*\(dead\) failed: ' @2
why "failed, and of what" '["failed"]' 'failed at .* after 1 of 1 attempts: .*7.*jobs retry' @3
q jobs cancel --quiet "$first" >/dev/null
why "cancelled" '["cancelled"]' 'was cancelled at' "$first"
refuses "of no job" 3 "no job" jobs why fedcba987654

# A worker that was killed is not taken for one that is there.
mkfifo started hold
q enqueue --quiet -q killed -- sh -c 'echo $$ >>pids; echo started >started; read x <hold' >/dev/null
q enqueue --quiet -q killed -- true >/dev/null
start worker -q killed -j 1
is "a worker runs" "$(word_from started)" started
stop_with KILL "$pid"
why "of a killed worker" '["no_worker", "behind"]' 'No worker is there for its queue "killed"' @1
run --json sql "SELECT count(*) AS n FROM workers WHERE list_contains(CAST(queues AS VARCHAR[]), 'killed')"
json "nor is it listed any more" 'd == [{"n": 0}]'

# A row of a process that lives: this shell's.
python3 "$HERE/duckdb_query.py" --write "$QUEUACK_DB" "INSERT INTO journal_a (batch, op, claimed_by, created_at, claimed_at, status, ext)
 SELECT 1 + max(batch), 6, 'other', now()::TIMESTAMP, now()::TIMESTAMP, 0,
 '{\"host\":\"$(hostname)\",\"pid\":$$,\"slots\":1,\"running\":0,\"queues\":[\"odd\"]}' FROM (FROM journal_a SELECT batch UNION ALL FROM journal_b SELECT batch)" >/dev/null
q enqueue --quiet -q odd strange >/dev/null
run workers list
why "a worker with a free slot, and yet" '["no_worker"]' 'no worker there runs the kind "strange"' @1
finish
