/*
 * Reading histograms; see queuack/metrics.h. Pure; any thread.
 */
#include "util/histogram.h"

uint64_t qk_histogram_bound(size_t bucket)
{
    if (bucket >= QK_HISTOGRAM_BUCKETS)
        return UINT64_MAX;
    if (bucket <= 4)
        return bucket;
    size_t top = (bucket - 1) / 4 + 1;
    return (uint64_t)(5 + (bucket - 1) % 4) << (top - 2);
}

uint64_t qk_histogram_quantile(const qk_histogram *histogram, double q)
{
    uint64_t seen = 0;
    if (!histogram || histogram->count == 0)
        return 0;
    double wanted = (double)histogram->count * (q > 0 ? (q < 1 ? q : 1) : 0);
    for (size_t i = 0; i < QK_HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen > 0 && (double)seen >= wanted)
            return qk_histogram_bound(i);
    }
    return qk_histogram_bound(QK_HISTOGRAM_BUCKETS - 1);
}
