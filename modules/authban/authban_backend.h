/*
 * authban: the back end that judges passwords, and what its numbers mean
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef AUTHBAN_BACKEND_H
#define AUTHBAN_BACKEND_H

#include "ab_classify.h"
#include "authban_auth.h"

/* Reads result_map and looks at the loaded modules. 0, or -1 with one sentence
 * logged. From mod_init, after the parameters are checked. */
int authban_backend_init(void);

const struct ab_result_map *authban_backend_map(void);

/* The back end is about to be asked about this message: its time begins. */
void authban_backend_asked(const sip_msg_t *msg);

/*
 * The attempt that a request was, by what the back end answered: for
 * ab_classify(). *proof becomes how its sender proved its address.
 */
struct ab_attempt authban_backend_attempt(sip_msg_t *msg, int rc,
		const struct authban_evidence *ev, enum ab_proof *proof);

#endif
