/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* descriptor.c - file descriptors in a process whose standard streams may be closed */
#include "base/descriptor.h"

#include <fcntl.h>
#include <unistd.h>

int cd_above_standard(int fd)
{
	int higher;

	if (fd < 0 || fd > 2)
		return fd;
	higher = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	(void)close(fd);
	return higher;
}
