/*
 * Pictures as SVG, laid out and drawn by graphviz within the process. The only file that includes
 * it; a build without it says QK_EUNSUPPORTED.
 *
 * graphviz keeps global state, so one lock lets one picture through at a time. `dot` minimises
 * crossings and takes seconds from a few thousand boxes on; larger pictures get their places by
 * level instead. Names are escaped by dot.c, so nothing a name holds reaches the parser as syntax.
 */
#include "dag/picture.h"
#include "util/error.h"

#ifdef QUEUACK_GRAPHVIZ

#include <graphviz/gvc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define DOT_BOXES 1000 /* most boxes and edges that `dot` is asked to lay out */
#define DOT_EDGES 3000

static pthread_mutex_t graphviz_lock = PTHREAD_MUTEX_INITIALIZER;
/* One for the process's life: a plug-in of graphviz 2.42 remembers a font's name across contexts. */
static GVC_t *context;

/* A library says nothing on stderr. */
static int be_silent(char *message)
{
    (void)message;
    return 0;
}

/* Holds the lock. */
static char *render(const char *dot, const char *engine)
{
    char *data = NULL;
    char *copy = NULL;
    unsigned int length = 0;
    agseterrf(be_silent);
    if (!context)
        context = gvContext();
    Agraph_t *graph = context ? agmemread(dot) : NULL;
    if (graph && gvLayout(context, graph, engine) == 0) {
        if (gvRenderData(context, graph, "svg", &data, &length) == 0 && data)
            copy = qk__dup_text(data, length);
        if (data)
            gvFreeRenderData(data);
        gvFreeLayout(context, graph);
    }
    if (graph)
        agclose(graph);
    return copy;
}

qk_status qk__picture_svg(char **out, const qk__picture *picture, qk_error *err)
{
    qk__buffer text;
    bool layered = picture->box_count > DOT_BOXES || picture->edge_count > DOT_EDGES;
    qk__buffer_init(&text, QK__PICTURE_MAX);
    qk__picture_dot(&text, picture, layered);
    if (text.failed) {
        qk__buffer_dispose(&text);
        return qk__error(err, QK_ENOMEM, "out of memory");
    }
    pthread_mutex_lock(&graphviz_lock);
    *out = render(text.data, layered ? "nop2" : "dot");
    pthread_mutex_unlock(&graphviz_lock);
    qk__buffer_dispose(&text);
    return *out ? QK_OK
                : qk__error(err, QK_EINTERNAL,
                            "graphviz could not draw the picture: are its plug-ins installed?");
}

#else

qk_status qk__picture_svg(char **out, const qk__picture *picture, qk_error *err)
{
    (void)picture;
    *out = NULL;
    return qk__error(err, QK_EUNSUPPORTED,
                     "SVG: this build has no graphviz: take DOT or Mermaid, or build with it");
}

#endif
