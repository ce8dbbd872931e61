/*
 * The themes; see theme.h. Each row is fill, stroke, text of a class, without the #. Text and fill
 * contrast by at least 4.5 : 1 in every row, which the tests check.
 */
#include "dag/theme.h"

#include <stdio.h>
#include <string.h>

#include "dag/names.h"
#include "util/error.h"

typedef const char row[3][7];

static const char *const class_names[QK__CLASS_COUNT] = {
    "pending", "delayed", "claimed", "done",   "failed",   "skipped", "cancelled",  "task",
    "command", "sql",     "dag",     "folded", "external", "cluster", "background", "edge",
};

static const char *const theme_names[QK_THEME_COUNT] = {
    "default", "blue_professional", "dark_mode", "pastel", "high_contrast", "grayscale",
};

/* clang-format off */
static const row themes[QK_THEME_COUNT][QK__CLASS_COUNT] = {
    [QK_THEME_DEFAULT] = {
        { "eceff1", "78909c", "263238" }, { "fff8e1", "ffb300", "4e342e" },
        { "bbdefb", "1976d2", "0d2f5e" }, { "c8e6c9", "388e3c", "1b3d1e" },
        { "ffcdd2", "d32f2f", "5c1010" }, { "f5f5f5", "9e9e9e", "555555" },
        { "e1bee7", "7b1fa2", "3e1052" }, { "e3f2fd", "1976d2", "0d2f5e" },
        { "e8f5e9", "2e7d32", "1b3d1e" }, { "fff3e0", "ef6c00", "5c2a00" },
        { "ede7f6", "5e35b1", "2a1463" }, { "eceff1", "455a64", "263238" },
        { "fafafa", "9e9e9e", "424242" }, { "fafafa", "90a4ae", "263238" },
        { "ffffff", "ffffff", "212121" }, { "ffffff", "607d8b", "37474f" },
    },
    [QK_THEME_BLUE_PROFESSIONAL] = {
        { "dce6f2", "5b7fa6", "1b2f4b" }, { "e8eef6", "8fa8c7", "1b2f4b" },
        { "4a90d9", "1f5fa8", "001226" }, { "1f4e79", "12314d", "ffffff" },
        { "9c2b3b", "6d1a27", "ffffff" }, { "eef2f7", "a9b8cb", "44546a" },
        { "5a5f78", "3b3f52", "ffffff" }, { "d6e4f5", "2f6db5", "10253f" },
        { "c5d9f1", "1f5fa8", "10253f" }, { "b8d3ee", "17518f", "10253f" },
        { "2f6db5", "17406e", "ffffff" }, { "e3ebf5", "44546a", "1b2f4b" },
        { "f4f7fb", "8fa8c7", "1b2f4b" }, { "f4f7fb", "5b7fa6", "1b2f4b" },
        { "ffffff", "ffffff", "10253f" }, { "ffffff", "44546a", "1b2f4b" },
    },
    [QK_THEME_DARK_MODE] = {
        { "37414a", "78909c", "eceff1" }, { "4a4022", "ffca28", "fff3c4" },
        { "12406b", "64b5f6", "e3f2fd" }, { "1b4d24", "66bb6a", "e2f5e4" },
        { "6b1c1c", "ef5350", "ffe4e4" }, { "2b2b2b", "757575", "bdbdbd" },
        { "4a1a5c", "ba68c8", "f5e1fa" }, { "1d3144", "64b5f6", "e3f2fd" },
        { "1d3a22", "81c784", "e2f5e4" }, { "4a2f10", "ffb74d", "ffe9cc" },
        { "2e2352", "9575cd", "ebe4fb" }, { "263238", "90a4ae", "eceff1" },
        { "1f1f1f", "757575", "e0e0e0" }, { "1b2126", "546e7a", "eceff1" },
        { "121212", "121212", "eceff1" }, { "121212", "90a4ae", "cfd8dc" },
    },
    [QK_THEME_PASTEL] = {
        { "f3f0f7", "b8aecb", "4a4458" }, { "fff6d9", "e8cf86", "5a4a14" },
        { "d7ecff", "9cc9ee", "204560" }, { "d9f4dd", "9fd6a8", "21502b" },
        { "ffd9de", "f0a3ae", "6b1f2c" }, { "f4f4f4", "cccccc", "5c5c5c" },
        { "ecd9f7", "c9a3e0", "4d2266" }, { "e0f0ff", "a8cdef", "204560" },
        { "e1f7ea", "a5d9bb", "1f5035" }, { "ffeedd", "f0c79b", "63390d" },
        { "eae2fb", "bda9e6", "3c2470" }, { "eef1f6", "aab4c8", "3c4557" },
        { "fbfbfd", "c9c9d6", "4a4a58" }, { "fbfaff", "c4bdd9", "4a4458" },
        { "ffffff", "ffffff", "4a4458" }, { "ffffff", "a59bb8", "4a4458" },
    },
    [QK_THEME_HIGH_CONTRAST] = {
        { "ffffff", "000000", "000000" }, { "ffff00", "000000", "000000" },
        { "0000cc", "000000", "ffffff" }, { "006400", "000000", "ffffff" },
        { "b00000", "000000", "ffffff" }, { "ffffff", "595959", "000000" },
        { "4b0082", "000000", "ffffff" }, { "ffffff", "0000cc", "000000" },
        { "ffffff", "006400", "000000" }, { "ffffff", "8a4b00", "000000" },
        { "ffffff", "4b0082", "000000" }, { "000000", "000000", "ffffff" },
        { "ffffff", "000000", "000000" }, { "ffffff", "000000", "000000" },
        { "ffffff", "ffffff", "000000" }, { "ffffff", "000000", "000000" },
    },
    [QK_THEME_GRAYSCALE] = {
        { "f2f2f2", "8c8c8c", "262626" }, { "e6e6e6", "8c8c8c", "262626" },
        { "bfbfbf", "595959", "1a1a1a" }, { "666666", "404040", "ffffff" },
        { "262626", "000000", "ffffff" }, { "fafafa", "bfbfbf", "595959" },
        { "595959", "262626", "ffffff" }, { "f2f2f2", "595959", "262626" },
        { "e6e6e6", "595959", "262626" }, { "d9d9d9", "595959", "262626" },
        { "cccccc", "404040", "1a1a1a" }, { "ebebeb", "404040", "262626" },
        { "ffffff", "999999", "404040" }, { "fafafa", "999999", "262626" },
        { "ffffff", "ffffff", "262626" }, { "ffffff", "666666", "333333" },
    },
};
/* clang-format on */

