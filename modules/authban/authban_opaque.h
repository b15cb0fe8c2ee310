/*
 * authban: our token in the challenges of others
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The nonce of a registrar proves nothing of an address: Kamailio's auth and
 * Asterisk's pjsip give the same one to everybody who asks in the same second. So
 * a challenge that passes through gets our token (ab_token.h) in front of its
 * opaque, and the credentials lose it again on their way up. Any proxy with the
 * same cluster_key knows the token.
 *
 * Credentials over UDP without a token would be checked behind us and never
 * counted. They are taken out, the registrar challenges as if they had not been
 * there, and the challenge says stale=true: a phone answers it by itself.
 * In dry_run they pass.
 */
#ifndef AUTHBAN_OPAQUE_H
#define AUTHBAN_OPAQUE_H

#include "ab_digest.h"
#include "ab_source.h"

#include "core/parser/msg_parser.h"

/* Whether the credentials of a message show that its sender receives at the
 * address. *any: there are some. */
bool authban_opaque_proves(
		const sip_msg_t *msg, const struct ab_addr *addr, bool *any);

/* Whether a nonce is one that went out with the token it now brings, too long ago
 * for the token to prove anything. */
bool authban_opaque_is_old(
		const struct ab_addr *addr, const struct ab_digest *cred);

/* Prepares a request on its way up; before tm has cloned it. Returns whether
 * credentials were taken out. */
bool authban_opaque_up(sip_msg_t *req, const struct ab_addr *addr);

/* Puts a token into each challenge of a reply on its way down, and stale=true. */
void authban_opaque_down(
		sip_msg_t *rpl, const struct ab_addr *addr, bool stale);

/* Taken out of the message, by us or by the script: nobody behind this proxy has
 * seen that header. */
bool authban_opaque_is_deleted(
		const sip_msg_t *msg, const struct ab_digest *cred);

#endif
