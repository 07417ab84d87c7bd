/* System calls that a test lets fail: preloaded into a process under test.
 *
 * The file named by TEST_DISK has rules, one a line, read anew at each call, so a disk breaks while a process runs:
 *
 *     CALL PATTERN ACTION AFTER TIMES
 *
 * CALL is the name of a system call, or `sync` for both kinds, or `write` for every call that changes a file. PATTERN is
 * matched with the whole path of the file (`*` matches slashes, too); a socket is `socket`. The first AFTER calls that match
 * succeed; then TIMES calls fail, or all of them with -1. Calls are counted for each rule and process. ACTION is:
 *
 *     EIO, ENOSPC, …   the error of the call
 *     short            half of the bytes are read or written, and no error is returned
 *     lose             a sync fails with EIO, and what was written since the last sync is gone from the page cache, too
 *     stall            the call never returns, so that its process can be killed in it
 *
 * TEST_DISK_FIRED names a file that gets a line for each call that a rule has hit: CALL PATH ACTION.
 *
 * TEST_DISK_TRACE names a file that gets a line for each different call and path below the folder TEST_DISK_FOLDER. When the
 * file is moved away, noting begins again.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { RULES_MAX = 16, RULE_MAX = 512, SEEN_MAX = 4096 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* The text of each rule, and the number of calls that it has matched. A rule that is in another file is another one. */
static char known[RULES_MAX][RULE_MAX];
static long counts[RULES_MAX];

static const struct {
    const char *name;
    int code;
} ERRORS[] = {{"EIO", EIO},       {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"EINTR", EINTR},   {"EMFILE", EMFILE},
              {"ENOMEM", ENOMEM}, {"EROFS", EROFS},   {"EACCES", EACCES}, {"ENFILE", ENFILE}, {"ECONNABORTED", ECONNABORTED}};

