/*
 * Adaptive backpressure on the worker's side: before each claim the pool asks how many jobs it may take.
 * Here a service downstream is not back yet when the pool starts, so nothing is taken until it is; then
 * everything the pool wants. A hook can as well look at the machine's load, a rate, or how long jobs
 * take (qk_worker_load says).
 */
#include <stdatomic.h>

#include "../example.h"

#define LOOKS 3 /* at the third look the service is back */

typedef struct service {
    atomic_int looks;
    atomic_int too_early;
} service;

static bool is_back(service *service)
{
    return atomic_load(&service->looks) >= LOOKS;
}

static size_t admit(void *user, const qk_worker_load *load)
{
    service *service = user;
    atomic_fetch_add(&service->looks, 1);
    return is_back(service) ? load->wanted : 0; /* 0: it asks again a tenth of a second later */
}

static qk_status call(qk_task *task, void *user, qk_error *err)
{
    service *service = user;
    (void)task, (void)err;
    if (!is_back(service))
        atomic_fetch_add(&service->too_early, 1);
    return QK_OK;
}

int main(int argc, char **argv)
{
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = open_store(argc, argv, NULL);
    service service = { 0 };
    for (int i = 0; i < 50; i++)
        check(qk_enqueue(NULL, queue, "call", NULL, NULL, &err), &err);

    qk_worker_options options = QK_WORKER_OPTIONS_INIT;
    options.concurrency = 4;
    options.drain = true;
    options.admit = admit;
    options.admit_user = &service;
    qk_worker *worker = NULL;
    check(qk_worker_open(&worker, queue, &options, &err), &err);
    check(qk_worker_handle(worker, "call", call, &service, &err), &err);
    check(qk_worker_run(worker, &err), &err);

    qk_worker_stats stats;
    qk_worker_stats_get(&stats, worker);
    printf("%d done, %d of them too early\n", (int)stats.done, atomic_load(&service.too_early));
    qk_worker_close(worker);
    qk_queue_close(queue);
}
