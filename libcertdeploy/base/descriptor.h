/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* descriptor.h - file descriptors in a process whose standard streams may be closed */
#ifndef CD_DESCRIPTOR_H
#define CD_DESCRIPTOR_H

/**
 * A descriptor that is not standard input, output or error: what others print there must never land
 * in a file of ours. Takes fd over; -1 stays -1.
 */
int cd_above_standard(int fd);

#endif
