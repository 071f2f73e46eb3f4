/* Preloaded into a process, sets its wall clock off by the double that lies in the file $JUMPING_CLOCK, as it stands there
   at each moment; clocks that only count on are left alone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define NS 1000000000LL

static volatile const double *offset_s;
static int (*real_clock_gettime)(clockid_t, struct timespec *);

__attribute__((constructor)) static void prepare(void) {
    real_clock_gettime = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    const char *path = getenv("JUMPING_CLOCK");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *at = mmap(NULL, sizeof(double), PROT_READ, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED) offset_s = at;
    close(fd);
}

int clock_gettime(clockid_t id, struct timespec *told) {
    if (!real_clock_gettime) prepare();
    int rc = real_clock_gettime(id, told);
    if (rc == 0 && offset_s && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        long long ns = told->tv_sec * NS + told->tv_nsec + (long long)(*offset_s * 1e9);
        told->tv_sec = ns / NS;
        told->tv_nsec = ns % NS;
    }
    return rc;
}

int gettimeofday(struct timeval *restrict told, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    told->tv_sec = now.tv_sec;
    told->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *told) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (told) *told = now.tv_sec;
    return now.tv_sec;
}
