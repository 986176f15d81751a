/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* scene.c - a host with three servers and a store, a deployment over all of it, and a judge */
#include "scene.h"

#include "base/buffer.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define SERVERS 3
#define AGE 1000000000 /* when the host's files were last changed */
#define TEXTS 32
#define MANY 100

static const char *const servers[SERVERS] = {"apache", "postfix", "dovecot"};
static const char *const configurations[SERVERS] = {"etc/apache/site.conf", "etc/postfix/main.cf",
						    "etc/dovecot/dovecot.conf"};

static void fail(const char *what)
{
	perror(what);
	abort();
}

static void put(const char *path, const char *name, const char *text, mode_t mode)
{
	char file[1024];
	int fd;

	(void)snprintf(file, sizeof(file), "%s/%s", path, name);
	fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd == -1 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || fchmod(fd, mode) == -1 ||
	    close(fd) == -1)
		fail(file);
}

static void make(const char *path, const char *name)
{
	char directory[1024];

	(void)snprintf(directory, sizeof(directory), "%s/%s", path, name);
	if (mkdir(directory, 0755) == -1)
		fail(directory);
}

/* Of an age that nothing has that a run makes. */
static void make_old(const char *path, const char *ignored);

void scene_build(const char *path)
{
	static const char *const directories[] = {"etc",           "etc/apache",  "etc/apache/enabled",
						  "etc/postfix",   "etc/dovecot", "etc/dovecot/conf.d",
						  "etc/ssl",       "etc/ssl/www", "etc/ssl/www/0",
						  "etc/ssl/www/1", "run",         "var"};
	char name[1024];

	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++)
		make(path, directories[i]);
	put(path, "etc/apache/site.conf", "<VirtualHost *:443>\nold apache\n</VirtualHost>\n", 0644);
	put(path, "etc/postfix/main.cf", "# old postfix\n", 0640);
	put(path, "etc/postfix/map", "old map\n", 0644);
	put(path, "etc/postfix/map.db", "db:" SCENE_SECRET " old map\n", 0600);
	put(path, "etc/postfix/key.pem", SCENE_SECRET " old key\n", 0640);
	put(path, "etc/dovecot/dovecot.conf", "# old dovecot\n", 0644);
	for (char generation = '0'; generation < '2'; generation++) {
		(void)snprintf(name, sizeof(name), "etc/ssl/www/%c/cert.pem", generation);
		put(path, name, "certificate\n", 0644);
		(void)snprintf(name, sizeof(name), "etc/ssl/www/%c/key.pem", generation);
		put(path, name, SCENE_SECRET "\n", 0600);
	}
	(void)snprintf(name, sizeof(name), "%s/etc/ssl/www/current", path);
	if (symlink("1", name) == -1)
		fail(name);
	(void)snprintf(name, sizeof(name), "%s/etc/apache/enabled/site.conf", path);
	if (symlink("../site.conf", name) == -1)
		fail(name);
	(void)snprintf(name, sizeof(name), "%s/etc/postfix/main.cf", path);
	/* Not every file system has them. */
	(void)setxattr(name, "user.note", "kept", 4, 0);
	for (int i = 0; i < SERVERS; i++) {
		const char *const start[] = {path, servers[i], "start", NULL};

		(void)scene_command(start);
	}
	make_old(path, NULL);
}

void scene_open(struct scene *scene, const char *path)
{
	*scene = (struct scene){.root = {.fd = -1}};
	(void)snprintf(scene->path, sizeof(scene->path), "%s", path);
}

void scene_close(struct scene *scene)
{
	cd_root_close(&scene->root);
	cd_problems_free(&scene->problems);
}

/* ---- the operations ---- */

struct operation {
	struct scene *scene;
	const char *program;
	struct cd_changes changes;
	struct cd_touched services[SERVERS];
	const char *argv[SERVERS][7][4];
	char texts[TEXTS][640];
	unsigned used;
};

static const char *below(struct operation *operation, const char *name)
{
	/* Changes keep copies; nobody else keeps more than a few. */
	char *out = operation->texts[operation->used++ % TEXTS];

	(void)snprintf(out, sizeof(operation->texts[0]), "%s/%s", operation->scene->path, name);
	return out;
}

