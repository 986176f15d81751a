/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* syslog.h - a line in the system's log */
#ifndef CD_SYSLOG_H
#define CD_SYSLOG_H

#include <stdbool.h>

/**
 * Send one line, at priority "warning" or "notice" of the facility "daemon", to the socket of syslog(3).
 * Without syslog(3) itself: its identity and socket belong to the process that we live in. Never waits;
 * where nobody listens nothing happens.
 */
void cd_syslog(const char *socket_path, bool warning, const char *line);

#endif
