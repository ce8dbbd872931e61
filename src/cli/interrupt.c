/*
 * Signals. By default SIGINT and SIGTERM end the program at once with exit code 130: whatever it
 * reported is durable, so nothing has to be tidied up. A command that would rather stop between
 * two steps defers them. SIGPIPE gets an empty handler instead of being ignored, because handlers
 * are reset in the programs that jobs run, while ignoring would be inherited.
 */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

volatile int cli_interrupted;

static volatile sig_atomic_t deferred;
static const char *notice;

static void on_signal(int number)
{
    (void)number;
    if (cli_interrupted++ < deferred)
        return;
    ssize_t ignored = write(STDERR_FILENO, notice, strlen(notice));
    (void)ignored;
    _exit(130);
}

static void on_pipe(int number)
{
    (void)number;
}

void cli_interrupts_init(bool json)
{
    struct sigaction action;
    notice = json ? "{\"error\":{\"code\":\"interrupted\",\"message\":\"interrupted\"}}\n"
                  : "queuack: interrupted\n";
    memset(&action, 0, sizeof(action));
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART;
    action.sa_handler = on_pipe;
    sigaction(SIGPIPE, &action, NULL);
    action.sa_handler = on_signal;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

void cli_interrupts_defer(int count)
{
    deferred = count;
}
