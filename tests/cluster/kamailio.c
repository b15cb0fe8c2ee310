/*
 * authban: what the sync process needs of Kamailio, without Kamailio
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The checker and the fleet link the module's own objects against this: memory that
 * processes share, a log, counters that nobody reads, settings that do not change.
 * The hash in the place of SHA-256 is no secure one; all proxies of a test have it.
 */
#include "kamailio.h"

#include "authban_log.h"
#include "authban_params.h"
#include "authban_stats.h"

#include "core/cfg/cfg_struct.h"
#include "core/crypto/sha256.h"
#include "core/dprint.h"
#include "core/mem/shm.h"
#include "core/pt.h"
#include "core/rand/fastrand.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* --- the module's own that is not linked --- */

struct authban_params authban_params;
struct authban_counters authban_counters;
struct ab_settings kamailio_settings;
void (*kamailio_news)(const struct ab_judgement *what);

void authban_settings(struct ab_settings *set)
{
	*set = kamailio_settings;
}

const struct ab_settings *authban_settings_now(void)
{
	return &kamailio_settings;
}

bool authban_has_cluster_key(void)
{
	return *authban_params.cluster_key != '\0';
}

void authban_news(const struct ab_judgement *what)
{
	if(kamailio_news)
		kamailio_news(what);
}

void authban_breaker_news(void)
{
}

void authban_forgot(
		const struct ab_forgotten *f, const struct ab_dropped *dropped)
{
	(void)f;
	(void)dropped;
}

/* --- processes --- */

int process_no;

int my_pid(void)
{
	return (int)getpid();
}

int register_procs(int no)
{
	(void)no;
	return 0;
}

/* The caller is a process of its own already. */
int fork_process(int child_id, char *desc, int make_sock)
{
	(void)child_id;
	(void)desc;
	(void)make_sock;
	return 0;
}

/* --- random numbers that nothing depends on --- */

static uint64_t random_state;

void kamailio_seed(uint64_t seed)
{
	random_state = seed;
}

unsigned int fastrand(void)
{
	random_state = random_state * UINT64_C(6364136223846793005)
				   + UINT64_C(1442695040888963407);
	return (unsigned int)(random_state >> 33);
}

/* --- memory --- */

static void *share(void *block, size_t size, const char *file, const char *func,
		unsigned int line, const char *module)
{
	void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	(void)block;
	(void)file;
	(void)func;
	(void)line;
	(void)module;
	return mem == MAP_FAILED ? NULL : mem;
}

sr_shm_api_t _shm_root = {.xmalloc = share};

/* --- settings and counters --- */

cfg_group_t *cfg_group;
static cfg_block_t *block;
cfg_block_t **cfg_global = &block;
cfg_block_t *cfg_local;
int cfg_block_size;
gen_lock_t *cfg_global_lock;
static cfg_child_cb_t *no_cb;
cfg_child_cb_t **cfg_child_cb_first = &no_cb;
cfg_child_cb_t **cfg_child_cb_last = &no_cb;
cfg_child_cb_t *cfg_child_cb;
int cfg_ginst_count;

int cfg_child_init(void)
{
	return 0;
}

void cfg_register_child(int num)
{
	(void)num;
}

void cfg_move_handle(
		cfg_group_t *group, cfg_group_inst_t *from, cfg_group_inst_t *to)
{
	(void)group;
	(void)from;
	(void)to;
}

static counter_array_t counts[64];
counter_array_t *_cnts_vals = counts;
int _cnts_row_len = 64;

/* --- the log: stderr, when it is asked for --- */

volatile int dprint_crit;
int log_stderr = 1;
int log_color;
str *log_prefix_val;
ksr_slog_f _ksr_slog_func;
km_log_f _km_log_func;
static char level_names[][8] = {
		"ALERT", "BUG", "CRIT", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG"};
struct log_level_info log_level_info[] = {{level_names[0], 1},
		{level_names[1], 2}, {level_names[2], 2}, {level_names[3], 3},
		{level_names[4], 4}, {level_names[5], 5}, {level_names[6], 6},
		{level_names[7], 7}};

int get_debug_level(char *name, int len)
{
	static int level = -100;

	(void)name;
	(void)len;
	if(level == -100)
		level = getenv("LOG_LEVEL") ? atoi(getenv("LOG_LEVEL")) : -5;
	return level;
}

int get_debug_facility(char *name, int len)
{
	(void)name;
	(void)len;
	return 0;
}

void dprint_color(int level)
{
	(void)level;
}

void dprint_color_reset(void)
{
}

/* --- a hash: four lanes of FNV-1a --- */

#define FNV UINT64_C(0x100000001b3)

static void lanes(SHA256_CTX *ctx, uint64_t h[4])
{
	_Static_assert(sizeof(ctx->state) >= 32, "four lanes fit");
	memcpy(h, ctx->state, 32);
}

void sr_SHA256_Init(SHA256_CTX *ctx)
{
	static const uint64_t first[4] = {UINT64_C(0xcbf29ce484222325),
			UINT64_C(0x9e3779b97f4a7c15), UINT64_C(0xc2b2ae3d27d4eb4f),
			UINT64_C(0x165667b19e3779f9)};

	memset(ctx, 0, sizeof(*ctx));
	memcpy(ctx->state, first, sizeof(first));
}

void sr_SHA256_Update(SHA256_CTX *ctx, const uint8_t *data, size_t len)
{
	uint64_t h[4];
	size_t i;
	int k;

	lanes(ctx, h);
	for(i = 0; i < len; i++)
		for(k = 0; k < 4; k++)
			h[k] = (h[k] ^ data[i] ^ (h[k] >> 29)) * FNV;
	memcpy(ctx->state, h, sizeof(h));
}

void sr_SHA256_Final(uint8_t out[SHA256_DIGEST_LENGTH], SHA256_CTX *ctx)
{
	uint64_t h[4];
	int k;

	lanes(ctx, h);
	for(k = 0; k < 4; k++)
		h[k] = (h[k] ^ h[k] >> 31) * FNV + h[(k + 1) & 3];
	memcpy(out, h, SHA256_DIGEST_LENGTH);
}
