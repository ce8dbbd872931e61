/*
 * File systems that are no place for a store. Any thread; no state.
 *
 * Ownership rests on a lock that the kernel of one machine grants. A network file system may grant it
 * to two machines at once (an NFS mount with `nolock` does), and a Unix socket does not reach across,
 * so such places are refused. FUSE and 9p can be either: a warning.
 */
#include "store/shared/shared_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#include "util/error.h"

int qk__file_system_kind(long magic, const char **name)
{
    static const struct {
        unsigned long magic;
        int kind;
        const char *name;
    } known[] = {
        { 0x6969, 2, "nfs" },        { 0xFF534D42, 2, "cifs" },  { 0xFE534D42, 2, "smb2" },
        { 0x517B, 2, "smb" },        { 0x5346414F, 2, "afs" },   { 0x6B414653, 2, "afs" },
        { 0x73757245, 2, "coda" },   { 0x564C, 2, "ncp" },       { 0x00C36400, 2, "ceph" },
        { 0x0BD00BD0, 2, "lustre" }, { 0x47504653, 2, "gpfs" },  { 0x01161970, 2, "gfs2" },
        { 0x7461636F, 2, "ocfs2" },  { 0xAAD7AAEA, 2, "panfs" }, { 0x19830326, 2, "beegfs" },
        { 0x65735546, 1, "fuse" },   { 0x01021997, 1, "9p" },
    };
    *name = "";
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (((unsigned long)magic & 0xFFFFFFFFul) == known[i].magic) {
            *name = known[i].name;
            return known[i].kind;
        }
    }
    return 0;
}

qk_status qk__file_system_check(const char *path, const qk__log *log, qk_error *err)
{
    struct statfs info;
    const char *name;
    int rc = statfs(path, &info);
    if (rc != 0 && errno == ENOENT) {
        char *folder = strdup(path);
        char *slash = folder ? strrchr(folder, '/') : NULL;
        if (slash)
            slash[slash == folder] = '\0';
        rc = slash ? statfs(folder, &info) : -1;
        free(folder);
    }
    if (rc != 0)
        return QK_OK; /* opening it will tell */
    int kind = qk__file_system_kind((long)info.f_type, &name);
    if (kind == 2)
        return qk__error(err, QK_EREFUSED,
                         "%s lies on a network file system (%s), whose locks do not keep other "
                         "machines away: put the store on a local disk, or use PostgreSQL",
                         path, name);
    if (kind == 1)
        qk__log_write(log, QK_LOG_WARN,
                      "%s lies on a %s file system: make sure that no other machine uses it", path,
                      name);
    return QK_OK;
}
