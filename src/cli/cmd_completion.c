/*
 * completion SHELL: a script that asks `queuack __complete` for candidates, so that what a shell
 * offers always fits the program that is installed.
 */
#include <string.h>

#include "commands.h"

static const char bash[] =
    "# bash completion of queuack: eval \"$(queuack completion bash)\"\n"
    "_queuack() {\n"
    "    local line quoted\n"
    "    COMPREPLY=()\n"
    "    while IFS= read -r line; do\n"
    "        if [ \"$line\" = :files ]; then\n"
    "            compopt -o default 2>/dev/null\n"
    "            continue\n"
    "        fi\n"
    "        printf -v quoted %q \"${line%%$'\\t'*}\"\n"
    "        COMPREPLY+=(\"$quoted\")\n"
    "    done < <(\"${COMP_WORDS[0]}\" __complete -- \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\n"
    "}\n"
    "complete -F _queuack queuack\n";

static const char zsh[] =
    "#compdef queuack\n"
    "# zsh completion of queuack: eval \"$(queuack completion zsh)\", or a file _queuack in $fpath\n"
    "_queuack() {\n"
    "    local line\n"
    "    local -a found\n"
    "    while IFS= read -r line; do\n"
    "        if [[ $line == :files ]]; then\n"
    "            _files\n"
    "        else\n"
    "            found+=(\"${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}\")\n"
    "        fi\n"
    "    done < <(\"${words[1]}\" __complete -- \"${(@Q)words[2,CURRENT]}\" 2>/dev/null)\n"
    "    (( ${#found} )) && _describe -t queuack queuack found\n"
    "}\n"
    "if [[ ${funcstack[1]} == _queuack ]]; then\n"
    "    _queuack \"$@\"\n"
    "else\n"
    "    compdef _queuack queuack\n"
    "fi\n";

static const char fish[] = "# fish completion of queuack: queuack completion fish | source\n"
                           "function __queuack_complete\n"
                           "    set -l words (commandline -opc) (commandline -ct)\n"
                           "    set -l program $words[1]\n"
                           "    set -e words[1]\n"
                           "    for line in ($program __complete -- $words 2>/dev/null)\n"
                           "        if test \"$line\" = :files\n"
                           "            __fish_complete_path (commandline -ct)\n"
                           "        else\n"
                           "            printf '%s\\n' $line\n"
                           "        end\n"
                           "    end\n"
                           "end\n"
                           "complete -c queuack -f -a '(__queuack_complete)'\n";

static const struct {
    const char *name, *script;
} shells[] = { { "bash", bash }, { "zsh", zsh }, { "fish", fish } };

static qk_status run_completion(cli *cli)
{
    const char *name = cli->words[0];
    cli_nearest nearest = { name, NULL, 0 };
    for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
        if (strcmp(shells[i].name, name) == 0) {
            fputs(shells[i].script, stdout);
            return QK_OK;
        }
        cli_nearest_try(&nearest, shells[i].name);
    }
    const char *found = cli_nearest_found(&nearest);
    if (found)
        return cli_error(&cli->err, QK_EINVAL, "unknown shell \"%.40s\": did you mean \"%s\"?",
                         name, found);
    return cli_error(&cli->err, QK_EINVAL, "unknown shell \"%.40s\": use bash, zsh or fish", name);
}

const cli_command cli_cmd_completion = {
    .name = "completion",
    .synopsis = "SHELL",
    .summary = "Print a completion script for bash, zsh or fish",
    .help = "  eval \"$(queuack completion bash)\"      in ~/.bashrc\n"
            "  eval \"$(queuack completion zsh)\"       in ~/.zshrc, after compinit\n"
            "  queuack completion fish | source       in ~/.config/fish/config.fish",
    .min_words = 1,
    .max_words = 1,
    .run = run_completion,
};
