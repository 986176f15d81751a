/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* unit.h - what every unit test includes */
#ifndef CD_UNIT_H
#define CD_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
