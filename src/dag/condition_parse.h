/*
 * The tokens of a condition, and where its parser stands. One thread.
 */
#ifndef QK_DAG_CONDITION_PARSE_H
#define QK_DAG_CONDITION_PARSE_H

#include "dag/condition_internal.h"

#define QK__CONDITION_MAX 4096 /* QK_WHEN_MAX of the public header */

/* Tokens that are more than one character; others stand for themselves. '\0': the end, 'a': a name,
 * '0': a number, '"': a string, '=': ==. */
enum {
    QK__TOKEN_NE = 'N',
    QK__TOKEN_LE = 'L',
    QK__TOKEN_GE = 'G',
    QK__TOKEN_AND = '&',
    QK__TOKEN_OR = '|',
    QK__TOKEN_NOT = '!',
    QK__TOKEN_IN = 'i',
    QK__TOKEN_TRUE = 't',
    QK__TOKEN_FALSE = 'f',
    QK__TOKEN_NULL = 'n',
};

typedef struct qk__parser {
    qk__condition *out;
    const char *start, *at, *end;
    const char *token_at;
    int depth;
    bool failed, no_memory;
    char token;
    const char *text; /* of a name, word, string or number: in the arena, NUL-terminated */
    size_t length;
    double number;
    bool is_integer;
    char message[256]; /* without the place */
    size_t where; /* of the failure: a byte, from 0 */
} qk__parser;

/* Moves to the next token; '\0' also after a failure. */
void qk__parser_next(qk__parser *in);
/* Steps over the token, or fails. */
bool qk__parser_expect(qk__parser *in, char token);
/* A word such as `in` or `not`, spelled out: still good as a key. */
bool qk__parser_is_word(const qk__parser *in);
/* Both keep the first problem, and return QK__CONDITION_NONE. */
uint32_t qk__parser_fail(qk__parser *in, const char *format, ...) QK_PRINTF(2, 3);
uint32_t qk__parser_no_memory(qk__parser *in);

#endif