static int change(struct operation *operation, enum cd_change_kind kind, const char *name, const char *text,
		  const char *service, bool secret)
{
	struct cd_change one = {.kind = kind,
				.path = below(operation, name),
				.owner = (uid_t)-1,
				.group = (gid_t)-1,
				.secret = secret,
				.service = service};

	if (kind == CD_CHANGE_FILE) {
		one.bytes = text;
		one.length = strlen(text);
		one.diff = "--- a\n+++ b\n@@ -1 +1 @@\n-old\n+new\n";
	} else {
		one.target = text;
	}
	return cd_changes_add(&operation->changes, &operation->scene->problems, &one);
}

static void control(struct operation *operation)
{
	static const char *const verbs[] = {"test", "reload", "restart", "start", "stop", "status"};

	for (int i = 0; i < SERVERS; i++) {
		const char *(*argv)[4] = operation->argv[i];

		for (size_t verb = 0; verb < 6; verb++) {
			argv[verb][0] = operation->program;
			argv[verb][1] = servers[i];
			argv[verb][2] = verbs[verb];
		}
		operation->services[i].control = (struct cd_control){.name = servers[i],
								     .test = argv[0],
								     .reload = argv[1],
								     .restart = argv[2],
								     .start = argv[3],
								     .stop = argv[4],
								     .status = argv[5],
								     .timeout = 10};
	}
}

static int plan(struct operation *operation)
{
	static const char *argv[] = {"postmap", "hash:%s", NULL};
	struct cd_change_build build = {.source = below(operation, "etc/postfix/map"),
					.argv = argv,
					.product = below(operation, "etc/postfix/map.db"),
					.suffix = ".db",
					.secret = true,
					.service = "postfix"};
	int result = 0;

	argv[0] = operation->program;
#define CHANGE(...) (result = result != 0 ? result : change(operation, __VA_ARGS__))
	CHANGE(CD_CHANGE_DIRECTORY, "etc/ssl/www/2", NULL, NULL, false);
	CHANGE(CD_CHANGE_FILE, "etc/ssl/www/2/cert.pem", "new certificate\n", NULL, false);
	CHANGE(CD_CHANGE_FILE, "etc/ssl/www/2/key.pem", SCENE_SECRET " new\n", NULL, true);
	CHANGE(CD_CHANGE_FILE, "etc/apache/enabled/site.conf",
	       "<VirtualHost *:443>\nnew apache\n</VirtualHost>\n", "apache", false);
	CHANGE(CD_CHANGE_FILE, "etc/postfix/main.cf", "# new postfix\n", "postfix", false);
	CHANGE(CD_CHANGE_FILE, "etc/postfix/map", "new map\n", "postfix", false);
	CHANGE(CD_CHANGE_FILE, "etc/postfix/key.pem", SCENE_SECRET " new key\n", "postfix", true);
	CHANGE(CD_CHANGE_FILE, "etc/dovecot/dovecot.conf", "# new dovecot\n", "dovecot", false);
	CHANGE(CD_CHANGE_FILE, "etc/dovecot/conf.d/99-certdeploy.conf", "new\n", "dovecot", false);
	CHANGE(CD_CHANGE_LINK, "etc/ssl/www/current", "2", NULL, false);
	CHANGE(CD_CHANGE_REMOVE, "etc/ssl/www/0", NULL, NULL, false);
#undef CHANGE
	return result != 0 ? result
			   : cd_changes_add_build(&operation->changes, &operation->scene->problems, &build);
}

