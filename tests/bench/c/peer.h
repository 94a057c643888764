/* What the references share: the ends of a TCP connection on loopback, and failures that end the program. */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH (1 << 20)

static inline long checked(long result, const char *what) {
    if (result < 0) {
        perror(what);
        exit(1);
    }
    return result;
}

static inline void *room(size_t size) {
    void *found;
    if (posix_memalign(&found, 4096, size)) {
        exit(1);
    }
    /* Pages of zeros alone would all be one page. */
    memset(found, 0x5a, size);
    return found;
}

/* Listen on a free port of loopback, print its number, and take one connection. */
static inline int accepted(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = checked(socket(AF_INET, SOCK_STREAM, 0), "socket");
    checked(bind(listener, (struct sockaddr *)&address, sizeof address), "bind");
    checked(listen(listener, 1), "listen");
    checked(getsockname(listener, (struct sockaddr *)&address, &length), "getsockname");
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return checked(accept(listener, NULL, NULL), "accept");
}

static inline int connected(const char *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1, connection = checked(socket(AF_INET, SOCK_STREAM, 0), "socket");
    address.sin_port = htons(atoi(port));
    checked(connect(connection, (struct sockaddr *)&address, sizeof address), "connect");
    checked(setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one), "TCP_NODELAY");
    return connection;
}

/* Let a receive sleep until a batch has come, instead of waking for each segment. */
static inline void sleeping_for_a_batch(int connection) {
    int bytes = BATCH;
    checked(setsockopt(connection, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes), "SO_RCVLOWAT");
}

static inline void send_all(int connection, const char *bytes, size_t size) {
    while (size) {
        ssize_t sent = checked(send(connection, bytes, size, MSG_NOSIGNAL), "send");
        bytes += sent;
        size -= sent;
    }
}
