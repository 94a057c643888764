/* FILE: take a connection and move its bytes by splice into the file, in place of those that are there. */

#define _GNU_SOURCE
#include <fcntl.h>

#include "peer.h"

int main(int count, char **words) {
    int ends[2];
    long got;
    long long size = 0;
    if (count != 2) {
        return 2;
    }
    checked(pipe(ends), "pipe");
    checked(fcntl(ends[0], F_SETPIPE_SZ, BATCH), "F_SETPIPE_SZ");
    int peer = accepted();
    sleeping_for_a_batch(peer);
    int file = checked(open(words[1], O_WRONLY | O_CREAT, 0600), "open");
    while ((got = checked(splice(peer, NULL, ends[1], NULL, BATCH, SPLICE_F_MOVE), "splice in"))) {
        size += got;
        while (got) {
            got -= checked(splice(ends[0], NULL, file, NULL, got, SPLICE_F_MOVE), "splice out");
        }
    }
    checked(ftruncate(file, size), "ftruncate");
    return 0;
}
