/*
 * authban: users by names that are not theirs
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_privacy.h"

#include "ab_bytes.h"
#include "ab_siphash.h"
#include "authban_mac.h"
#include "authban_params.h"
#include "authban_record.h"
#include "authban_shared.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

uint64_t authban_wall_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

const char *authban_time_text(uint64_t ms, char out[static AUTHBAN_TIME_TEXT])
{
	time_t t = (time_t)(ms / 1000);
	char second[24] = "";
	struct tm tm;

	if(gmtime_r(&t, &tm))
		strftime(second, sizeof(second), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out, AUTHBAN_TIME_TEXT, "%s.%03uZ", second, (unsigned)(ms % 1000));
	return out;
}

const uint8_t *authban_privacy_key(uint64_t wall_ms)
{
	/* one process works on one thing at a time; HMAC only when the period is new */
	static uint64_t period = UINT64_MAX;
	static uint8_t key[AB_MAC_LEN];
	uint64_t wanted = wall_ms / 1000 / (uint64_t)authban_params.privacy_rotate;
	const struct ab_mac *mac = authban_mac_privacy();
	uint8_t data[8];

	if(wanted != period) {
		ab_put(data, wanted, sizeof(data));
		mac->sign(mac->key, data, sizeof(data), key);
		period = wanted;
	}
	return key;
}

uint64_t authban_pseudonym(uint64_t hash, uint64_t wall_ms)
{
	return hash ? ab_siphash13(
				   authban_privacy_key(wall_ms), &hash, sizeof(hash))
				: 0;
}

const char *authban_user_text(uint64_t hash, char out[static 17])
{
	uint64_t shown = authban_params.privacy == AUTHBAN_PRIVACY_OFF
							 ? hash
							 : authban_pseudonym(hash, authban_wall_ms());

	snprintf(out, 17, "%016llx", (unsigned long long)shown);
	return out;
}

const char *authban_user_name(
		uint64_t hash, char out[static AB_EVIDENCE_NAME + 1])
{
	struct ab_evidence e = authban_records();

	if(authban_params.privacy == AUTHBAN_PRIVACY_OFF
			&& ab_evidence_name(&e, hash, authban_now_mono(), out))
		return out;
	return authban_user_text(hash, out);
}
