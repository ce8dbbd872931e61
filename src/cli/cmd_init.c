/*
 * init [FILE]: writes a commented workflow to start from, which can be checked and run as it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "text.h"

static const char starter[] =
    "# A workflow. Check it with `queuack dag validate FILE`, see its order with `queuack dag plan\n"
    "# FILE` and its picture with `queuack dag graph FILE`. All keys: docs/workflow.md.\n"
    "name: starter\n"
    "description: Counts the words of some lines\n"
    "\n"
    "# What a run can be given, with defaults: -P lines=100. The default says the type; for more write\n"
    "# lines: {type: integer, default: 20, description: How many, choices: [20, 100]}\n"
    "params:\n"
    "  lines: 20\n"
    "  greeting: it's a fine day\n"
    "\n"
    "# For every task that does not say otherwise.\n"
    "defaults:\n"
    "  timeout: 5m\n"
    "  max_attempts: 2\n"
    "  backoff: 1s\n"
    "\n"
    "tasks:\n"
    "  # A line for /bin/sh -e -c, in the folder of this file. ${params.…} is a value, quoted as it\n"
    "  # needs to be; ${HOME} and $(…) are the shell's.\n"
    "  make:\n"
    "    run: |\n"
    "      i=0\n"
    "      while [ \"$i\" -lt ${params.lines} ]; do\n"
    "        i=$((i + 1))\n"
    "        echo \"$i: ${params.greeting}\"\n"
    "      done > starter-lines.txt\n"
    "    outputs: [starter-lines.txt]\n"
    "\n"
    "  # A last line of output that is JSON is the task's result.\n"
    "  count:\n"
    "    needs: [make]\n"
    "    run: |\n"
    "      words=$(wc -w < starter-lines.txt)\n"
    "      echo \"{\\\"words\\\": $((words))}\"\n"
    "\n"
    "  # Results of what a task needs: NAME.KEY. A list of arguments needs no shell. If `when` is\n"
    "  # false, the task is skipped.\n"
    "  report:\n"
    "    needs: [count]\n"
    "    when: count.words > 0\n"
    "    run: [echo, \"${count.words} words\"]\n"
    "\n"
    "  # Runs at the end whatever became of the others; one_failed, any … are other modes.\n"
    "  tidy:\n"
    "    needs: [report]\n"
    "    mode: all_done\n"
    "    run: rm -f starter-lines.txt\n"
    "\n"
    "# Runs if a task failed.\n"
    "on_failure:\n"
    "  run: echo \"${run.name} failed\" >&2\n";

static qk_status write_all(cli *cli, int fd, const char *path)
{
    size_t length = sizeof(starter) - 1, done = 0;
    while (done < length) {
        ssize_t some = write(fd, starter + done, length - done);
        if (some < 0 && errno == EINTR)
            continue;
        if (some <= 0)
            return cli_error_errno(&cli->err, QK_EIO, some < 0 ? errno : ENOSPC,
                                   "%s: cannot be written", path);
        done += (size_t)some;
    }
    return QK_OK;
}

static qk_status run_init(cli *cli)
{
    const char *path = cli->word_count ? cli->words[0] : "workflow.yaml";
    /* Never over a file that is there. */
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0 && errno == EEXIST)
        return cli_error(&cli->err, QK_ECONFLICT, "%s exists: name another file", path);
    if (fd < 0)
        return cli_error_errno(&cli->err, QK_EIO, errno, "%s: cannot be made", path);
    qk_status rc = write_all(cli, fd, path);
    if (close(fd) != 0 && !rc)
        rc = cli_error_errno(&cli->err, QK_EIO, errno, "%s: cannot be written", path);
    if (rc) {
        unlink(path);
        return rc;
    }
    if (cli->json) {
        bool first = true;
        fputc('{', stdout);
        cli_json_key(stdout, &first, "file");
        cli_json_text(stdout, path);
        fputs("}\n", stdout);
    } else {
        cli_put_line(stdout, path);
        fputs(": a workflow to start from\n", stdout);
    }
    return QK_OK;
}

const cli_command cli_cmd_init = {
    .name = "init",
    .synopsis = "[FILE]",
    .summary = "Write a commented workflow to start from",
    .help = "FILE is workflow.yaml if it is left out. A file that exists is not touched.",
    .max_words = 1,
    .run = run_init,
};
