# Manual pages: one for each command, from the table behind --help, and clean.
. "$(dirname "$0")/lib.sh"

run help --man-dir pages
exits "pages are written" 0
run help --json
for page in $(field '" ".join("queuack-" + c["name"].replace(" ", "-") for c in d["commands"])'); do
    [ -s "pages/$page.1" ] || fail "$page has a page"
done
is "one for each command and one for all" "$(ls pages | wc -l)" \
    "$(($(field 'len(d["commands"])') + 1))"

# warnings PAGE: of whichever reader is there.
warnings() {
    if command -v mandoc >/dev/null; then
        mandoc -T lint -W warning "$1" | grep -v 'missing date\|lower case character'
    else
        MANROFFSEQ='' man --warnings -E UTF-8 -l -Tutf8 -Z "$1" 2>&1 >/dev/null
    fi
}
command -v mandoc >/dev/null || command -v man >/dev/null ||
    fail "a reader of manual pages is there: install man-db or mandoc"
for page in pages/*.1; do
    is "$page is clean" "$(warnings "$page")" ""
done
printf '.TH x 1\n.SH NAME\nx \\- y\n.unknownrequest\n' >bad.1
unlike "and what is not clean is noticed" "$(warnings bad.1)" '^$'
show() { if command -v mandoc >/dev/null; then mandoc -T ascii "$1"; else man -l -Tascii "$1"; fi; }
text=$(show pages/queuack-enqueue.1 | sed 's/.\x08//g')
like "options with what they mean" "$text" "--priority N"
like "examples as they are" "$text" '\{"kind":"resize","payload":\{"w":80\}\}'
like "exit codes" "$text" "130 interrupted"
refuses "a folder that cannot be made" 5 "cannot make the folder" help --man-dir /nonexistent/x/y
finish
