/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * measure.c - run a program and say what it used
 *
 *	measure PROGRAM [ARGUMENT...]
 *
 * Prints exit status, CPU in microseconds, peak memory in KiB and wall time in microseconds to standard
 * output; the program's own output is dropped. A process inherits the peak of the one that started it:
 * a large one (an interpreter) would hide what a small program needs.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long microseconds(const struct timeval *time)
{
	return (long)time->tv_sec * 1000000 + time->tv_usec;
}

int main(int argc, char **argv)
{
	struct timespec began, ended;
	struct rusage used;
	pid_t child;
	int status, null;

	if (argc < 2)
		return 2;
	(void)clock_gettime(CLOCK_MONOTONIC, &began);
	child = fork();
	if (child == 0) {
		null = open("/dev/null", O_WRONLY);
		(void)dup2(null, 1);
		(void)dup2(null, 2);
		(void)execvp(argv[1], argv + 1);
		_exit(127);
	}
	if (child == -1 || wait4(child, &status, 0, &used) != child)
		return 1;
	(void)clock_gettime(CLOCK_MONOTONIC, &ended);
	(void)printf("%d %ld %ld %ld\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128,
		     microseconds(&used.ru_utime) + microseconds(&used.ru_stime), used.ru_maxrss,
		     (long)(ended.tv_sec - began.tv_sec) * 1000000 + (ended.tv_nsec - began.tv_nsec) / 1000);
	return 0;
}
