/* FOLDER RECORD_BYTES: take a connection and write its bytes to files as a virtual tape does, in the same order.

   Blocks go to FOLDER/c.data in batches, eight bytes for each record to c.check, 64 bytes to c.index, which is synced when it is
   emptied; all three are synced at the end of the stream. What is in c.data and c.check is overwritten in place, and what is
   left of it dropped at the end. Nothing is computed: the bytes of the check are always the same. */

#define _GNU_SOURCE
#include <fcntl.h>

#include "peer.h"

enum { KEPT = 1 << 16 };

static int opened(const char *folder, const char *name, int emptied) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return checked(open(path, O_WRONLY | O_CREAT | emptied, 0600), path);
}

static void written(int file, const char *bytes, size_t size, long long at) {
    while (size) {
        ssize_t done = checked(pwrite(file, bytes, size, at), "pwrite");
        bytes += done;
        size -= done;
        at += done;
    }
}

int main(int count, char **words) {
    long long at = 0, checks_at = 0, pending = 0;
    long got;
    if (count != 3) {
        return 2;
    }
    long record = atol(words[2]), wanted = BATCH / record * record;
    char *batch = room(BATCH);
    int peer = accepted();
    sleeping_for_a_batch(peer);
    int blocks = opened(words[1], "c.data", 0), checks = opened(words[1], "c.check", 0);
    int index = opened(words[1], "c.index", O_TRUNC);
    checked(fsync(index), "fsync");
    while ((got = checked(recv(peer, batch, wanted, MSG_WAITALL), "recv"))) {
        written(blocks, batch, got, at);
        at += got;
        pending += got / record * 8;
        if (pending >= KEPT) {
            written(checks, batch, pending, checks_at);
            checks_at += pending;
            pending = 0;
        }
    }
    checked(fdatasync(blocks), "fdatasync");
    written(checks, batch, pending, checks_at);
    checked(fdatasync(checks), "fdatasync");
    written(index, batch, 64, 0);
    checked(fdatasync(index), "fdatasync");
    checked(ftruncate(blocks, at), "ftruncate");
    checked(ftruncate(checks, checks_at + pending), "ftruncate");
    return 0;
}