static int plan_many(struct operation *operation)
{
	int result = 0;

	for (int i = 0; result == 0 && i < MANY; i++) {
		static const char *const ends[] = {"", "/1", "/1/cert.pem", "/1/key.pem", "/current"};
		static const enum cd_change_kind kinds[] = {CD_CHANGE_DIRECTORY, CD_CHANGE_DIRECTORY,
							    CD_CHANGE_FILE, CD_CHANGE_FILE, CD_CHANGE_LINK};
		static const char *const texts[] = {NULL, NULL, "certificate\n", SCENE_SECRET " key\n",
						    "1"};
		char name[64];

		for (size_t part = 0; result == 0 && part < sizeof(ends) / sizeof(ends[0]); part++) {
			(void)snprintf(name, sizeof(name), "etc/ssl/site%03d%s", i, ends[part]);
			result = change(operation, kinds[part], name, texts[part], NULL, part == 3);
		}
	}
	return result;
}

/* Dovecot reads whatever lies in this directory: what comes there must wait somewhere else. */
static bool is_read(void *user, const char *path)
{
	(void)user;
	return strstr(path, "/etc/dovecot/conf.d/") != NULL;
}

static struct cd_transaction transaction_of(struct operation *operation, const char *command)
{
	return (struct cd_transaction){
		.root = &operation->scene->root,
		.problems = &operation->scene->problems,
		.state_directory = below(operation, "var/state"),
		.changes = &operation->changes,
		.services = operation->services,
		.service_count = SERVERS,
		.command = command,
		.test = true,
		.reload = true,
		.keep = 10,
		.wait = 5,
		.is_read = is_read,
	};
}

static int deploy(struct scene *scene, const char *program, bool many, bool beside)
{
	struct operation *operation = calloc(1, sizeof(*operation));
	struct cd_transaction transaction;
	int result =
		operation == NULL ? CERTDEPLOY_ENOMEM : cd_root_open(&scene->root, &scene->problems, NULL);

	if (result == 0) {
		operation->scene = scene;
		operation->program = program;
		control(operation);
		result = plan(operation);
	}
	if (result == 0 && many)
		result = plan_many(operation);
	if (result == 0) {
		transaction = transaction_of(operation, "deploy");
		transaction.backup_beside = beside;
		result = cd_transaction_run(&transaction);
		cd_transaction_free(&transaction);
	}
	if (operation != NULL)
		cd_changes_free(&operation->changes);
	free(operation);
	return result;
}

int scene_deploy(struct scene *scene, const char *program)
{
	return deploy(scene, program, false, false);
}

int scene_deploy_beside(struct scene *scene, const char *program)
{
	return deploy(scene, program, false, true);
}

int scene_deploy_many(struct scene *scene, const char *program)
{
	return deploy(scene, program, true, false);
}

/* What somebody does who wants to know before he goes back. */
static int look_back(struct scene *scene, const char *state)
{
	const struct certdeploy_transaction_report *report;
	struct cd_vector list = {0}, files = {0};
	const char *diff;
	int result = cd_history_list(&list, &scene->problems, &scene->root, state);

	if (result == 0)
		result = cd_history_show(&report, &files, &scene->problems, &scene->root, state, NULL);
	if (result == 0)
		result = cd_history_diff(&diff, &scene->problems, &scene->root, state, report->id);
	cd_vector_free(&list);
	cd_vector_free(&files);
	return result;
}

int scene_rollback(struct scene *scene, const char *program)
{
	struct operation *operation = calloc(1, sizeof(*operation));
	struct cd_transaction transaction;
	struct cd_touched *services = NULL;
	const char *id = NULL;
	size_t count = 0;
	int recovered, result = operation == NULL ? CERTDEPLOY_ENOMEM
						  : cd_root_open(&scene->root, &scene->problems, NULL);

	(void)program; /* the history knows it */
	if (result == 0) {
		operation->scene = scene;
		transaction = transaction_of(operation, "rollback");
		result = cd_transaction_recover(&recovered, &transaction, false);
	}
	if (result == 0)
		result = look_back(scene, transaction.state_directory);
	if (result == 0)
		result = cd_history_undo(&operation->changes, &services, &count, &id, &scene->problems,
					 &scene->root, transaction.state_directory, NULL, NULL, false);
	if (result == 0) {
		transaction.services = services;
		transaction.service_count = count;
		result = cd_transaction_run(&transaction);
		cd_transaction_free(&transaction);
	}
	if (operation != NULL)
		cd_changes_free(&operation->changes);
	free(operation);
	return result;
}

