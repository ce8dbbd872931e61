# completion: what the shells offer, driven as a shell would.
. "$(dirname "$0")/lib.sh"

q enqueue --quiet -q mail k >/dev/null
q enqueue --quiet -q "it's odd" k >/dev/null
eval "$(q completion bash)"
ln -s "$QUEUACK" queuack

# offers NAME WANTED WORD…: the candidates bash gets for the last word, in order, are these.
offers() {
    local name=$1 wanted=$2
    shift 2
    COMP_WORDS=("$DIR/queuack" "$@")
    COMP_CWORD=$#
    _queuack 2>"$DIR/err"
    is "$name" "${COMPREPLY[*]-}" "$wanted"
    is "$name: no noise" "$(cat "$DIR/err")" ""
}
# among NAME WORD…: the last argument before -- is among the candidates of what follows.
among() {
    local name=$1 wanted=$2
    shift 2
    COMP_WORDS=("$DIR/queuack" "$@")
    COMP_CWORD=$#
    _queuack
    like "$name" " ${COMPREPLY[*]-} " " $wanted "
}

offers "first words" "enqueue" enq
offers "a group once" "jobs" jo
among "retry of jobs" retry jobs re
among "result of jobs" result jobs re
offers "an option" "--priority" enqueue --prio
among "a global option" --db stats --d
offers "nothing that is not there" "" enqueue --nonsense
offers "statuses" "failed" jobs list --status fa
offers "statuses after =, as bash parts words" "failed" jobs list --status = fa
offers "modes" "one_failed" enqueue k --mode one
offers "queues" "mail" stats ma
offers "queues of an option" "mail" jobs list -q m
offers "quoted for the shell" "it\\'s\\ odd" queues pause it
offers "queues of the store that is named" "" --db "$DIR/other.duckdb" stats ma
offers "shells" "zsh" completion z
offers "files are left to the shell" "" backup some
is "a store is not made by completing" "$(ls "$DIR"/other* 2>/dev/null)" ""
among "every command, first words" help ""
COMP_WORDS=("$DIR/queuack" "")
COMP_CWORD=1
_queuack
unlike "not the one behind it all" "${COMPREPLY[*]}" "__complete"
run __complete -- jobs list --status=fai
is "shells that see one word get it whole" "$(cut -f1 "$DIR/out")" "--status=failed"
run __complete --
exits "no word at all is no error" 0

for shell in bash zsh fish; do
    run completion $shell
    exits "a script for $shell" 0
    like "that asks the program" "$out" "__complete"
    if command -v $shell >/dev/null; then
        $shell -n "$DIR/out" 2>"$DIR/err"
        is "$shell can read it" "$?" 0
    fi
done
# The shells themselves, where they are installed: what a person gets who presses Tab.
if command -v fish >/dev/null; then
    fish_offers() {
        q completion fish | HOME=$DIR XDG_CONFIG_HOME=$DIR XDG_DATA_HOME=$DIR PATH="$DIR:$PATH" \
            fish --no-config -c "source -; complete -C '$1'" 2>"$DIR/err" | cut -f1 | tr '\n' ' '
    }
    is "fish completes a word" "$(fish_offers 'queuack enq')" "enqueue "
    like "a second word" "$(fish_offers 'queuack jobs re')" "result retry |retry result "
    is "a value" "$(fish_offers 'queuack jobs list --status fa')" "failed "
    is "a queue with a blank and a quote" "$(fish_offers 'queuack queues pause it')" "it's odd "
    is "without noise" "$(cat "$DIR/err")" ""
else
    pass "fish is not installed: skipped"
fi
if command -v zsh >/dev/null; then
    mkdir zdot
    cat >zdot/.zshrc <<'ZSH'
autoload -Uz compinit && compinit -u -D
eval "$(queuack completion zsh)"
show() { print -r -- "<$BUFFER>"; }
zle -N show && bindkey '^X' show
PS1='ready> ' RPS1=
ZSH
    zsh_types() { # what is typed; what must have appeared then
        out=$(ZDOTDIR=$DIR/zdot HOME=$DIR PATH="$DIR:$PATH" TERM=xterm \
            python3 "$HERE/on_terminal.py" --when 'ready> ' "$1" --when "$2" '\x15exit\n' \
            80 zsh -i </dev/null 2>&1)
    }
    zsh_types 'queuack enq\t\x18' '>'
    like "zsh completes a word" "$out" "<queuack enqueue >"
    zsh_types 'queuack jobs re\t' 'retry '
    like "it lists candidates with what they do" "$out" "retry +-- .*run again"
    zsh_types 'queuack jobs list --status fai\t\x18' '>'
    like "and values" "$out" "<queuack jobs list --status failed >"
    zsh_types 'queuack queues pause it\t\x18' '>'
    like "quoted for the shell" "$out" "<queuack queues pause it\\\\'s\\\\ odd >"
else
    pass "zsh is not installed: skipped"
fi
refuses "an unknown shell suggests the nearest" 2 'did you mean "fish"' completion fisch
unlike "the hidden command is not in the help" "$(q --help)" "__complete"
finish