static void add_line(const char *file, const char *line) {
    int out = (int)syscall(SYS_openat, AT_FDCWD, file, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    if (out < 0) return;
    if (syscall(SYS_write, out, line, strlen(line)) < 0) abort();
    syscall(SYS_close, out);
}

/* Notes a call and path once. */
static void trace(const char *call, const char *path) {
    static unsigned long seen[SEEN_MAX];
    static int count;
    const char *file = getenv("TEST_DISK_TRACE"), *folder = getenv("TEST_DISK_FOLDER");
    if (!file || !folder || strncmp(path, folder, strlen(folder)) != 0) return;
    pthread_mutex_lock(&lock);
    if (syscall(SYS_faccessat, AT_FDCWD, file, F_OK) != 0) count = 0;
    char line[PATH_MAX + 64];
    snprintf(line, sizeof line, "%s %s\n", call, path);
    unsigned long hash = 5381;
    for (const char *at = line; *at; at++) hash = hash * 33 + (unsigned char)*at;
    int at = 0;
    while (at < count && seen[at] != hash) at++;
    if (at == count && count < SEEN_MAX) {
        seen[count++] = hash;
        add_line(file, line);
    }
    pthread_mutex_unlock(&lock);
}

static int is_change(const char *call) {
    static const char *const CALLS[] = {"write", "pwrite", "fsync", "fdatasync", "ftruncate"};
    for (size_t at = 0; at < sizeof CALLS / sizeof *CALLS; at++) {
        if (strcmp(call, CALLS[at]) == 0) return 1;
    }
    return 0;
}

static int is_meant(const char *wanted, const char *call) {
    return strcmp(wanted, call) == 0 || (strcmp(wanted, "write") == 0 && is_change(call)) ||
           (strcmp(wanted, "sync") == 0 && (strcmp(call, "fsync") == 0 || strcmp(call, "fdatasync") == 0));
}

/* Returns the action of the first rule that hits this call, or NULL. */
static const char *hit(const char *call, const char *path) {
    static _Thread_local char action[32];
    const char *rules = getenv("TEST_DISK"), *fired = getenv("TEST_DISK_FIRED");
    char text[RULES_MAX * RULE_MAX], line[PATH_MAX + 64], *rest = text;
    int in = rules ? (int)syscall(SYS_openat, AT_FDCWD, rules, O_RDONLY | O_CLOEXEC, 0) : -1, found = 0;
    long length = in < 0 ? -1 : syscall(SYS_read, in, text, sizeof text - 1);
    if (in >= 0) syscall(SYS_close, in);
    if (length <= 0) return NULL;
    text[length] = 0;
    pthread_mutex_lock(&lock);
    for (int at = 0; at < RULES_MAX && !found && rest && *rest; at++) {
        char *rule = strsep(&rest, "\n"), wanted[32], pattern[RULE_MAX];
        long after, times;
        if (strncmp(known[at], rule, RULE_MAX - 1) != 0) {
            strncpy(known[at], rule, RULE_MAX - 1);
            counts[at] = 0;
        }
        if (sscanf(rule, "%31s %511s %31s %ld %ld", wanted, pattern, action, &after, &times) != 5) continue;
        if (!is_meant(wanted, call) || fnmatch(pattern, path, 0) != 0) continue;
        long count = counts[at]++;
        found = count >= after && (times < 0 || count < after + times);
    }
    pthread_mutex_unlock(&lock);
    if (!found) return NULL;
    snprintf(line, sizeof line, "%s %s %s\n", call, path, action);
    if (fired) add_line(fired, line);
    while (strcmp(action, "stall") == 0) pause();
    return action;
}

static int code(const char *action) {
    for (size_t at = 0; at < sizeof ERRORS / sizeof *ERRORS; at++) {
        if (strcmp(ERRORS[at].name, action) == 0) return ERRORS[at].code;
    }
    return EIO;
}

static const char *path_of(int file, char *path) {
    char name[64];
    snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    long length = syscall(SYS_readlink, name, path, PATH_MAX - 1);
    path[length < 0 ? 0 : length] = 0;
    return path[0] == '/' ? path : "socket";
}

/* Makes a path absolute, as those of descriptors are. */
static const char *whole(int folder, const char *path, char *out) {
    char base[PATH_MAX];
    if (path[0] == '/') return path;
    if (folder == AT_FDCWD ? syscall(SYS_getcwd, base, sizeof base) < 0 : path_of(folder, base)[0] != '/') return path;
    snprintf(out, PATH_MAX, "%s/%s", base, path);
    return out;
}

static const char *on_file(const char *call, int file) {
    char path[PATH_MAX];
    int before = errno;
    const char *name = path_of(file, path), *action;
    trace(call, name);
    action = hit(call, name);
    errno = before;
    return action;
}

static const char *on_path(const char *call, int folder, const char *path) {
    char out[PATH_MAX];
    int before = errno;
    const char *name = whole(folder, path, out), *action;
    trace(call, name);
    action = hit(call, name);
    errno = before;
    return action;
}

static int failed(const char *action) {
    errno = code(action);
    return -1;
}

/* Half of a length, at least a byte. */
static size_t half(size_t length) { return length > 1 ? length / 2 : length; }

/* What `lose` puts back: the bytes that were written over since the last sync of a file. */
static struct undo {
    struct undo *before;
    ino_t inode;
    off64_t at;
    size_t length;
    char bytes[];
} *undone;

static ino_t inode_of(int file) {
    struct stat stat;
    return fstat(file, &stat) == 0 ? stat.st_ino : 0;
}

static void keep_old(int file, size_t length, off64_t at) {
    if (!getenv("TEST_DISK_LOSES")) return;
    struct undo *old = malloc(sizeof *old + length);
    if (!old) abort();
    long kept = syscall(SYS_pread64, file, old->bytes, length, at);
    old->inode = inode_of(file), old->at = at, old->length = kept < 0 ? 0 : (size_t)kept;
    pthread_mutex_lock(&lock);
    old->before = undone, undone = old;
    pthread_mutex_unlock(&lock);
}

/* Forgets the old bytes of a file, or puts them back, newest first. */
static void end_old(int file, int put_back) {
    ino_t inode = inode_of(file);
    pthread_mutex_lock(&lock);
    for (struct undo **at = &undone; *at;) {
        struct undo *old = *at;
        if (old->inode != inode) {
            at = &old->before;
            continue;
        }
        if (put_back && syscall(SYS_pwrite64, file, old->bytes, old->length, old->at) < 0) abort();
        *at = old->before;
        free(old);
    }
    pthread_mutex_unlock(&lock);
}

static int synced(const char *call, long number, int file) {
    const char *action = on_file(call, file);
    if (action) {
        if (strcmp(action, "lose") == 0) end_old(file, 1);
        return failed(action);
    }
    int result = (int)syscall(number, file);
    if (result == 0) end_old(file, 0);
    return result;
}

int fdatasync(int file) { return synced("fdatasync", SYS_fdatasync, file); }

int fsync(int file) { return synced("fsync", SYS_fsync, file); }

#define IS_SHORT(action) ((action) && strcmp(action, "short") == 0)

ssize_t pread64(int file, void *bytes, size_t length, off64_t at) {
    const char *action = on_file("pread", file);
    if (IS_SHORT(action)) length = half(length);
    else if (action) return failed(action);
    return syscall(SYS_pread64, file, bytes, length, at);
}

ssize_t pwrite64(int file, const void *bytes, size_t length, off64_t at) {
    const char *action = on_file("pwrite", file);
    if (IS_SHORT(action)) length = half(length);
    else if (action) return failed(action);
    keep_old(file, length, at);
    return syscall(SYS_pwrite64, file, bytes, length, at);
}

ssize_t read(int file, void *bytes, size_t length) {
    const char *action = on_file("read", file);
    if (IS_SHORT(action)) length = half(length);
    else if (action) return failed(action);
    return syscall(SYS_read, file, bytes, length);
}

ssize_t write(int file, const void *bytes, size_t length) {
    const char *action = on_file("write", file);
    if (IS_SHORT(action)) length = half(length);
    else if (action) return failed(action);
    return syscall(SYS_write, file, bytes, length);
}

int ftruncate64(int file, off64_t length) {
    const char *action = on_file("ftruncate", file);
    return action ? failed(action) : (int)syscall(SYS_ftruncate, file, length);
}

static int opened(int folder, const char *path, int flags, mode_t mode) {
    const char *action = on_path("open", folder, path);
    return action ? failed(action) : (int)syscall(SYS_openat, folder, path, flags, mode);
}

static mode_t mode_of(int flags, va_list rest) { return flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; }

#define OPENS(NAME)                                    \
    int NAME(const char *path, int flags, ...) {       \
        va_list rest;                                  \
        va_start(rest, flags);                         \
        mode_t mode = mode_of(flags, rest);            \
        va_end(rest);                                  \
        return opened(AT_FDCWD, path, flags, mode);    \
    }
OPENS(open)
OPENS(open64)

DIR *opendir(const char *path) {
    const char *action = on_path("opendir", AT_FDCWD, path);
    if (action) {
        errno = code(action);
        return NULL;
    }
    return ((DIR * (*)(const char *)) dlsym(RTLD_NEXT, "opendir"))(path);
}

int rename(const char *from, const char *to) {
    const char *action = on_path("rename", AT_FDCWD, from);
    return action ? failed(action) : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlink(const char *path) {
    const char *action = on_path("unlink", AT_FDCWD, path);
    return action ? failed(action) : (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int unlinkat(int folder, const char *path, int flags) {
    const char *action = on_path("unlink", folder, path);
    return action ? failed(action) : (int)syscall(SYS_unlinkat, folder, path, flags);
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
    const char *action = on_path("link", to_folder, to);
    return action ? failed(action) : (int)syscall(SYS_linkat, from_folder, from, to_folder, to, flags);
}

int mkdir(const char *path, mode_t mode) {
    const char *action = on_path("mkdir", AT_FDCWD, path);
    return action ? failed(action) : (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

ssize_t sendfile64(int to, int from, off64_t *at, size_t length) {
    const char *action = on_file("sendfile", to);
    return action ? failed(action) : syscall(SYS_sendfile, to, from, at, length);
}

ssize_t copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t length, unsigned flags) {
    const char *action = on_file("copy", to);
    return action ? failed(action) : syscall(SYS_copy_file_range, from, from_at, to, to_at, length, flags);
}

int accept4(int socket, struct sockaddr *address, socklen_t *length, int flags) {
    const char *action = on_file("accept", socket);
    return action ? failed(action) : (int)syscall(SYS_accept4, socket, address, length, flags);
}

ssize_t recv(int socket, void *bytes, size_t length, int flags) {
    const char *action = on_file("recv", socket);
    if (IS_SHORT(action)) length = half(length);
    else if (action) return failed(action);
    return syscall(SYS_recvfrom, socket, bytes, length, flags, NULL, NULL);
}
