/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * floor.c - the least that an edit of one file among many can cost
 *
 *	floor DIRECTORY FILE
 *	floor --copy FROM TO
 *
 * Reads every byte of every file below DIRECTORY once, following links to files, and durably rewrites
 * FILE; or copies every file below FROM into the empty directory TO, and flushes them with one syncfs():
 * what the library's work is measured against.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static unsigned long bytes, lines, files;

static void read_file(int directory, const char *name)
{
	static char buffer[65536];
	int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd == -1)
		return;
	files++;
	while ((got = read(fd, buffer, sizeof(buffer))) > 0) {
		bytes += (unsigned long)got;
		for (const char *at = buffer; (at = memchr(at, '\n', (size_t)(buffer + got - at))) != NULL;
		     at++)
			lines++;
	}
	(void)close(fd);
}

static void read_directory(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd == -1 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	while (directory != NULL && (entry = readdir(directory)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (entry->d_type == DT_DIR)
			read_directory(fd, entry->d_name);
		else if (entry->d_type == DT_REG)
			read_file(fd, entry->d_name);
	}
	if (directory != NULL)
		(void)closedir(directory);
}

/* A copy, flushed, in place of the original, and the directory flushed. */
static int rewrite(const char *path)
{
	static char content[1 << 20];
	char copy[4096], parent[4096], *slash;
	int from = open(path, O_RDONLY), to, directory;
	ssize_t length = from == -1 ? -1 : read(from, content, sizeof(content));

	(void)snprintf(copy, sizeof(copy), "%s.new", path);
	(void)snprintf(parent, sizeof(parent), "%s", path);
	slash = strrchr(parent, '/');
	if (length < 0 || slash == NULL)
		return 1;
	*slash = '\0';
	to = open(copy, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	directory = open(parent, O_RDONLY | O_DIRECTORY);
	if (to == -1 || directory == -1 || write(to, content, (size_t)length) != length || fsync(to) != 0 ||
	    close(to) != 0 || rename(copy, path) != 0 || fsync(directory) != 0)
		return 1;
	(void)close(directory);
	(void)close(from);
	return 0;
}

static int copy_file(int from, int to, const char *name)
{
	static char buffer[65536];
	int in = openat(from, name, O_RDONLY | O_CLOEXEC);
	int out = in == -1 ? -1 : openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ssize_t got = -1;

	while (out != -1 && (got = read(in, buffer, sizeof(buffer))) > 0)
		if (write(out, buffer, (size_t)got) != got)
			break;
	if (out != -1)
		(void)close(out);
	if (in != -1)
		(void)close(in);
	return got == 0 ? 0 : 1;
}

static int copy_link(int from, int to, const char *name)
{
	char target[4096];
	ssize_t length = readlinkat(from, name, target, sizeof(target) - 1);

	if (length < 0)
		return 1;
	target[length] = '\0';
	return symlinkat(target, to, name) == 0 ? 0 : 1;
}

static int copy_directory(int from_parent, const char *from_name, int to_parent, const char *to_name)
{
	int from = openat(from_parent, from_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), to, result = 0;
	DIR *directory = from == -1 ? NULL : fdopendir(from);
	const struct dirent *entry;

	(void)mkdirat(to_parent, to_name, 0755);
	to = openat(to_parent, to_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory == NULL || to == -1)
		return 1;
	while (result == 0 && (entry = readdir(directory)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (entry->d_type == DT_DIR)
			result = copy_directory(from, entry->d_name, to, entry->d_name);
		else if (entry->d_type == DT_LNK)
			result = copy_link(from, to, entry->d_name);
		else
			result = copy_file(from, to, entry->d_name);
	}
	(void)closedir(directory);
	(void)close(to);
	return result;
}

static int copy(const char *from, const char *to)
{
	int result = copy_directory(AT_FDCWD, from, AT_FDCWD, to);
	int directory = open(to, O_RDONLY | O_DIRECTORY);

	if (result == 0 && syncfs(directory) != 0)
		result = 1;
	(void)close(directory);
	return result;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "--copy") == 0)
		return copy(argv[2], argv[3]);
	if (argc != 3)
		return 2;
	read_directory(AT_FDCWD, argv[1]);
	(void)printf("%lu files, %lu lines, %lu bytes\n", files, lines, bytes);
	return rewrite(argv[2]);
}
