/* PORT BYTES: connect, receive so many bytes into the same memory again and again, and close. */

#include "peer.h"

int main(int count, char **words) {
    if (count != 3) {
        return 2;
    }
    char *batch = room(BATCH);
    int peer = connected(words[1]);
    for (long long left = atoll(words[2]); left > 0;) {
        long got = checked(recv(peer, batch, left < BATCH ? left : BATCH, MSG_WAITALL), "recv");
        if (!got) {
            fprintf(stderr, "the stream ends %lld bytes too early\n", left);
            return 1;
        }
        left -= got;
    }
    return 0;
}
