# enqueue: what was asked for is what is stored; what cannot be is refused in one line.
. "$(dirname "$0")/lib.sh"

uuid='[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}'
run enqueue resize
exits "enqueue succeeds" 0
like "it prints a UUIDv7 and nothing else" "$out" "^$uuid\$"
like "it says that it made the store" "$err" "created $QUEUACK_DB"
is "the store is private" "$(stat -c %a "$QUEUACK_DB")" 600
run --json enqueue resize -d '{"w":80,"big":123456789012345678901234567890}'
json "--json has two keys" 'set(d) == {"id", "duplicate"} and d["duplicate"] is False'
id=$(field 'd["id"]')

run --json jobs show "$id"
json "the keys are the columns of the view, in their order" 'list(d) == """id dag_run_id node_name
 dependency_mode kind payload queue status priority created_at execute_after claimed_at claimed_by
 completed_at attempts max_attempts timeout_seconds result error skipped_at skip_reason skipped_by
 tags name unique_key progress progress_message map_index exit_code""".split()'
json "defaults" 'd["status"] == "pending" and d["queue"] == "default" and d["priority"] == 50 and
 d["attempts"] == 0 and d["max_attempts"] == 3 and d["timeout_seconds"] == 300'
json "payload is nested" 'd["payload"]["w"] == 80'
is "numbers of any size survive" "$(grep -c 123456789012345678901234567890 "$DIR/out")" 1
json "times are RFC 3339 in UTC" '__import__("re").fullmatch(
 r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", d["created_at"])'
json "what is not there is null" 'd["result"] is None and d["claimed_at"] is None and
 d["exit_code"] is None and d["progress"] is None and d["map_index"] is None'

run --json enqueue k -q mail -p 90 --delay 1h --max-attempts 7 --timeout 1.5s --tag a --tag 'b c' \
    --name 'Näme' --unique key1 --backoff 2s,3,10m
id=$(field 'd["id"]')
run --json jobs show "$id"
json "queue and priority" 'd["queue"] == "mail" and d["priority"] == 90'
json "delayed" 'd["status"] == "delayed" and d["execute_after"] > d["created_at"]'
json "attempts and timeout" 'd["max_attempts"] == 7 and d["timeout_seconds"] == 1.5'
json "tags are nested" 'd["tags"] == ["a", "b c"]'
json "name and key" 'd["name"] == "Näme" and d["unique_key"] == "key1"'

run --json enqueue k --unique key1
json "a held key gives the job that holds it" "d == {'id': '$id', 'duplicate': True}"
run enqueue k --unique key1
is "also for people" "$out" "$id"
like "who are told" "$err" "there already"

given=01900000-0000-7000-8000-0123456789ab
run --json enqueue k --id $given
json "an id of one's own" "d == {'id': '$given', 'duplicate': False}"
run --json enqueue k --id $given
json "the same id again" "d == {'id': '$given', 'duplicate': True}"
refuses "the same id for another kind" 4 "." enqueue other --id $given

run --json enqueue k --at 2099-01-02T03:04:05+01:00
run --json jobs show "$(field 'd["id"]')"
json "--at with an offset" 'd["execute_after"].startswith("2099-01-02T02:04:05")'
TZ=Asia/Tokyo run --json enqueue k --at '2099-01-02 12:00'
run --json jobs show "$(field 'd["id"]')"
json "--at in local time" 'd["execute_after"].startswith("2099-01-02T03:00:00")'
run --json enqueue k --at 2001-01-01T00:00:00Z
run --json jobs show "$(field 'd["id"]')"
json "a time that has passed is now" 'd["status"] == "pending"'
run --json enqueue k --timeout none
run --json jobs show "$(field 'd["id"]')"
json "no timeout" 'd["timeout_seconds"] is None'

run enqueue parent
parent=$out
run --json enqueue child --needs "${parent: -12}" --needs @1 --mode all_done
child=$(field 'd["id"]')
run --json jobs show "$child"
json "mode" 'd["dependency_mode"] == "all_done"'
run --json sql "SELECT parent_job_id FROM job_dependencies WHERE child_job_id = '$child'"
json "a parent in short, named twice, is one parent" "[r['parent_job_id'] for r in d] == ['$parent']"

mkdir "work dir"
run --json enqueue -C "work dir" -e A=1 -e B='x=y' --slots 2 -- prog '$HOME' 'a b' -q
id=$(field 'd["id"]')
run --json jobs show "$id"
json "a command is stored word by word" 'd["kind"] == "command" and
 d["payload"]["argv"] == ["prog", "$HOME", "a b", "-q"]'
json "with folder, environment and slots" "d['payload']['cwd'] == '$DIR/work dir' and
 d['payload']['env'] == {'A': '1', 'B': 'x=y'} and d['payload']['slots'] == 2"
json "commands have one attempt and no timeout" 'd["max_attempts"] == 1 and
 d["timeout_seconds"] is None'
run --json enqueue -- true
run --json jobs show "$(field 'd["id"]')"
json "the present folder is the default" "d['payload']['cwd'] == '$DIR'"

printf '[1,\n 2]' >payload.json
run --json enqueue k -d @payload.json
run --json jobs show "$(field 'd["id"]')"
json "payload from a file" 'd["payload"] == [1, 2]'
run_in payload.json --json enqueue k -d @-
run --json jobs show @1
json "payload from standard input, and @1 is the latest" 'd["payload"] == [1, 2]'

run --json stats
before=$out
long=$(printf '%0300d' 0)
refuses "bad JSON" 2 "not JSON" enqueue k -d '{bad'
refuses "JSON with something behind it" 2 "not JSON" enqueue k -d '1 2'
refuses "empty payload" 2 "not JSON" enqueue k -d ''
refuses "payload file that is missing" 2 "cannot read" enqueue k -d @missing.json
refuses "priority too high" 2 "priority" enqueue k -p 101
refuses "priority below 0" 2 "priority" enqueue k -p -1
refuses "priority that is no number" 2 "priority" enqueue k -p high
refuses "over-long kind" 2 "300 bytes" enqueue "$long"
refuses "over-long queue" 2 "300 bytes" enqueue k -q "$long"
refuses "over-long name" 2 "300 bytes" enqueue k --name "$long"
refuses "over-long tag" 2 "300 bytes" enqueue k --tag "$long"
refuses "over-long key" 2 "300 bytes" enqueue k --unique "$long"
refuses "empty kind" 2 "empty" enqueue ''
refuses "kind that is not UTF-8" 2 "UTF-8" enqueue $'\xff'
refuses "kind with a control character" 2 "control character" enqueue $'a\nb'
refuses "negative delay" 2 "negative" enqueue k --delay -5s
refuses "delay without a unit" 2 "not a duration" enqueue k --delay 5
refuses "delay beyond all bounds" 2 "not a duration" enqueue k --delay 99999999999999999999d
refuses "unknown unit" 2 "not a duration" enqueue k --delay 5w
refuses "no attempts" 2 "max-attempts" enqueue k --max-attempts 0
refuses "timeout of nothing" 2 "above 0" enqueue k --timeout 0s
refuses "back-off that shrinks" 2 "factor" enqueue k --backoff 1s,0.5
refuses "back-off with a cap below it" 2 "cap" enqueue k --backoff 10s,2,1s
refuses "an id that is not a UUID" 2 "not an id" enqueue k --id 1234
refuses "the empty id" 2 "not an id" enqueue k --id 00000000-0000-0000-0000-000000000000
refuses "a day that does not exist" 2 "not a time" enqueue k --at 2099-02-30T00:00:00Z
refuses "delay and time at once" 2 "exclude" enqueue k --delay 1s --at 2099-01-01T00:00:00Z
refuses "unknown mode" 2 'did you mean "all_done"' enqueue k --mode all-done
refuses "parent that does not exist" 3 "." enqueue k --needs 01900000-0000-7000-8000-ffffffffffff
refuses "parent that is no job" 2 "not a job" enqueue k --needs zzz
refuses "kind and command at once" 2 "one way only" enqueue k -- true
refuses "nothing" 2 "nothing to enqueue" enqueue
refuses "empty command" 2 "nothing to enqueue" enqueue --
refuses "command with a payload" 2 "does not fit" enqueue -d 1 -- true
refuses "environment without a command" 2 "does not fit" enqueue k -e A=1
refuses "environment without a value" 2 "NAME=VALUE" enqueue -e A -- true
refuses "folder that does not exist" 2 "not a folder" enqueue -C missing -- true
head -c 5000000 /dev/zero | tr '\0' 1 >large.json
refuses "payload above the limit" 2 "4194304" enqueue k -d @large.json
run --json stats
is "nothing of this was enqueued" "$out" "$before"
finish