int scene_prune(struct scene *scene, const char *program)
{
	char state[600];
	bool removed;
	int result = cd_root_open(&scene->root, &scene->problems, NULL);

	(void)program;
	(void)snprintf(state, sizeof(state), "%s/var/state", scene->path);
	return result != 0 ? result
			   : cd_history_prune(&removed, &scene->problems, &scene->root, state, 1, 0, 5);
}

int scene_recover(struct scene *scene, const char *program)
{
	struct operation *operation = calloc(1, sizeof(*operation));
	struct cd_transaction transaction;
	int recovered, result = operation == NULL ? CERTDEPLOY_ENOMEM
						  : cd_root_open(&scene->root, &scene->problems, NULL);

	(void)program;
	if (result == 0) {
		operation->scene = scene;
		transaction = transaction_of(operation, "recover");
		transaction.service_count = 0;
		result = cd_transaction_recover(&recovered, &transaction, false);
	}
	free(operation);
	return result;
}

/* ---- the servers ---- */

static char *get(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = -1;
	struct stat status;
	char *bytes = NULL;

	if (fd != -1 && fstat(fd, &status) == 0)
		bytes = calloc(1, (size_t)status.st_size + 1);
	if (bytes != NULL)
		length = read(fd, bytes, (size_t)status.st_size);
	if (fd != -1)
		(void)close(fd);
	if (length >= 0)
		return bytes;
	free(bytes);
	return NULL;
}

static int build_table(const char *argument)
{
	const char *copy = strchr(argument, ':') + 1;
	char *source = get(copy), product[1024], content[4200];

	if (source == NULL)
		return 1;
	(void)snprintf(content, sizeof(content), "db:" SCENE_SECRET " %.4000s", source);
	(void)snprintf(product, sizeof(product), "%s.db", copy);
	put("", product + 1, content, 0600);
	free(source);
	return 0;
}

/* What a server's command does; the host is where the program lies. */
static int serve(const char *host, const char *server, const char *verb)
{
	char up[1024], configuration[1024], name[64], *text;
	int i = 0;

	while (strcmp(servers[i], server) != 0)
		i++;
	(void)snprintf(up, sizeof(up), "%s/run/%s.up", host, server);
	(void)snprintf(configuration, sizeof(configuration), "%s/%s", host, configurations[i]);
	if (strcmp(verb, "status") == 0)
		return access(up, F_OK) == 0 ? 0 : 3;
	if (strcmp(verb, "stop") == 0)
		return unlink(up) == 0 ? 0 : 1;
	text = get(configuration);
	if (text == NULL || (strcmp(verb, "reload") == 0 && access(up, F_OK) != 0)) {
		free(text);
		return 1;
	}
	if (strcmp(verb, "test") != 0) {
		(void)snprintf(name, sizeof(name), "run/%s.up", server);
		put(host, name, "", 0644);
		(void)snprintf(name, sizeof(name), "run/%s.served", server);
		put(host, name, text, 0644);
	}
	free(text);
	return 0;
}

int scene_command(const char *const *argv)
{
	if (argv[2] == NULL)
		return build_table(argv[1]);
	return serve(argv[0], argv[1], argv[2]);
}

/* ---- copies ---- */

static void copy_one(const char *from, const char *to, const struct stat *status)
{
	const struct timespec times[2] = {status->st_atim, status->st_mtim};
	char buffer[4096], note[16];
	ssize_t length;
	int source, target;

	if (S_ISLNK(status->st_mode)) {
		length = readlink(from, buffer, sizeof(buffer) - 1);
		buffer[length < 0 ? 0 : length] = '\0';
		if (symlink(buffer, to) == -1)
			fail("copy");
		return;
	}
	source = open(from, O_RDONLY | O_CLOEXEC);
	target = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	while ((length = read(source, buffer, sizeof(buffer))) > 0)
		if (write(target, buffer, (size_t)length) != length)
			fail("copy");
	length = fgetxattr(source, "user.note", note, sizeof(note));
	if (length > 0 && fsetxattr(target, "user.note", note, (size_t)length, 0) == -1)
		fail("copy");
	if (fchmod(target, status->st_mode & 07777) == -1 || futimens(target, times) == -1)
		fail("copy");
	(void)close(source);
	(void)close(target);
}

