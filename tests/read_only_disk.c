/* Preloaded into a process, refuses every write below the folder $READ_ONLY_FOLDER with EROFS while the file
   $READ_ONLY_FOLDER.readonly exists: what a file system does that was remounted read-only under open files. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define REFUSE(is_refused) if (is_refused) return errno = EROFS, -1

static const char *folder(void) {
    const char *path = getenv("READ_ONLY_FOLDER");
    char flag[PATH_MAX];
    if (!path) return NULL;
    snprintf(flag, sizeof flag, "%s.readonly", path);
    return syscall(SYS_access, flag, F_OK) == 0 ? path : NULL;
}

static int is_below(const char *path) {
    const char *top = folder();
    return top && path && strncmp(path, top, strlen(top)) == 0 && path[strlen(top)] == '/';
}

static int is_open_below(int fd) {
    char link[64], path[PATH_MAX];
    if (!folder()) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0) return 0;
    path[size] = 0;
    return is_below(path);
}

static int is_write(int flags) { return (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC)); }

#define OPENER(name, at_fd, declared, passed)                                                  \
    int name declared {                                                                        \
        mode_t mode = 0;                                                                       \
        if (flags & (O_CREAT | __O_TMPFILE)) {                                                 \
            va_list more;                                                                      \
            va_start(more, flags);                                                             \
            mode = va_arg(more, mode_t);                                                       \
            va_end(more);                                                                      \
        }                                                                                      \
        REFUSE(is_write(flags) && (is_below(path) || (at_fd >= 0 && path[0] != '/' && is_open_below(at_fd)))); \
        REAL(name);                                                                            \
        return real passed;                                                                    \
    }
OPENER(open, -1, (const char *path, int flags, ...), (path, flags, mode))
OPENER(open64, -1, (const char *path, int flags, ...), (path, flags, mode))
OPENER(openat, at, (int at, const char *path, int flags, ...), (at, path, flags, mode))
OPENER(openat64, at, (int at, const char *path, int flags, ...), (at, path, flags, mode))

#define ON_FD(kind, name, declared, passed) kind name declared { REFUSE(is_open_below(fd)); REAL(name); return real passed; }
ON_FD(ssize_t, write, (int fd, const void *from, size_t size), (fd, from, size))
ON_FD(ssize_t, pwrite, (int fd, const void *from, size_t size, off_t at), (fd, from, size, at))
ON_FD(ssize_t, pwrite64, (int fd, const void *from, size_t size, off64_t at), (fd, from, size, at))
ON_FD(ssize_t, writev, (int fd, const struct iovec *from, int count), (fd, from, count))
ON_FD(int, ftruncate, (int fd, off_t size), (fd, size))
ON_FD(int, ftruncate64, (int fd, off64_t size), (fd, size))
ON_FD(int, posix_fallocate, (int fd, off_t at, off_t size), (fd, at, size))
ON_FD(int, fchmod, (int fd, mode_t mode), (fd, mode))

#define ON_PATH(name, declared, passed) int name declared { REFUSE(is_below(path)); REAL(name); return real passed; }
ON_PATH(unlink, (const char *path), (path))
ON_PATH(rmdir, (const char *path), (path))
ON_PATH(mkdir, (const char *path, mode_t mode), (path, mode))
ON_PATH(rename, (const char *path, const char *to), (path, to))

FILE *fopen64(const char *path, const char *how) {
    if (strpbrk(how, "wa+") && is_below(path)) return errno = EROFS, NULL;
    REAL(fopen64);
    return real(path, how);
}

FILE *fopen(const char *path, const char *how) { return fopen64(path, how); }
