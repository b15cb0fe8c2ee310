/*
 * authban: how far this proxy believes the others
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A record that is signed is true as far as it goes: some proxy of the cluster made
 * it. These are the bounds of what one such proxy can do.
 */
#ifndef AB_SYNC_TRUST_H
#define AB_SYNC_TRUST_H

#include "ab_sync.h"

#define AB_DAY_MS UINT64_C(86400000)

/* Seconds of the longest ban that the policy, or one of the policies, makes. */
uint32_t ab_trust_longest_ban(const struct ab_sync *s);

/* A share was refused: counts it, for the proxy too that its field names in the last
 * 9 bytes (node, boot, incarnation). */
void ab_trust_refuse_share(struct ab_sync *s, enum ab_wire_result r,
		const uint8_t *field, size_t len);

/* Clips a true share. AB_WIRE_FORGOTTEN: it does not count at all. `field` has 9
 * bytes or more. */
enum ab_wire_result ab_trust_share(struct ab_sync *s, const uint8_t *field,
		size_t len, struct ab_share *share);

/* Whether a true state is believed; the caller counts it otherwise. */
enum ab_wire_result ab_trust_state(
		struct ab_sync *s, const struct ab_wire_state *rec);

/* A record of the log that forgets a proxy, or says that it is back. */
void ab_trust_apply_forget(struct ab_sync *s, const uint8_t *bytes, size_t len);

#endif
