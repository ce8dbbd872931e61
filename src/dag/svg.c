/*
 * Pictures as SVG, laid out and drawn by graphviz within the process.
 *
 * Its library is loaded when the first SVG is asked for, so that libqueuack does not depend on it;
 * without it SVG is QK_EUNSUPPORTED. Versions 2.30 to 12 share the ABI of libgvc.so.6, which is
 * declared below. graphviz keeps global state, so one lock lets one picture through at a time.
 * `dot` minimises crossings and takes seconds from a few thousand boxes on; larger pictures get their
 * places by level instead. Names are escaped by dot.c, so nothing in a name is syntax to the parser.
 */
#include "dag/picture.h"
#include "util/error.h"

#ifdef QUEUACK_GRAPHVIZ

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define DOT_BOXES 1000 /* most boxes and edges that `dot` is asked to lay out */
#define DOT_EDGES 3000

typedef struct context context; /* GVC_t */
typedef struct graph graph; /* Agraph_t */

typedef struct graphviz {
    context *context; /* one for the process's life: the pango plug-in of 2.42 remembers a font's
                         name across contexts */
    context *(*gvContext)(void);
    int (*gvLayout)(context *, graph *, const char *engine);
    int (*gvRenderData)(context *, graph *, const char *format, char **data, unsigned *length);
    void (*gvFreeRenderData)(char *data);
    int (*gvFreeLayout)(context *, graph *);
    graph *(*agmemread)(const char *text);
    int (*agclose)(graph *);
    void (*agseterrf)(int (*report)(char *message));
} graphviz;

/* Both guarded by the lock. */
static pthread_mutex_t graphviz_lock = PTHREAD_MUTEX_INITIALIZER;
static graphviz loaded;

/* A library says nothing on stderr. */
static int be_silent(char *message)
{
    (void)message;
    return 0;
}

/* Functions are copied bytewise, since C has no cast from a pointer to one. */
static bool find(void *out, void *library, const char *name)
{
    void *symbol = dlsym(library, name);
    memcpy(out, &symbol, sizeof(symbol));
    return symbol != NULL;
}

/* Holds the lock. False: it is not there, or another version. */
static bool load(graphviz *gv)
{
    if (gv->context)
        return true;
    void *drawing = dlopen("libgvc.so.6", RTLD_NOW | RTLD_LOCAL);
    void *reading = dlopen("libcgraph.so.6", RTLD_NOW | RTLD_LOCAL);
    bool good = drawing && reading && find(&gv->gvContext, drawing, "gvContext") &&
                find(&gv->gvLayout, drawing, "gvLayout") &&
                find(&gv->gvRenderData, drawing, "gvRenderData") &&
                find(&gv->gvFreeRenderData, drawing, "gvFreeRenderData") &&
                find(&gv->gvFreeLayout, drawing, "gvFreeLayout") &&
                find(&gv->agmemread, reading, "agmemread") &&
                find(&gv->agclose, reading, "agclose") &&
                find(&gv->agseterrf, reading, "agseterrf");
    if (good) {
        gv->agseterrf(be_silent);
        gv->context = gv->gvContext();
        good = gv->context != NULL;
    }
    if (!good && drawing)
        dlclose(drawing);
    if (!good && reading)
        dlclose(reading);
    return good; /* else it stays loaded: its state is global */
}

/* Holds the lock. */
static char *render(const graphviz *gv, const char *dot, const char *engine)
{
    char *data = NULL;
    char *copy = NULL;
    unsigned length = 0;
    graph *made = gv->agmemread(dot);
    if (made && gv->gvLayout(gv->context, made, engine) == 0) {
        if (gv->gvRenderData(gv->context, made, "svg", &data, &length) == 0 && data)
            copy = qk__dup_text(data, length);
        if (data)
            gv->gvFreeRenderData(data);
        gv->gvFreeLayout(gv->context, made);
    }
    if (made)
        gv->agclose(made);
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
    bool there = load(&loaded);
    *out = there ? render(&loaded, text.data, layered ? "nop2" : "dot") : NULL;
    pthread_mutex_unlock(&graphviz_lock);
    qk__buffer_dispose(&text);
    if (!there)
        return qk__error(err, QK_EUNSUPPORTED,
                         "SVG: there is no graphviz (libgvc.so.6): install it, or take DOT or "
                         "Mermaid");
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