/* Call one() for everything in a directory. */
static void each(const char *from, const char *to, void (*one)(const char *from, const char *to))
{
	DIR *stream = opendir(from);
	struct dirent *entry;

	while (stream != NULL && (entry = readdir(stream)) != NULL) {
		char source[1200], target[1200];

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		(void)snprintf(source, sizeof(source), "%s/%s", from, entry->d_name);
		(void)snprintf(target, sizeof(target), "%s/%s", to, entry->d_name);
		one(source, target);
	}
	if (stream != NULL)
		(void)closedir(stream);
}

static void make_old(const char *path, const char *ignored)
{
	const struct timespec times[2] = {{0, UTIME_OMIT}, {AGE, (long)strlen(path) * 1000003}};
	struct stat status;

	(void)ignored;
	if (lstat(path, &status) == -1 || utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) == -1)
		fail(path);
	if (S_ISDIR(status.st_mode))
		each(path, path, make_old);
}

static void clear(const char *path, const char *ignored)
{
	(void)ignored;
	if (unlink(path) == -1 && errno == EISDIR) {
		each(path, path, clear);
		(void)rmdir(path);
	}
}

static void copy_all(const char *from, const char *to)
{
	struct stat status;

	if (lstat(from, &status) == -1)
		fail("copy");
	if (!S_ISDIR(status.st_mode)) {
		copy_one(from, to, &status);
		return;
	}
	if (mkdir(to, 0700) == -1)
		fail("copy");
	each(from, to, copy_all);
	if (chmod(to, status.st_mode & 07777) == -1)
		fail("copy");
}

void scene_copy(const char *from, const char *to)
{
	clear(to, NULL);
	copy_all(from, to);
}

void scene_clear(const char *path)
{
	clear(path, NULL);
}

/* ---- the judge ---- */

static int compare(const struct dirent **one, const struct dirent **other)
{
	return strcmp((*one)->d_name, (*other)->d_name);
}

static void add_content(struct cd_buffer *out, const char *path, const struct stat *status)
{
	char target[1024] = "", *text, note[16] = "";
	ssize_t length;

	if (S_ISLNK(status->st_mode)) {
		length = readlink(path, target, sizeof(target) - 1);
		cd_buffer_format(out, " -> %.*s", (int)(length < 0 ? 0 : length), target);
	} else if (S_ISREG(status->st_mode)) {
		text = get(path);
		length = getxattr(path, "user.note", note, sizeof(note) - 1);
		for (char *at = text; at != NULL && (at = strchr(at, '\n')) != NULL;)
			*at = '|';
		cd_buffer_format(out, " %s%s", length > 0 ? note : "", text == NULL ? "?" : text);
		free(text);
	}
}

/* Words about a run: nothing goes by them, but for a last line that has no end. */
static bool is_word(const char *name)
{
	return strstr(name, "/reason") != NULL || strstr(name, "/audit.jsonl") != NULL;
}

static void add_end(struct cd_buffer *out, const char *path)
{
	char *text = get(path);
	size_t length = text == NULL ? 0 : strlen(text);

	cd_buffer_string(out, length == 0 || text[length - 1] == '\n' ? " whole" : " torn");
	free(text);
}

/* What a description of a host holds. */
enum part { SHAPE, TIMES, ALL };

static void add_line(struct cd_buffer *out, const char *name, const char *path, const struct stat *status,
		     enum part part)
{
	bool old = status->st_mtim.tv_sec == AGE;

	if (part != TIMES) {
		cd_buffer_format(out, "%s %o %u:%u", name, status->st_mode, status->st_uid, status->st_gid);
		if (part == ALL && is_word(name))
			add_end(out, path);
		else
			add_content(out, path, status);
		cd_buffer_string(out, "\n");
	}
	if (part != SHAPE && S_ISREG(status->st_mode) && (part == TIMES || old))
		cd_buffer_format(out, "%s %lld.%09ld\n", name, (long long)status->st_mtim.tv_sec,
				 status->st_mtim.tv_nsec);
}

