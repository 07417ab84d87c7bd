/* A disk that a test breaks: preloaded into a process under test.
 *
 * The file named by TEST_DISK says what fails: `write INODE` or `read INODE`. Then each write to, or read of, that
 * file fails as on a disk that has gone bad (EIO). With `stall INODE` a sync of that file never returns, so its process
 * can be killed between a write and the sync; the file named by TEST_DISK_STALLED is created when that begins. Asked anew
 * each time, so the disk breaks while a process runs.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fails(const char *what, int file) {
    const char *path = getenv("TEST_DISK");
    char text[64] = {0}, expected[64];
    struct stat stat;
    int said = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (said < 0) return 0;
    ssize_t length = read(said, text, sizeof text - 1);
    close(said);
    if (length <= 0 || fstat(file, &stat) != 0) return 0;
    snprintf(expected, sizeof expected, "%s %llu", what, (unsigned long long)stat.st_ino);
    for (int at = 0; text[at] == expected[at]; at++) {
        if (text[at] == 0) {
            errno = EIO;
            return 1;
        }
    }
    return 0;
}

ssize_t pread64(int file, void *bytes, size_t length, off64_t at) {
    return fails("read", file) ? -1 : syscall(SYS_pread64, file, bytes, length, at);
}

ssize_t pwrite64(int file, const void *bytes, size_t length, off64_t at) {
    return fails("write", file) ? -1 : syscall(SYS_pwrite64, file, bytes, length, at);
}

static void stall(int file) {
    const char *path = getenv("TEST_DISK_STALLED");
    if (!fails("stall", file)) return;
    int said = path ? open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600) : -1;
    if (said >= 0) close(said);
    for (;;) pause();
}

int fdatasync(int file) {
    stall(file);
    return fails("write", file) ? -1 : (int)syscall(SYS_fdatasync, file);
}

int fsync(int file) {
    return fails("write", file) ? -1 : (int)syscall(SYS_fsync, file);
}
