/* PORT MILLISECONDS [first]: log in as ndmp with that password by text, and ask for the mover's state again and again so long.

   With "first" it runs before all ordinary programs, where that is allowed, as if it had a machine of its own: then its
   times are the host's.
   Prints the microseconds within which 99 and 50 of a hundred replies came, and how many came in all. */

#include <sched.h>
#include <stdint.h>
#include <time.h>

#include "peer.h"

enum { OPEN = 0x900, AUTH = 0x901, GET_STATE = 0xa00, HEADER = 24, LARGEST = 65536 };

static const unsigned char VERSION[] = {0, 0, 0, 4};
static const unsigned char LOGIN[] = {0, 0, 0, 1, 0, 0, 0, 4, 'n', 'd', 'm', 'p', 0, 0, 0, 4, 'n', 'd', 'm', 'p'};
static uint32_t sequence = 1;

static void take(int host, unsigned char *into, size_t size) {
    while (size) {
        long got = checked(recv(host, into, size, MSG_WAITALL), "recv");
        if (!got) {
            fprintf(stderr, "the host hung up\n");
            exit(1);
        }
        into += got;
        size -= got;
    }
}

static uint32_t word(const unsigned char *at) {
    uint32_t found;
    memcpy(&found, at, 4);
    return ntohl(found);
}

static void answer(int host, unsigned char *message) {
    take(host, message, 4);
    size_t size = word(message) & 0x7fffffff;
    if (size > LARGEST) {
        exit(1);
    }
    take(host, message, size);
}

static void ask(int host, uint32_t code, const unsigned char *body, size_t size) {
    unsigned char message[LARGEST];
    uint32_t head[7] = {0x80000000 | (HEADER + size), sequence++, 0, 0, code, 0, 0};
    for (int each = 0; each < 7; each++) {
        head[each] = htonl(head[each]);
    }
    memcpy(message, head, sizeof head);
    if (size) {
        memcpy(message + sizeof head, body, size);
    }
    send_all(host, (char *)message, sizeof head + size);
    answer(host, message);
    if (word(message + 20) || word(message + HEADER)) {
        fprintf(stderr, "refused: 0x%x\n", code);
        exit(1);
    }
}

static int by_size(const void *one, const void *other) {
    double difference = *(const double *)one - *(const double *)other;
    return (difference > 0) - (difference < 0);
}

int main(int count, char **words) {
    unsigned char greeting[LARGEST];
    struct timespec begin, end;
    if (count != 3 && (count != 4 || strcmp(words[3], "first"))) {
        return 2;
    }
    if (count == 4) {
        struct sched_param above = {10};
        if (sched_setscheduler(0, SCHED_FIFO, &above)) {
            perror("SCHED_FIFO");
        }
    }
    double limit = atof(words[2]) * 1e3, sum = 0;
    long requests = 0;
    double *taken = room(LARGEST * 16 * sizeof *taken);
    int host = connected(words[1]);
    answer(host, greeting);
    ask(host, OPEN, VERSION, sizeof VERSION);
    ask(host, AUTH, LOGIN, sizeof LOGIN);
    while (sum < limit && requests < LARGEST * 16) {
        clock_gettime(CLOCK_MONOTONIC, &begin);
        ask(host, GET_STATE, NULL, 0);
        clock_gettime(CLOCK_MONOTONIC, &end);
        taken[requests] = (end.tv_sec - begin.tv_sec) * 1e6 + (end.tv_nsec - begin.tv_nsec) / 1e3;
        sum += taken[requests++];
    }
    qsort(taken, requests, sizeof *taken, by_size);
    printf("%f %f %ld\n", taken[requests - 1 - requests / 100], taken[requests / 2], requests);
    return 0;
}
