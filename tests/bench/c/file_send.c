/* FILE read|sendfile: take a connection and send it the whole file, by read and send of a MiB, or by sendfile. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/sendfile.h>

#include "peer.h"

int main(int count, char **words) {
    long got;
    if (count != 3) {
        return 2;
    }
    char *batch = room(BATCH);
    int file = checked(open(words[1], O_RDONLY), "open");
    int peer = accepted();
    if (strcmp(words[2], "sendfile") == 0) {
        while (checked(sendfile(peer, file, NULL, BATCH), "sendfile")) {
        }
    } else {
        while ((got = checked(read(file, batch, BATCH), "read"))) {
            send_all(peer, batch, got);
        }
    }
    checked(shutdown(peer, SHUT_WR), "shutdown");
    while (recv(peer, batch, 1, 0) > 0) {
    }
    return 0;
}
