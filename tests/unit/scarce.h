/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* scarce.h - one of OpenSSL's own allocations fails */
#ifndef CD_TEST_SCARCE_H
#define CD_TEST_SCARCE_H

#include <stdbool.h>

/** Before OpenSSL's first allocation. False: it is too late. */
bool scarce_begin(void);
/** From here on the k-th fails, from 1. */
void scarce(unsigned long k);
/** Whether it has failed; from here on none does. */
bool scarce_met(void);

#endif
