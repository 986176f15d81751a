/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* syslog.c - a line in the system's log */
#include "change/syslog.h"

#include "base/file.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define TAG "certdeploy"
#define MESSAGE_LIMIT 8192 /* what every listener takes in one datagram */

/* "<29>Nov 21 20:11:36 certdeploy[123]: ", as syslog(3) writes it. */
static size_t put_head(char *out, size_t size, bool warning)
{
	static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t now = time(NULL);
	struct tm local = {0};

	(void)localtime_r(&now, &local);
	(void)snprintf(out, size, "<%d>%s %2d %02d:%02d:%02d " TAG "[%ld]: ",
		       LOG_DAEMON | (warning ? LOG_WARNING : LOG_NOTICE), months[local.tm_mon % 12],
		       local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec, (long)getpid());
	return strlen(out);
}

void cd_syslog(const char *socket_path, bool warning, const char *line)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char message[MESSAGE_LIMIT];
	size_t head = put_head(message, sizeof(message), warning), length = strlen(line);
	int fd;

	if (strlen(socket_path) >= sizeof(address.sun_path))
		return;
	if (length > sizeof(message) - head)
		length = sizeof(message) - head;
	memcpy(message + head, line, length);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
	fd = cd_above_standard(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	if (fd == -1)
		return;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		(void)send(fd, message, head + length, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)close(fd);
}
