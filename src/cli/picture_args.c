/*
 * How a picture of a DAG is asked for; see picture_args.h.
 */
#include "picture_args.h"

qk_status cli_read_picture(cli *cli, qk_picture_options *options)
{
    const char *format = cli_value(cli, "format");
    const char *theme = cli_value(cli, "theme");
    if (format && qk_picture_format_parse(&options->format, format) != QK_OK)
        return cli_error(&cli->err, QK_EINVAL, "--format %.40s: must be mermaid, dot, svg or json",
                         format);
    if (theme && qk_theme_parse(&options->theme, theme) != QK_OK)
        return cli_error(&cli->err, QK_EINVAL,
                         "--theme %.40s: must be default, blue_professional, dark_mode, pastel, "
                         "high_contrast or grayscale",
                         theme);
    return QK_OK;
}
