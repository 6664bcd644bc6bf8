/* A QEMU plugin for arm64 programs in user mode. It counts how often each block of code ran, and how often its loads and
 * stores missed in a cache.
 *
 *     qemu-aarch64 -plugin blocks.so,out=FILE PROGRAM
 *
 * FILE gets a line for each block when the program ends: address in hexadecimal, executions, misses of level 1, misses of
 * level 2, code in hexadecimal. Only single-threaded programs are counted exactly.
 *
 * Debian has no header of QEMU's plugin interface, so what is used of it is declared here: version 1, which QEMU 7.2 has.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t plugin_id;
typedef uint32_t access_info;
struct qemu_info_t;
struct qemu_plugin_tb; /* a translation block */
struct qemu_plugin_insn;
typedef void block_callback(unsigned cpu, void *data);
typedef void access_callback(unsigned cpu, access_info, uint64_t address, void *data);

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, block_callback *, int registers, void *data);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *, access_callback *, int registers, int which, void *data);
void qemu_plugin_register_atexit_cb(plugin_id, void (*)(plugin_id, void *), void *data);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
unsigned qemu_plugin_mem_size_shift(access_info);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);

enum { NO_REGISTERS = 0, LOADS_AND_STORES = 3 };

#define EXPORT __attribute__((visibility("default")))
EXPORT int qemu_plugin_version = 1;

struct block {
    struct block *next;
    uint64_t address, executions, misses1, misses2;
    size_t length;
    uint32_t code[];
};
static struct block *blocks;
static const char *out;

/* Least recently used, lines of 64 bytes: 32 KiB in 4 ways, and behind it 512 KiB in 16. */
enum { LINE = 64, WAYS1 = 4, SETS1 = 32 * 1024 / LINE / WAYS1, WAYS2 = 16, SETS2 = 512 * 1024 / LINE / WAYS2 };
static uint64_t level1[SETS1][WAYS1], level2[SETS2][WAYS2];

/* Puts the line first in its set, moves those before it back by one, and tells whether it was there. */
static bool hit(uint64_t *set, int ways, uint64_t line)
{
    uint64_t before = line;
    for (int i = 0; i < ways; i++) {
        uint64_t here = set[i];
        set[i] = before;
        if (here == line)
            return true;
        before = here;
    }
    return false;
}

static void on_access(unsigned cpu, access_info info, uint64_t address, void *data)
{
    struct block *b = data;
    uint64_t last = (address + (1u << qemu_plugin_mem_size_shift(info)) - 1) / LINE;
    (void)cpu;
    for (uint64_t line = address / LINE; line <= last; line++) {
        if (hit(level1[line % SETS1], WAYS1, line))
            continue;
        b->misses1++;
        b->misses2 += !hit(level2[line % SETS2], WAYS2, line);
    }
}

static void on_execution(unsigned cpu, void *data)
{
    (void)cpu;
    ((struct block *)data)->executions++;
}

static void on_translation(plugin_id id, struct qemu_plugin_tb *tb)
{
    size_t length = qemu_plugin_tb_n_insns(tb);
    struct block *b = calloc(1, sizeof *b + length * sizeof b->code[0]);
    (void)id;
    if (!b) {
        perror("blocks.so");
        exit(1);
    }
    b->address = qemu_plugin_tb_vaddr(tb);
    b->length = length;
    b->next = blocks;
    blocks = b;
    for (size_t i = 0; i < length; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        memcpy(&b->code[i], qemu_plugin_insn_data(insn), sizeof b->code[i]);
        qemu_plugin_register_vcpu_mem_cb(insn, on_access, NO_REGISTERS, LOADS_AND_STORES, b);
    }
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_execution, NO_REGISTERS, b);
}

static void at_end(plugin_id id, void *data)
{
    FILE *f = fopen(out, "w");
    (void)id;
    (void)data;
    if (!f) {
        perror(out);
        exit(1);
    }
    for (struct block *b = blocks; b; b = b->next) {
        if (b->executions == 0)
            continue;
        fprintf(f, "%" PRIx64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " ", b->address, b->executions, b->misses1, b->misses2);
        for (size_t i = 0; i < b->length; i++)
            fprintf(f, "%08" PRIx32, b->code[i]);
        fputc('\n', f);
    }
    if (fclose(f)) {
        perror(out);
        exit(1);
    }
}

EXPORT int qemu_plugin_install(plugin_id id, const struct qemu_info_t *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++)
        if (strncmp(argv[i], "out=", 4) == 0)
            out = strdup(argv[i] + 4);
    if (!out) {
        fprintf(stderr, "blocks.so: needs out=FILE\n");
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, at_end, NULL);
    return 0;
}
