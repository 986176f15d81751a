/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * subject.c - the scene's operations as commands, for harnesses that watch a process from outside
 *
 *	subject build HOST | deploy HOST | deploy-many HOST | rollback HOST | recover HOST | judge HOST
 *
 * A link HOST/run/program to it plays the servers' commands.
 */
#include "scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* HOST/run/program SERVER VERB, or HOST/run/program hash:COPY */
static int play(char **argv)
{
	const char *as[4] = {NULL, argv[1], argv[1] == NULL ? NULL : argv[2], NULL};
	char *slash;

	for (int i = 0; i < 2; i++) {
		slash = strrchr(argv[0], '/');
		if (slash == NULL)
			return 2;
		*slash = '\0';
	}
	as[0] = argv[0];
	return as[1] == NULL ? 2 : scene_command(as);
}

static int judge(const char *path)
{
	const char *why = scene_servers_wrong(path);
	char *picture = scene_picture(path, false);

	if (why == NULL)
		why = scene_litter(path);
	if (why == NULL && scene_open_keys(path) != 0)
		why = "a key can be read by others";
	if (why != NULL)
		printf("BAD %s\n", why);
	else
		printf("%s\n", strstr(picture, "old postfix") != NULL ? "OLD" : "NEW");
	free(picture);
	return why == NULL ? 0 : 1;
}

int main(int argc, char **argv)
{
	char program[600], self[600];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	struct scene scene;
	int result;

	if (strstr(argv[0], "/run/program") != NULL)
		return play(argv);
	if (argc != 3 || length <= 0)
		return 2;
	self[length] = '\0';
	(void)snprintf(program, sizeof(program), "%s/run/program", argv[2]);
	if (strcmp(argv[1], "build") == 0) {
		scene_build(argv[2]);
		return symlink(self, program) == 0 ? 0 : 1;
	}
	if (strcmp(argv[1], "judge") == 0)
		return judge(argv[2]);
	scene_open(&scene, argv[2]);
	result = strcmp(argv[1], "deploy") == 0        ? scene_deploy(&scene, program)
		 : strcmp(argv[1], "deploy-many") == 0 ? scene_deploy_many(&scene, program)
		 : strcmp(argv[1], "rollback") == 0    ? scene_rollback(&scene, program)
						       : scene_recover(&scene, program);
	for (size_t i = 0; i < scene.problems.list.count; i++) {
		const struct certdeploy_problem *problem = scene.problems.list.items[i];

		(void)fprintf(stderr, "%s: %s: %s\n", problem->code,
			      problem->file == NULL ? "" : problem->file, problem->message);
	}
	if (scene.problems.out_of_memory || result == CERTDEPLOY_ENOMEM)
		(void)fprintf(stderr, "out of memory\n");
	scene_close(&scene);
	return -result & 0xff;
}
