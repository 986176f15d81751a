/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * floor.c - the least that an edit of one file among many can cost
 *
 *	floor DIRECTORY FILE
 *
 * Reads every byte of every file below DIRECTORY once, following links to files, and durably rewrites
 * FILE: what the library's work is measured against.
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
		for (const char *at = buffer; (at = memchr(at, '\n', (size_t)(buffer + got - at))) != NULL; at++)
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

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	read_directory(AT_FDCWD, argv[1]);
	(void)printf("%lu files, %lu lines, %lu bytes\n", files, lines, bytes);
	return rewrite(argv[2]);
}
