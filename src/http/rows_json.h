/*
 * Rows of a person's SQL as a streamed reply.
 */
#ifndef QK_HTTP_ROWS_JSON_H
#define QK_HTTP_ROWS_JSON_H

#include "http/request.h"

/*
 * {"columns":[{"name","type"}…],"rows":[
 * […],
 * …
 * ]} with each row on a line of its own. Numbers, truth values and JSON are nested, unless `exact`:
 * then every value is a text or null. An error on the way ends it as ],"error":{…}}. Takes `rows`.
 */
void qk__reply_rows(qk__request *request, qk_rows *rows, bool exact);

/* The same as an array of objects, for short views. Closes `rows`. */
void qk__reply_objects(qk__request *request, qk_rows *rows);

#endif