const char *qk__class_name(qk__class which)
{
    return class_names[which];
}

const char *qk_theme_name(qk_theme theme)
{
    return (unsigned)theme < QK_THEME_COUNT ? theme_names[theme] : NULL;
}

qk_status qk_theme_parse(qk_theme *out, const char *name)
{
    for (unsigned i = 0; name && i < QK_THEME_COUNT; i++) {
        if (strcmp(theme_names[i], name) == 0) {
            *out = (qk_theme)i;
            return QK_OK;
        }
    }
    return QK_EINVAL;
}

qk_status qk_picture_format_parse(qk_picture_format *out, const char *name)
{
    static const char *const names[] = { "mermaid", "dot", "json", "svg" };
    for (unsigned i = 0; name && i < 4; i++) {
        if (strcmp(names[i], name) == 0) {
            *out = (qk_picture_format)i;
            return QK_OK;
        }
    }
    return QK_EINVAL;
}

/* #rgb is spelled out as #rrggbb. */
static bool read_colour(char out[8], const char *text)
{
    size_t length = strnlen(text, 8);
    if (text[0] != '#' || (length != 4 && length != 7) ||
        strspn(text + 1, "0123456789abcdefABCDEF") != length - 1)
        return false;
    for (size_t i = 0; i < 6; i++)
        out[1 + i] = length == 7 ? text[1 + i] : text[1 + i / 2];
    out[0] = '#';
    out[7] = '\0';
    return true;
}

static qk_status apply(qk__palette *out, const qk_colours *custom, qk_error *err)
{
    char quoted[QK__QUOTE_SIZE];
    size_t i = 0;
    const char *name = custom->name ? custom->name : "";
    while (i < QK__CLASS_COUNT && strcmp(class_names[i], name) != 0)
        i++;
    if (i == QK__CLASS_COUNT) {
        const char *nearest = qk__nearest(class_names, QK__CLASS_COUNT, name);
        return qk__error(err, QK_EINVAL, "colours: there is no class '%s'%s%s%s",
                         qk__dag_quote(quoted, name), nearest ? ": did you mean '" : "",
                         nearest ? nearest : "", nearest ? "'?" : "");
    }
    const char *given[3] = { custom->fill, custom->stroke, custom->text };
    char *into[3] = { out->of[i].fill, out->of[i].stroke, out->of[i].text };
    for (int part = 0; part < 3; part++) {
        if (given[part] && !read_colour(into[part], given[part]))
            return qk__error(err, QK_EINVAL, "colours of '%s': '%s' is neither #rgb nor #rrggbb",
                             name, qk__dag_quote(quoted, given[part]));
    }
    return QK_OK;
}

qk_status qk__palette_init(qk__palette *out, qk_theme theme, const qk_colours *custom, size_t count,
                           qk_error *err)
{
    qk_status rc = QK_OK;
    if ((unsigned)theme >= QK_THEME_COUNT)
        return qk__error(err, QK_EINVAL, "theme: %d is not known", (int)theme);
    for (int i = 0; i < QK__CLASS_COUNT; i++) {
        snprintf(out->of[i].fill, 8, "#%.6s", themes[theme][i][0]);
        snprintf(out->of[i].stroke, 8, "#%.6s", themes[theme][i][1]);
        snprintf(out->of[i].text, 8, "#%.6s", themes[theme][i][2]);
    }
    for (size_t i = 0; !rc && i < count; i++)
        rc = apply(out, &custom[i], err);
    return rc;
}