static void add_directory(struct cd_buffer *out, const char *root, const char *name, enum part part)
{
	char path[2100];
	struct dirent **entries;
	int count;

	(void)snprintf(path, sizeof(path), "%s/%s", root, name);
	count = scandir(path, &entries, NULL, compare);
	for (int i = 0; i < count; i++) {
		char one[1024];
		struct stat status;

		if (strcmp(entries[i]->d_name, ".") == 0 || strcmp(entries[i]->d_name, "..") == 0) {
			free(entries[i]);
			continue;
		}
		(void)snprintf(one, sizeof(one), "%s/%s", name, entries[i]->d_name);
		(void)snprintf(path, sizeof(path), "%s/%s", root, one);
		free(entries[i]);
		if (lstat(path, &status) == -1)
			fail(path);
		add_line(out, one, path, &status, part);
		if (S_ISDIR(status.st_mode))
			add_directory(out, root, one, part);
	}
	if (count >= 0)
		free(entries);
}

char *scene_picture(const char *path, bool history)
{
	struct cd_buffer out = {0};

	add_directory(&out, path, "etc", SHAPE);
	if (history)
		add_directory(&out, path, "var/state/backups", SHAPE);
	return cd_buffer_take(&out);
}

char *scene_times(const char *path)
{
	struct cd_buffer out = {0};

	add_directory(&out, path, "etc", TIMES);
	return cd_buffer_take(&out);
}

void scene_digest(char digest[CD_SHA256_TEXT], const char *path)
{
	struct cd_buffer out = {0};

	add_directory(&out, path, ".", ALL);
	if (cd_sha256(digest, cd_buffer_text(&out), out.length) != 0)
		fail("digest");
	cd_buffer_free(&out);
}

static unsigned count_open_keys(const char *path)
{
	DIR *stream = opendir(path);
	struct dirent *entry;
	unsigned count = 0;

	while (stream != NULL && (entry = readdir(stream)) != NULL) {
		char one[1024], *text;
		struct stat status;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		(void)snprintf(one, sizeof(one), "%s/%s", path, entry->d_name);
		if (lstat(one, &status) == -1)
			continue;
		if (S_ISDIR(status.st_mode))
			count += count_open_keys(one);
		/* A private directory protects what a foreign program makes in it. */
		if (!S_ISREG(status.st_mode) || (status.st_mode & 0137) == 0 ||
		    strstr(one, "/build/") != NULL)
			continue;
		text = get(one);
		count += text != NULL && strstr(text, SCENE_SECRET) != NULL ? 1 : 0;
		free(text);
	}
	if (stream != NULL)
		(void)closedir(stream);
	return count;
}

unsigned scene_open_keys(const char *path)
{
	return count_open_keys(path);
}

const char *scene_servers_wrong(const char *path)
{
	const char *wrong = NULL;

	for (int i = 0; i < SERVERS && wrong == NULL; i++) {
		char name[1024], *configured, *served;

		(void)snprintf(name, sizeof(name), "%s/run/%s.up", path, servers[i]);
		if (access(name, F_OK) != 0)
			return "a server is down";
		(void)snprintf(name, sizeof(name), "%s/run/%s.served", path, servers[i]);
		served = get(name);
		(void)snprintf(name, sizeof(name), "%s/%s", path, configurations[i]);
		configured = get(name);
		if (served == NULL || configured == NULL || strcmp(served, configured) != 0)
			wrong = "a server serves another configuration than it has";
		free(served);
		free(configured);
	}
	return wrong;
}

const char *scene_litter(const char *path)
{
	static const char *const left[] = {"stage", "journal", "committed", "prune", "prune.new", "pruned"};
	char name[1024];

	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
		(void)snprintf(name, sizeof(name), "%s/var/state/%s", path, left[i]);
		if (access(name, F_OK) == 0)
			return left[i];
	}
	return NULL;
}
