/* PORT BYTES: connect and send so many bytes from memory, then end the stream and wait for the peer to close. */

#include "peer.h"

int main(int count, char **words) {
    if (count != 3) {
        return 2;
    }
    char *batch = room(BATCH);
    int peer = connected(words[1]);
    for (long long left = atoll(words[2]); left > 0; left -= BATCH) {
        send_all(peer, batch, left < BATCH ? left : BATCH);
    }
    checked(shutdown(peer, SHUT_WR), "shutdown");
    while (recv(peer, batch, 1, 0) > 0) {
    }
    return 0;
}
