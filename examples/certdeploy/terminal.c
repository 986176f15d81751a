/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* terminal.c - colour, the progress line, and the one question that may be asked */
#include "tool.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* Work that is over sooner is not announced. */
#define QUIET_MILLISECONDS 1000
/* One of many is not shown sooner after another. */
#define PROGRESS_MILLISECONDS 100

static bool progress_shown;
static int64_t quiet_until;
static int64_t last_shown;

static int64_t milliseconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void prepare_terminal(struct tool *tool, const char *color)
{
	const char *term = getenv("TERM"), *columns = getenv("COLUMNS");
	bool able = term != NULL && strcmp(term, "dumb") != 0 && getenv("NO_COLOR") == NULL;
	bool automatic = color == NULL || strcmp(color, "auto") == 0;
	bool always = !automatic && strcmp(color, "always") == 0;
	struct winsize size;

	quiet_until = milliseconds() + QUIET_MILLISECONDS;
	tool->terminal_err = isatty(STDERR_FILENO);
	tool->color_out = always || (automatic && able && isatty(STDOUT_FILENO));
	tool->color_err = always || (automatic && able && tool->terminal_err);
	tool->width = 0;
	if (!isatty(STDOUT_FILENO))
		return;
	tool->width = columns == NULL ? 0 : (int)strtol(columns, NULL, 10);
	if (tool->width <= 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
		tool->width = size.ws_col;
	if (tool->width < 40)
		tool->width = 80;
}

const char *styled(bool color, enum style style)
{
	static const char *const sequences[] = {"\033[0m",  "\033[1m",  "\033[32m",
						"\033[33m", "\033[31m", "\033[2m"};

	return color ? sequences[style] : "";
}

int show_progress(void *user, const char *what, size_t done, size_t total)
{
	const struct tool *tool = user;
	int64_t now = milliseconds();
	bool early = now < quiet_until || (done > 1 && now - last_shown < PROGRESS_MILLISECONDS);

	if (was_interrupted())
		return 1;
	if (tool->json || tool->verbosity != 0 || what == NULL || early || !tool->terminal_err)
		return 0;
	last_shown = now;
	(void)fputs("\r\033[K", stderr);
	put_safe(stderr, what);
	if (total > 1)
		(void)fprintf(stderr, " (%zu/%zu)", done, total);
	(void)fflush(stderr);
	progress_shown = true;
	return 0;
}

void clear_progress(void)
{
	if (progress_shown)
		(void)fputs("\r\033[K", stderr);
	progress_shown = false;
}

void show_log(void *user, int level, const char *line)
{
	const struct tool *tool = user;

	/* Errors and warnings are problems of the result as well, and shown with it. */
	if (tool->json || level < 2 || level > tool->verbosity + 1)
		return;
	clear_progress();
	put_safe(stderr, line);
	(void)fputc('\n', stderr);
}

int ask_passphrase(const char *origin, char *buffer, size_t size)
{
	struct termios old, silent;
	size_t length = 0;
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

	if (fd == -1 || tcgetattr(fd, &old) == -1) {
		if (fd != -1)
			(void)close(fd);
		return -1;
	}
	silent = old;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	/* Before the question: what is typed at once is neither shown nor lost. */
	(void)tcsetattr(fd, TCSAFLUSH, &silent);
	clear_progress();
	put_line(stderr, _("Passphrase for %s: "), origin);
	(void)fflush(stderr);
	while (length < size && !was_interrupted() && read(fd, buffer + length, 1) == 1 &&
	       buffer[length] != '\n')
		length++;
	(void)tcsetattr(fd, TCSAFLUSH, &old);
	(void)close(fd);
	(void)fputc('\n', stderr);
	return was_interrupted() || length == size ? -1 : (int)length;
}
