/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pending.c - weak places for parts that are still to come; refuses whatever is asked */
#include "certificate/store.h"
#include "change/history.h"
#include "proof/probe.h"

#define PENDING __attribute__((weak))
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

PENDING const struct certdeploy_adapter cd_adapter_apache = {CERTDEPLOY_ADAPTER_ABI, sizeof(struct certdeploy_adapter), "apache", "pending", 0, 0, 0, 0, 0, 0, 0, 0, 0};
PENDING const struct certdeploy_adapter cd_adapter_dovecot = {CERTDEPLOY_ADAPTER_ABI, sizeof(struct certdeploy_adapter), "dovecot", "pending", 0, 0, 0, 0, 0, 0, 0, 0, 0};
PENDING int cd_transaction_run(struct cd_transaction *t) { return CERTDEPLOY_EFAILED; }
PENDING void cd_transaction_free(struct cd_transaction *t) { cd_vector_free(&t->files); }
PENDING bool cd_transaction_is_interrupted(const struct cd_root *r, const char *s) { return false; }
PENDING int cd_transaction_recover(int *out, struct cd_transaction *t, bool force) { *out = 0; return CERTDEPLOY_EFAILED; }
PENDING int cd_history_list(struct cd_vector *o, struct cd_problems *p, const struct cd_root *r, const char *s) { return CERTDEPLOY_EFAILED; }
PENDING int cd_history_show(const struct certdeploy_transaction_report **o, struct cd_vector *f, struct cd_problems *p, const struct cd_root *r, const char *s, const char *i) { return CERTDEPLOY_EFAILED; }
PENDING int cd_history_diff(const char **o, struct cd_problems *p, const struct cd_root *r, const char *s, const char *i) { return CERTDEPLOY_EFAILED; }
PENDING int cd_history_undo(struct cd_changes *c, struct cd_touched **s, size_t *n, const char **i, struct cd_problems *p, const struct cd_root *r, const char *d, const char *const *sv, const char *const *f, bool force) { return CERTDEPLOY_EFAILED; }
PENDING int cd_history_prune(struct cd_problems *p, const struct cd_root *r, const char *s, unsigned k, long o, unsigned w) { return CERTDEPLOY_EFAILED; }
PENDING int cd_control_running(const struct cd_control *c, const struct cd_root *r) { return -1; }
PENDING int cd_probe_all(struct cd_probe *p, size_t n, const struct cd_probing *h) { return 0; }
PENDING int cd_request_describe(const struct certdeploy_certificate_report **o, struct cd_arena *a, struct cd_problems *p, const struct cd_piece *x) { return CERTDEPLOY_EFAILED; }
PENDING int certdeploy_verify(struct certdeploy_result **out, struct certdeploy *cd, const struct certdeploy_request *r) { *out = NULL; return CERTDEPLOY_EFAILED; }
