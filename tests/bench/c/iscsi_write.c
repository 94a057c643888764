/* PORTAL TARGET LUN RECORD_BYTES BYTES memory|network: write records to a tape from its beginning, by libiscsi's own loop.

   The bytes come from memory, or from a connection. One command is under way at a time. Of libiscsi 1.19 only the
   library is needed, not its headers. */

#include "peer.h"

struct iscsi_context;
struct scsi_task {
    int status;
};
struct iscsi_data {
    size_t size;
    unsigned char *data;
};

extern struct iscsi_context *iscsi_create_context(const char *initiator);
extern int iscsi_set_targetname(struct iscsi_context *session, const char *target);
extern int iscsi_set_session_type(struct iscsi_context *session, int type);
extern int iscsi_full_connect_sync(struct iscsi_context *session, const char *portal, int lun);
extern const char *iscsi_get_error(struct iscsi_context *session);
extern struct scsi_task *scsi_create_task(int cdb_size, unsigned char *cdb, int direction, int expected);
extern struct scsi_task *iscsi_scsi_command_sync(struct iscsi_context *session, int lun, struct scsi_task *task,
                                                 struct iscsi_data *data);
extern void scsi_free_scsi_task(struct scsi_task *task);

enum { NORMAL = 2, NO_DATA = 0, DATA_OUT = 2, REWIND = 0x01, WRITE = 0x0a, WRITE_FILEMARKS = 0x10 };

static struct iscsi_context *session;
static int lun;

static void run(unsigned char code, long length, char *bytes) {
    unsigned char cdb[6] = {code, 0, length >> 16, length >> 8, length, 0};
    size_t size = bytes ? length : 0;
    struct iscsi_data sent = {size, (unsigned char *)bytes};
    struct scsi_task *task = scsi_create_task(sizeof cdb, cdb, bytes ? DATA_OUT : NO_DATA, size);
    if (!iscsi_scsi_command_sync(session, lun, task, bytes ? &sent : NULL) || task->status) {
        fprintf(stderr, "command 0x%02x: %s\n", code, iscsi_get_error(session));
        exit(1);
    }
    scsi_free_scsi_task(task);
}

int main(int count, char **words) {
    if (count != 7) {
        return 2;
    }
    long record = atol(words[4]);
    long long left = atoll(words[5]);
    int networked = strcmp(words[6], "network") == 0;
    char *block = room(record);
    lun = atoi(words[3]);
    session = iscsi_create_context("iqn.2026-11.test.ndmpdup:bench");
    iscsi_set_targetname(session, words[2]);
    iscsi_set_session_type(session, NORMAL);
    if (iscsi_full_connect_sync(session, words[1], lun)) {
        fprintf(stderr, "%s\n", iscsi_get_error(session));
        return 1;
    }
    run(REWIND, 0, NULL);
    int peer = networked ? accepted() : -1;
    if (!networked) {
        printf("ready\n");
        fflush(stdout);
    }
    for (; left > 0; left -= record) {
        if (networked && recv(peer, block, record, MSG_WAITALL) != record) {
            return 1;
        }
        run(WRITE, record, block);
    }
    run(WRITE_FILEMARKS, 1, NULL);
    return 0;
}
