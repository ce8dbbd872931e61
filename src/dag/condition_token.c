/*
 * The tokens of a condition; see condition_parse.h. Names may hold hyphens, since there is no
 * subtraction: load-users.rows is a path. Any byte above ASCII counts as a letter.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "dag/condition_parse.h"
#include "util/json_walk.h"
#include "util/utf8.h"

static const struct {
    const char *word;
    char token;
} words[] = {
    { "and", QK__TOKEN_AND },   { "or", QK__TOKEN_OR },     { "not", QK__TOKEN_NOT },
    { "in", QK__TOKEN_IN },     { "true", QK__TOKEN_TRUE }, { "false", QK__TOKEN_FALSE },
    { "null", QK__TOKEN_NULL },
};
#define WORDS (sizeof(words) / sizeof(words[0]))

static const struct {
    char text[3];
    char token;
} signs[] = {
    { "==", '=' },
    { "!=", QK__TOKEN_NE },
    { "<=", QK__TOKEN_LE },
    { ">=", QK__TOKEN_GE },
    { "&&", QK__TOKEN_AND },
    { "||", QK__TOKEN_OR },
    { "<", '<' },
    { ">", '>' },
    { "!", QK__TOKEN_NOT },
    { "(", '(' },
    { ")", ')' },
    { "[", '[' },
    { "]", ']' },
    { ".", '.' },
    { ",", ',' },
};
#define SIGNS (sizeof(signs) / sizeof(signs[0]))

uint32_t qk__parser_fail(qk__parser *in, const char *format, ...)
{
    if (!in->failed) {
        va_list args;
        va_start(args, format);
        vsnprintf(in->message, sizeof(in->message), format, args);
        va_end(args);
        in->where = (size_t)(in->token_at - in->start);
        in->failed = true;
    }
    in->token = '\0';
    return QK__CONDITION_NONE;
}

uint32_t qk__parser_no_memory(qk__parser *in)
{
    if (!in->failed)
        snprintf(in->message, sizeof(in->message), "out of memory");
    in->no_memory = !in->failed || in->no_memory;
    in->failed = true;
    in->token = '\0';
    return QK__CONDITION_NONE;
}

bool qk__parser_expect(qk__parser *in, char token)
{
    if (in->token != token) {
        qk__parser_fail(in, in->token ? "expected '%c'" : "unexpected end, expected '%c'", token);
        return false;
    }
    qk__parser_next(in);
    return !in->failed;
}

bool qk__parser_is_word(const qk__parser *in)
{
    return in->token && in->token_at < in->end && *in->token_at >= 'a' && *in->token_at <= 'z';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void keep(qk__parser *in, const char *text, size_t length)
{
    in->text = qk__arena_text(&in->out->arena, text, length);
    in->length = length;
    if (!in->text)
        qk__parser_no_memory(in);
}

static void read_name(qk__parser *in)
{
    const char *from = in->at;
    while (in->at < in->end && (is_letter(*in->at) || is_digit(*in->at) || *in->at == '-')) {
        size_t step = qk__utf8_sequence(in->at, (size_t)(in->end - in->at));
        if (step == 0) {
            in->token_at = in->at;
            qk__parser_fail(in, "not UTF-8");
            return;
        }
        in->at += step;
    }
    size_t length = (size_t)(in->at - from);
    in->token = 'a';
    for (size_t i = 0; i < WORDS; i++) {
        if (strlen(words[i].word) == length && memcmp(words[i].word, from, length) == 0)
            in->token = words[i].token;
    }
    keep(in, from, length);
}

static void skip_digits(qk__parser *in)
{
    while (in->at < in->end && is_digit(*in->at))
        in->at++;
}

/* A number as JSON writes it. */
static void read_number(qk__parser *in)
{
    const char *from = in->at;
    in->is_integer = true;
    if (*in->at == '-')
        in->at++;
    const char *first = in->at;
    skip_digits(in);
    bool good = in->at > first && (*first != '0' || in->at == first + 1);
    if (good && in->at + 1 < in->end && *in->at == '.' && is_digit(in->at[1])) {
        in->is_integer = false;
        in->at++;
        skip_digits(in);
    }
    if (good && in->at < in->end && (*in->at | 0x20) == 'e') {
        in->is_integer = false;
        in->at++;
        if (in->at < in->end && (*in->at == '+' || *in->at == '-'))
            in->at++;
        first = in->at;
        skip_digits(in);
        good = in->at > first;
    }
    if (!good || (in->at < in->end && is_letter(*in->at))) {
        qk__parser_fail(in, "not a number");
        return;
    }
    in->token = '0';
    in->number = qk__json_number((qk__json_span){ from, (size_t)(in->at - from) });
    in->is_integer = in->is_integer && in->at - from <= 9;
    keep(in, from, (size_t)(in->at - from));
}

/* A backslash keeps the character behind it. */
static void read_string(qk__parser *in)
{
    char text[QK__CONDITION_MAX];
    size_t length = 0;
    char quote = *in->at++;
    while (in->at < in->end && *in->at != quote) {
        if (*in->at == '\\' && in->at + 1 < in->end)
            in->at++;
        size_t step = qk__utf8_sequence(in->at, (size_t)(in->end - in->at));
        if (step == 0 || *in->at == '\0') {
            in->token_at = in->at;
            qk__parser_fail(in, step ? "a NUL" : "not UTF-8");
            return;
        }
        memcpy(text + length, in->at, step);
        length += step;
        in->at += step;
    }
    if (in->at == in->end) {
        qk__parser_fail(in, "the string does not end");
        return;
    }
    in->at++;
    in->token = '"';
    keep(in, text, length);
}

static void read_sign(qk__parser *in)
{
    size_t left = (size_t)(in->end - in->at);
    for (size_t i = 0; i < SIGNS; i++) {
        size_t length = strlen(signs[i].text);
        if (length <= left && memcmp(signs[i].text, in->at, length) == 0) {
            in->at += length;
            in->token = signs[i].token;
            return;
        }
    }
    qk__parser_fail(in, *in->at == '=' ? "a single =: equality is ==" : "unexpected character");
}

void qk__parser_next(qk__parser *in)
{
    while (in->at < in->end && strchr(" \t\r\n", *in->at) && *in->at)
        in->at++;
    in->token_at = in->at;
    in->token = '\0';
    in->text = NULL;
    in->length = 0;
    if (in->failed || in->at == in->end)
        return;
    char c = *in->at;
    if (is_letter(c))
        read_name(in);
    else if (is_digit(c) || c == '-')
        read_number(in);
    else if (c == '"' || c == '\'')
        read_string(in);
    else
        read_sign(in);
}
