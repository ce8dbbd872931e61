/*
 * How a picture of a DAG is asked for on the command line.
 */
#ifndef CLI_PICTURE_ARGS_H
#define CLI_PICTURE_ARGS_H

#include "cli.h"

/* For a command's table of options. */
#define CLI_PICTURE_OPTIONS                                                                        \
    { "format", 'f', "FORMAT", "mermaid (as it is left out), dot, svg or json", false },           \
    {                                                                                              \
        "theme", 0, "THEME",                                                                       \
            "default, blue_professional, dark_mode, pastel, high_contrast or grayscale", false     \
    }

/* Sets what was given. QK_EINVAL. */
qk_status cli_read_picture(cli *cli, qk_picture_options *options);

#endif
