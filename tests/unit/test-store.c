/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-store.c - what the store wants written, and that it wants nothing when all is there */
#include "issue.h"
#include "short.h"

#include "certificate/store.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CERT CERTDEPLOY_MATERIAL_CERT
#define KEY CERTDEPLOY_MATERIAL_KEY
#define CHAIN CERTDEPLOY_MATERIAL_CHAIN

#define STORE "/etc/ssl/certdeploy"
#define NAME "www.example.jp"
#define CURRENT STORE "/" NAME "/current/"

static struct issued *root, *middle, *rsa, *ec;

/* One planning on a tree of its own. */
struct work {
	char path[64];
	struct cd_problems problems;
	struct cd_host host;
	struct cd_changes changes;
	struct cd_overlay overlay;
	struct loading loading;
	struct certdeploy_paths chosen;
	struct cd_store_request request;
	const struct certdeploy_material *const *materials;
};

static int make_certificates(void **state)
{
	(void)state;
	root = issue(&(struct wish){.name = "Root", .ca = true});
	middle = issue(&(struct wish){.name = "Middle", .ca = true, .issuer = root});
	rsa = issue(&(struct wish){.names = "DNS:" NAME, .issuer = middle, .type = "rsa:2048"});
	ec = issue(&(struct wish){.names = "DNS:" NAME, .issuer = middle});
	return 0;
}

static int drop_certificates(void **state)
{
	(void)state;
	issue_end();
	return 0;
}

/* Run a command on a path inside the tree. */
static void run(const char *command, const struct work *work, const char *path)
{
	char line[320];

	(void)snprintf(line, sizeof(line), "cd %s && %s %s%s", work->path, command, work->path, path);
	assert_int_equal(system(line), 0);
}

static int set_up(void **state)
{
	struct work *work = calloc(1, sizeof(*work));

	(void)snprintf(work->path, sizeof(work->path), "/tmp/certdeploy-store.XXXXXX");
	assert_non_null(mkdtemp(work->path));
	*state = work;
	return 0;
}

static void end_planning(struct work *work)
{
	cd_changes_free(&work->changes);
	cd_overlay_free(&work->overlay);
	cd_host_close(&work->host);
	cd_problems_free(&work->problems);
	loading_end(&work->loading);
	work->changes = (struct cd_changes){0};
	work->overlay = (struct cd_overlay){0};
	work->problems = (struct cd_problems){0};
}

static int tear_down(void **state)
{
	struct work *work = *state;

	run("rm -rf", work, "");
	free(work);
	return 0;
}

static void begin(struct work *work)
{
	assert_int_equal(cd_host_open(&work->host, &work->problems, work->path), 0);
	work->loading = (struct loading){.load.need_key = true};
	work->request = (struct cd_store_request){.directory = STORE, .name = NAME, .now = NOW, .keep = 3};
}

static void add_leaf(struct work *work, const struct issued *leaf, bool with_chain)
{
	give(&work->loading, CERT, pem_certificate(leaf));
	give(&work->loading, KEY, pem_key(leaf));
	if (with_chain)
		give(&work->loading, CHAIN, pem_certificate(middle));
}

/* Plan what is loaded on a host of its own, and forget it. */
static int plan_once(void *data)
{
	const struct work *work = data;
	struct work again = {.request = work->request};
	int result = cd_host_open(&again.host, &again.problems, work->path);

	if (result == 0)
		result = cd_store_plan(&again.materials, &again.changes, &again.overlay, &again.host,
				       &again.request);
	end_planning(&again);
	return result;
}

static int plan(struct work *work)
{
	accept_code(&work->loading, "chain-incomplete");
	accept_code(&work->loading, "expired");
	assert_loads(&work->loading);
	work->request.certificates = &work->loading.certificates;
	short_of_everything(plan_once, work);
	return cd_store_plan(&work->materials, &work->changes, &work->overlay, &work->host, &work->request);
}

/* Plan one leaf with its chain. */
static int plan_leaf(struct work *work, const struct issued *leaf, int64_t now)
{
	begin(work);
	work->request.now = now;
	add_leaf(work, leaf, true);
	return plan(work);
}

/* Carry the changes out, without any care. */
static void carry_out(const struct work *work)
{
	for (size_t i = 0; i < work->changes.list.count; i++) {
		const struct cd_change *change = work->changes.list.items[i];
		char path[512], command[600];
		FILE *file;

		(void)snprintf(path, sizeof(path), "%s%s", work->path, change->path);
		switch (change->kind) {
		case CD_CHANGE_DIRECTORY:
			assert_int_equal(mkdir(path, change->mode), 0);
			break;
		case CD_CHANGE_LINK:
			(void)unlink(path);
			assert_int_equal(symlink(change->target, path), 0);
			break;
		case CD_CHANGE_REMOVE:
			(void)snprintf(command, sizeof(command), "rm -r %s", path);
			assert_int_equal(system(command), 0);
			break;
		case CD_CHANGE_FILE:
			file = fopen(path, "w");
			assert_non_null(file);
			assert_int_equal(fwrite(change->bytes, 1, change->length, file), change->length);
			assert_int_equal(fclose(file), 0);
			assert_int_equal(chmod(path, change->mode), 0);
		}
	}
}

static void install(struct work *work, const struct issued *leaf, int64_t now)
{
	assert_int_equal(plan_leaf(work, leaf, now), 0);
	carry_out(work);
	end_planning(work);
}

static const struct cd_change *change_of(const struct work *work, const char *name)
{
	for (size_t i = 0; i < work->changes.list.count; i++) {
		const struct cd_change *change = work->changes.list.items[i];
		const char *slash = strrchr(change->path, '/');

		if (strcmp(slash + 1, name) == 0)
			return change;
	}
	return NULL;
}

static bool told(const struct work *work, const char *code)
{
	for (size_t i = 0; i < work->problems.list.count; i++)
		if (strcmp(((struct certdeploy_problem *)work->problems.list.items[i])->code, code) == 0)
			return true;
	return false;
}

static void test_a_new_name(void **state)
{
	struct work *work = *state;
	const struct certdeploy_material *material;
	const struct cd_change *change;

	assert_int_equal(plan_leaf(work, rsa, NOW), 0);
	/* /etc, /etc/ssl, the store, the name, the generation; five files; the link */
	assert_int_equal(work->changes.list.count, 11);
	change = change_of(work, "key.pem");
	assert_int_equal(change->mode, 0600);
	assert_true(change->secret);
	assert_string_equal(change->bytes, pem_key(rsa));
	change = change_of(work, "combined.pem");
	assert_int_equal(change->mode, 0600);
	assert_true(change->secret);
	assert_string_equal(change->bytes,
			    joined(pem_key(rsa), pem_certificate(rsa), pem_certificate(middle), NULL));
	change = change_of(work, "fullchain.pem");
	assert_int_equal(change->mode, 0644);
	assert_false(change->secret);
	assert_string_equal(change->bytes, joined(pem_certificate(rsa), pem_certificate(middle), NULL));
	change = work->changes.list.items[10];
	assert_int_equal(change->kind, CD_CHANGE_LINK);
	assert_string_equal(change->path, STORE "/" NAME "/current");
	assert_int_equal(strncmp(change->target, "20270115T080000Z-", 17), 0);
	assert_true(change->compare);
	assert_false(change->before.exists);

	material = work->materials[0];
	assert_null(work->materials[1]);
	assert_string_equal(material->name, NAME);
	assert_string_equal(material->key_type, "rsa");
	assert_true(material->has_chain);
	assert_string_equal(material->paths.certificate, CURRENT "cert.pem");
	assert_string_equal(material->paths.key, CURRENT "key.pem");
	assert_string_equal(material->paths.chain, CURRENT "chain.pem");
	assert_string_equal(material->paths.fullchain, CURRENT "fullchain.pem");
	assert_string_equal(material->paths.combined, CURRENT "combined.pem");
	assert_non_null(strstr(material->building.key, "/20270115T080000Z-"));
	end_planning(work);
}

static void test_the_overlay_shows_certificates_but_no_key(void **state)
{
	static const char *const parts[] = {"cert", "chain", "fullchain", "key", "combined"};
	struct work *work = *state;
	const struct certdeploy_document *document;

	assert_int_equal(plan_leaf(work, rsa, NOW), 0);
	document = cd_table_get(&work->overlay.files, CURRENT "fullchain.pem");
	assert_string_equal(document->bytes, joined(pem_certificate(rsa), pem_certificate(middle), NULL));
	document = cd_table_get(&work->overlay.files, work->materials[0]->building.certificate);
	assert_string_equal(document->bytes, pem_certificate(rsa));
	assert_non_null(cd_table_get(&work->overlay.files, CURRENT "key.pem"));
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		const char *building = work->materials[0]->building.certificate;
		char path[256];

		(void)snprintf(path, sizeof(path), CURRENT "%s.pem", parts[i]);
		document = cd_table_get(&work->overlay.files, path);
		assert_null(strstr(document->bytes, "PRIVATE"));
		(void)snprintf(path, sizeof(path), "%.*s/%s.pem", (int)(strrchr(building, '/') - building),
			       building, parts[i]);
		document = cd_table_get(&work->overlay.files, path);
		assert_null(strstr(document->bytes, "PRIVATE"));
	}
	end_planning(work);
}

static void test_the_same_again_changes_nothing(void **state)
{
	struct work *work = *state;

	install(work, rsa, NOW);
	assert_int_equal(plan_leaf(work, rsa, NOW + 60), 0);
	assert_int_equal(work->changes.list.count, 0);
	assert_string_equal(work->materials[0]->paths.key, CURRENT "key.pem");
	assert_non_null(strstr(work->materials[0]->building.key, "/20270115T080000Z-"));
	assert_false(told(work, "key-reused"));
	end_planning(work);
}

static void test_a_renewal_is_a_new_generation(void **state)
{
	struct work *work = *state;
	struct issued *next =
		issue(&(struct wish){.names = "DNS:" NAME, .issuer = middle, .type = "rsa:2048"});
	const struct cd_change *change;

	install(work, rsa, NOW);
	assert_int_equal(plan_leaf(work, next, NOW + 60), 0);
	assert_int_equal(work->changes.list.count, 7);
	change = change_of(work, "current");
	assert_true(change->before.exists);
	assert_int_equal(strncmp(change->target, "20270115T080100Z-", 17), 0);
	assert_false(told(work, "key-reused"));
	end_planning(work);
}

static void test_two_generations_in_one_second(void **state)
{
	struct work *work = *state;

	install(work, rsa, NOW);
	/* The same leaf, without its chain. */
	begin(work);
	add_leaf(work, rsa, false);
	assert_int_equal(plan(work), 0);
	assert_int_equal(work->changes.list.count, 7);
	assert_non_null(strstr(change_of(work, "current")->target, ".1"));
	assert_string_equal(change_of(work, "chain.pem")->bytes, "");
	assert_false(work->materials[0]->has_chain);
	assert_null(work->materials[0]->paths.chain);
	end_planning(work);
}

static void test_no_name_is_left_in_one_second(void **state)
{
	struct work *work = *state;
	char path[512], current[128] = "";

	install(work, rsa, NOW);
	(void)snprintf(path, sizeof(path), "%s" STORE "/" NAME "/current", work->path);
	assert_true(readlink(path, current, sizeof(current) - 1) > 0);
	for (unsigned i = 1; i < 1000; i++) {
		(void)snprintf(path, sizeof(path), "%s" STORE "/" NAME "/%s.%u", work->path, current, i);
		assert_int_equal(mkdir(path, 0755), 0);
	}
	begin(work);
	add_leaf(work, rsa, false);
	accept_code(&work->loading, "chain-incomplete");
	assert_loads(&work->loading);
	work->request.certificates = &work->loading.certificates;
	assert_int_equal(plan_once(work), CERTDEPLOY_EFAILED);
	end_planning(work);
}

static void test_a_reused_key_is_said(void **state)
{
	struct work *work = *state;
	struct issued *next =
		issue(&(struct wish){.names = "DNS:" NAME, .issuer = middle, .key = rsa->key});

	install(work, rsa, NOW);
	assert_int_equal(plan_leaf(work, next, NOW + 60), 0);
	assert_true(told(work, "key-reused"));
	end_planning(work);
}

static void test_a_damaged_generation_is_made_again(void **state)
{
	struct work *work = *state;

	install(work, rsa, NOW);
	run("printf x >>", work, CURRENT "key.pem");
	assert_int_equal(plan_leaf(work, rsa, NOW + 60), 0);
	assert_int_equal(work->changes.list.count, 7);
	carry_out(work);
	end_planning(work);
	/* A key that others may read is no better. */
	run("chmod 644", work, CURRENT "combined.pem");
	assert_int_equal(plan_leaf(work, rsa, NOW + 120), 0);
	assert_int_equal(work->changes.list.count, 7);
	end_planning(work);
}

static void test_two_key_types(void **state)
{
	struct work *work = *state;

	begin(work);
	add_leaf(work, ec, true);
	give(&work->loading, CERT, pem_certificate(rsa));
	give(&work->loading, KEY, pem_key(rsa));
	assert_int_equal(plan(work), 0);
	assert_string_equal(work->materials[0]->key_type, "rsa");
	assert_string_equal(work->materials[0]->paths.certificate, CURRENT "cert.pem");
	assert_string_equal(work->materials[1]->key_type, "ecdsa");
	assert_string_equal(work->materials[1]->paths.certificate, CURRENT "cert-ecdsa.pem");
	assert_string_equal(work->materials[1]->paths.key, CURRENT "key-ecdsa.pem");
	assert_null(work->materials[2]);
	carry_out(work);
	end_planning(work);
	/* One of them again: the other is carried over, and nothing differs. */
	assert_int_equal(plan_leaf(work, ec, NOW + 60), 0);
	assert_int_equal(work->changes.list.count, 0);
	assert_true(told(work, "other-key-type"));
	assert_string_equal(work->materials[0]->paths.certificate, CURRENT "cert-ecdsa.pem");
	assert_string_equal(work->materials[1]->paths.certificate, CURRENT "cert.pem");
	end_planning(work);
}

static void test_file_names_stay_with_their_type(void **state)
{
	struct work *work = *state;

	install(work, ec, NOW);
	assert_int_equal(plan_leaf(work, rsa, NOW + 60), 0);
	assert_string_equal(work->materials[0]->key_type, "rsa");
	assert_string_equal(work->materials[0]->paths.certificate, CURRENT "cert-rsa.pem");
	assert_string_equal(work->materials[1]->paths.certificate, CURRENT "cert.pem");
	assert_string_equal(change_of(work, "cert.pem")->bytes, pem_certificate(ec));
	assert_string_equal(change_of(work, "key.pem")->bytes, pem_key(ec));
	end_planning(work);
}

static void test_another_type_that_is_not_good_any_more(void **state)
{
	struct work *work = *state;
	struct issued *wider = issue(&(struct wish){
		.names = "DNS:" NAME ",DNS:example.jp", .issuer = middle, .type = "rsa:2048"});

	install(work, ec, NOW);
	/* Too narrow for the new names. */
	assert_int_equal(plan_leaf(work, wider, NOW), CERTDEPLOY_EREFUSED);
	assert_true(told(work, "other-key-type"));
	end_planning(work);
	/* Out of date. */
	assert_int_equal(plan_leaf(work, rsa, NOW + 100 * DAY), CERTDEPLOY_EREFUSED);
	end_planning(work);
	/* Dropped on request, and its file names are free. */
	begin(work);
	work->request.drop_other_types = true;
	add_leaf(work, wider, true);
	assert_int_equal(plan(work), 0);
	assert_null(work->materials[1]);
	assert_string_equal(work->materials[0]->paths.certificate, CURRENT "cert.pem");
	assert_null(change_of(work, "cert-ecdsa.pem"));
	end_planning(work);
}

/* Types that are not given stay, each under its names; the plain ones are free when theirs is dropped. */
static void test_three_key_types(void **state)
{
	struct issued *third =
		issue(&(struct wish){.names = "DNS:" NAME, .issuer = middle, .type = "ed25519"});
	struct work *work = *state;

	install(work, ec, NOW);
	install(work, rsa, NOW + 1);
	assert_int_equal(plan_leaf(work, third, NOW + 2), 0);
	assert_string_equal(work->materials[0]->paths.certificate, CURRENT "cert-ed25519.pem");
	assert_non_null(work->materials[1]);
	assert_non_null(work->materials[2]);
	assert_null(work->materials[3]);
	end_planning(work);
	/* Not yet valid again, by the clock. */
	assert_int_equal(plan_leaf(work, third, NOW - 100 * DAY), CERTDEPLOY_EREFUSED);
	assert_true(told(work, "other-key-type"));
	end_planning(work);
	begin(work);
	work->request.drop_other_types = true;
	add_leaf(work, rsa, true);
	give(&work->loading, CERT, pem_certificate(third));
	give(&work->loading, KEY, pem_key(third));
	assert_int_equal(plan(work), 0);
	assert_string_equal(work->materials[0]->paths.certificate, CURRENT "cert-rsa.pem");
	assert_string_equal(work->materials[1]->paths.certificate, CURRENT "cert.pem");
	end_planning(work);
}

static void test_three_key_types_are_loaded(void **state)
{
	struct issued *third =
		issue(&(struct wish){.names = "DNS:" NAME, .issuer = middle, .type = "ed25519"});
	struct cd_certificates certificates = {0};
	struct cd_load load = {.need_key = true, .now = NOW};
	struct work *work = *state;

	install(work, ec, NOW);
	install(work, rsa, NOW + 1);
	install(work, third, NOW + 2);
	begin(work);
	assert_int_equal(cd_store_load(&certificates, &work->host, STORE, NAME, &load), 0);
	assert_int_equal(certificates.list.count, 3);
	for (size_t i = 0; i < 3; i++) {
		const char *key = ((struct cd_certificate *)certificates.list.items[i])->key_pem;

		assert_true(strcmp(key, pem_key(ec)) == 0 || strcmp(key, pem_key(rsa)) == 0 ||
			    strcmp(key, pem_key(third)) == 0);
	}
	cd_certificates_free(&certificates);
	end_planning(work);
}

/* What else may lie in a generation: none of it is taken for a certificate of ours. */
static void test_what_lies_in_a_generation(void **state)
{
	static const char *const names[] = {
		"certain.pem", "cert.txt",   "cert-a-name-that-is-far-too-long-for-us.pem",
		"cert-1.pem",  "cert-2.pem", "cert-3.pem",
		"cert-4.pem",  "cert-5.pem", "cert-6.pem",
		"cert-7.pem",  "cert-8.pem"};
	struct work *work = *state;
	struct cd_certificates certificates = {0};
	struct cd_load load = {.need_key = true, .now = NOW};
	char path[128];

	install(work, rsa, NOW);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(path, sizeof(path), CURRENT "%s", names[i]);
		run("echo junk >", work, path);
		assert_int_equal(plan_leaf(work, rsa, NOW + 60), 0);
		/* What is none of ours changes nothing; what might be one is left behind. */
		assert_int_equal(work->changes.list.count, i < 3 ? 0 : 7);
		end_planning(work);
	}
	run("rm -f", work, CURRENT "cert-*.pem");
	/* Two of other types, and none that has the plain name. */
	run("mv ." CURRENT "cert.pem", work, CURRENT "cert-a.pem");
	run("cp ." CURRENT "cert-a.pem", work, CURRENT "cert-b.pem");
	assert_int_equal(plan_leaf(work, rsa, NOW + 60), 0);
	assert_int_equal(work->changes.list.count, 7);
	end_planning(work);
	run("rm ." CURRENT "cert-b.pem; mv ." CURRENT "cert-a.pem", work, CURRENT "cert.pem");
	/* A certificate that is none any more is made again; a key that is gone is said. */
	run("echo junk >", work, CURRENT "cert.pem");
	assert_int_equal(plan_leaf(work, rsa, NOW + 60), 0);
	assert_int_equal(work->changes.list.count, 7);
	carry_out(work);
	end_planning(work);
	run("rm", work, CURRENT "key.pem");
	begin(work);
	assert_int_equal(cd_store_load(&certificates, &work->host, STORE, NAME, &load), CERTDEPLOY_EFAILED);
	cd_certificates_free(&certificates);
	end_planning(work);
}

/* The current one may be an old one, which somebody has gone back to, or none. */
static void test_the_current_generation_stays(void **state)
{
	static const char *const commands[] = {
		"ln -sfn $(ls ." STORE "/" NAME " | head -n 1)",
		"rm",
	};
	struct work *work = *state;

	for (int i = 0; i < 4; i++)
		install(work, issue(&(struct wish){.names = "DNS:" NAME, .issuer = middle}), NOW + i);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		run(commands[i], work, STORE "/" NAME "/current");
		assert_int_equal(plan_leaf(work, ec, NOW + 9), 0);
		for (size_t k = 0; i == 0 && k < work->changes.list.count; k++)
			if (((struct cd_change *)work->changes.list.items[k])->kind == CD_CHANGE_REMOVE)
				assert_null(strstr(((struct cd_change *)work->changes.list.items[k])->path,
						   "/20270115T080000Z-"));
		end_planning(work);
	}
}

static void test_a_store_of_one_component(void **state)
{
	struct work *work = *state;

	begin(work);
	work->request.directory = "/store";
	add_leaf(work, rsa, false);
	assert_int_equal(plan(work), 0);
	assert_string_equal(((struct cd_change *)work->changes.list.items[0])->path, "/store");
	carry_out(work);
	end_planning(work);
	/* And the same again, of which the chain is empty. */
	begin(work);
	work->request.directory = "/store";
	add_leaf(work, rsa, false);
	assert_int_equal(plan(work), 0);
	assert_int_equal(work->changes.list.count, 0);
	end_planning(work);
}

static void test_old_generations_go(void **state)
{
	struct work *work = *state;
	const struct cd_change *change;
	size_t removed = 0;

	for (int i = 0; i < 4; i++) {
		struct issued *next = issue(&(struct wish){.names = "DNS:" NAME, .issuer = middle});

		install(work, next, NOW + i);
	}
	/* Three are kept: the new one makes the second and third of the old ones the last. */
	assert_int_equal(
		plan_leaf(work, issue(&(struct wish){.names = "DNS:" NAME, .issuer = middle}), NOW + 9), 0);
	for (size_t i = 0; i < work->changes.list.count; i++) {
		change = work->changes.list.items[i];
		if (change->kind == CD_CHANGE_REMOVE) {
			removed++;
			assert_non_null(strstr(change->path, "/20270115T080001Z-"));
		}
	}
	assert_int_equal(removed, 1);
	end_planning(work);
}

static void test_chosen_paths(void **state)
{
	struct work *work = *state;
	const struct cd_change *change;

	run("mkdir -p", work, "/etc/pki");
	begin(work);
	work->request.name = NULL;
	work->request.chosen = &work->chosen;
	work->chosen =
		(struct certdeploy_paths){.certificate = "/etc/pki/site.crt", .key = "/etc/pki/site.key"};
	add_leaf(work, rsa, true);
	assert_int_equal(plan(work), 0);
	assert_int_equal(work->changes.list.count, 2);
	change = change_of(work, "site.crt");
	/* With no other place the chain goes behind the leaf. */
	assert_string_equal(change->bytes, joined(pem_certificate(rsa), pem_certificate(middle), NULL));
	assert_string_equal(work->materials[0]->paths.fullchain, "/etc/pki/site.crt");
	change = change_of(work, "site.key");
	assert_int_equal(change->mode, 0600);
	assert_true(change->secret);
	carry_out(work);
	end_planning(work);

	begin(work);
	work->request.name = NULL;
	work->request.chosen = &work->chosen;
	work->chosen =
		(struct certdeploy_paths){.certificate = "/etc/pki/site.crt", .key = "/etc/pki/site.key"};
	add_leaf(work, rsa, true);
	assert_int_equal(plan(work), 0);
	assert_int_equal(work->changes.list.count, 0);
	end_planning(work);
}

static void test_chosen_paths_for_every_part(void **state)
{
	struct work *work = *state;

	begin(work);
	work->request.chosen = &work->chosen;
	work->chosen = (struct certdeploy_paths){
		.certificate = "/p/c", .key = "/p/k", .chain = "/p/ch", .fullchain = "/p/f"};
	add_leaf(work, rsa, true);
	assert_int_equal(plan(work), 0);
	assert_string_equal(change_of(work, "c")->bytes, pem_certificate(rsa));
	assert_string_equal(change_of(work, "ch")->bytes, pem_certificate(middle));
	assert_string_equal(change_of(work, "f")->bytes,
			    joined(pem_certificate(rsa), pem_certificate(middle), NULL));
	/* With a name the store has it too, and builds read it there. */
	assert_non_null(change_of(work, "current"));
	assert_string_equal(work->materials[0]->paths.certificate, "/p/c");
	assert_int_equal(strncmp(work->materials[0]->building.certificate, STORE, strlen(STORE)), 0);
	end_planning(work);

	/* One file for both. */
	begin(work);
	work->request.name = NULL;
	work->request.chosen = &work->chosen;
	work->chosen = (struct certdeploy_paths){.certificate = "/p/x.pem", .key = "/p/x.pem"};
	add_leaf(work, rsa, true);
	assert_int_equal(plan(work), 0);
	assert_int_equal(work->changes.list.count, 1);
	assert_true(change_of(work, "x.pem")->secret);
	assert_string_equal(change_of(work, "x.pem")->bytes,
			    joined(pem_key(rsa), pem_certificate(rsa), pem_certificate(middle), NULL));
	end_planning(work);
}

static void test_chosen_paths_that_make_no_sense(void **state)
{
	struct work *work = *state;
	const struct certdeploy_paths wrong[] = {
		{.certificate = "/p/c"},
		{.key = "/p/k"},
		{.chain = "/p/ch", .key = "/p/k"},
	};

	for (size_t i = 0; i < 3; i++) {
		begin(work);
		work->request.name = NULL;
		work->chosen = wrong[i];
		work->request.chosen = &work->chosen;
		add_leaf(work, rsa, true);
		assert_int_equal(plan(work), CERTDEPLOY_EUSAGE);
		end_planning(work);
	}
	begin(work);
	work->request.name = NULL;
	work->chosen = (struct certdeploy_paths){.certificate = "/p/../c", .key = "/p/k"};
	work->request.chosen = &work->chosen;
	add_leaf(work, rsa, true);
	assert_int_equal(plan(work), CERTDEPLOY_EREFUSED);
	end_planning(work);
}

/* With a name and paths that are chosen there is one certificate; with none of a chain there is no such
 * file. */
static void test_chosen_paths_and_what_is_given(void **state)
{
	struct work *work = *state;

	begin(work);
	work->request.chosen = &work->chosen;
	work->chosen = (struct certdeploy_paths){.certificate = "/p/c", .key = "/p/k"};
	add_leaf(work, rsa, true);
	give(&work->loading, CERT, pem_certificate(ec));
	give(&work->loading, KEY, pem_key(ec));
	assert_int_equal(plan(work), CERTDEPLOY_EUSAGE);
	end_planning(work);

	begin(work);
	work->request.name = NULL;
	work->request.chosen = &work->chosen;
	work->chosen = (struct certdeploy_paths){.fullchain = "/p/f", .chain = "/p/ch", .key = "/p/k"};
	add_leaf(work, rsa, false);
	assert_int_equal(plan(work), 0);
	assert_string_equal(change_of(work, "f")->bytes, pem_certificate(rsa));
	assert_string_equal(work->materials[0]->paths.certificate, "/p/f");
	assert_null(work->materials[0]->paths.chain);
	end_planning(work);
}

/* A mistyped path costs no configuration; what is empty, or material in any form, is replaced. */
static void test_what_stands_at_a_chosen_path(void **state)
{
	static const struct {
		const char *command;
		int result;
		const char *code;
	} cases[] = {{"echo Listen 443 >", CERTDEPLOY_EREFUSED, "not-material"},
		     {"mkdir -p", CERTDEPLOY_EFAILED, "io-error"},
		     {":>", 0, NULL},
		     {"printf '0\\202' >", 0, NULL},
		     {"echo -----BEGIN CERTIFICATE----- >", 0, NULL}};
	struct work *work = *state;

	run("mkdir", work, "/p");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		run(cases[i].command, work, "/p/c");
		begin(work);
		work->request.name = NULL;
		work->request.chosen = &work->chosen;
		work->chosen = (struct certdeploy_paths){.certificate = "/p/c", .key = "/p/k"};
		add_leaf(work, rsa, true);
		assert_int_equal(plan(work), cases[i].result);
		assert_int_equal(work->changes.list.count, cases[i].result == 0 ? 2 : 0);
		if (cases[i].code != NULL)
			assert_true(told(work, cases[i].code));
		end_planning(work);
		run("rm -rf", work, "/p/c");
	}
}

/* What no caller of the tool can ask for, and the store refuses by itself. */
static void test_what_cannot_be_stored(void **state)
{
	static const char *const rules[] = {"nonsense", NULL};
	struct work *work = *state;
	struct cd_certificates many = {0};
	struct cd_certificate keyless;

	begin(work);
	add_leaf(work, rsa, true);
	assert_loads(&work->loading);
	for (size_t i = 0; i < 9; i++)
		assert_int_equal(cd_vector_add(&many.list, work->loading.certificates.list.items[0]), 0);
	work->request.certificates = &many;
	assert_int_equal(plan_once(work), CERTDEPLOY_EREFUSED);
	keyless = *(struct cd_certificate *)many.list.items[0];
	keyless.key_pem = NULL;
	many.list.items[0] = &keyless;
	many.list.count = 1;
	assert_int_equal(plan_once(work), CERTDEPLOY_EREFUSED);
	work->request.certificates = &work->loading.certificates;
	work->request.permissions = rules;
	assert_int_equal(plan_once(work), CERTDEPLOY_EUSAGE);
	cd_vector_free(&many.list);
	end_planning(work);
}

/* For a name that shall be new. */
static void test_a_name_that_is_taken(void **state)
{
	struct work *work = *state;

	for (int i = 0; i < 3; i++) {
		begin(work);
		work->request.fresh = true;
		add_leaf(work, i < 2 ? rsa : ec, true);
		assert_int_equal(plan(work), i < 2 ? 0 : CERTDEPLOY_EREFUSED);
		assert_int_equal(told(work, "name-taken"), i == 2);
		assert_int_equal(work->changes.list.count, i == 0 ? 11 : 0);
		if (i == 0)
			carry_out(work);
		end_planning(work);
	}
}

static void test_names_that_are_no_names(void **state)
{
	static const char *const names[] = {"../x", "a/b", ".", "", "-a", "A", "x\ny"};
	struct work *work = *state;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		begin(work);
		work->request.name = names[i];
		add_leaf(work, rsa, true);
		assert_int_equal(plan(work), CERTDEPLOY_EUSAGE);
		assert_int_equal(work->changes.list.count, 0);
		end_planning(work);
	}
}

static void test_a_store_that_others_may_change(void **state)
{
	struct work *work = *state;

	install(work, rsa, NOW);
	run("chmod 777", work, STORE);
	assert_int_equal(plan_leaf(work, rsa, NOW + 60), CERTDEPLOY_EREFUSED);
	assert_true(told(work, "unsafe-path"));
	end_planning(work);
}

/* The public key of what is installed. */
static const char *stored_key(struct work *work)
{
	struct cd_certificates certificates = {0};
	struct cd_load load = {.need_key = true, .now = NOW};
	const char *sha256;

	assert_int_equal(cd_store_load(&certificates, &work->host, STORE, NAME, &load), 0);
	sha256 = ((struct cd_certificate *)certificates.list.items[0])->report->public_key_sha256;
	sha256 = held_text(sha256, strlen(sha256));
	cd_certificates_free(&certificates);
	return sha256;
}

/* Ask whose key it is. owner: the answer; NULL: nobody's. read: so many names have been looked at by then.
 */
static void assert_owner(struct work *work, struct cd_loads *loads, const char *sha256, const char *owner,
			 size_t read)
{
	const char *name = NULL;

	assert_int_equal(cd_store_find_key(&name, &work->host, STORE, sha256, loads), 0);
	if (owner == NULL)
		assert_null(name);
	else
		assert_string_equal(name, owner);
	assert_int_equal(loads->keys_next, read);
}

/* Thousands of certificates without keys come in one run: the store is read once for all of them. */
static void test_whose_key_it_is(void **state)
{
	struct work *work = *state;
	struct cd_loads loads = {0};
	const char *sha256;

	install(work, rsa, NOW);
	run("mkdir", work, STORE "/a.example");
	run("mkdir", work, STORE "/z.example");
	begin(work);
	sha256 = stored_key(work);
	assert_owner(work, &loads, sha256, NAME, 2);
	run("rm -r", work, STORE "/" NAME);
	assert_owner(work, &loads, sha256, NAME, 2);
	assert_owner(work, &loads, "none", NULL, 3);
	cd_loads_free(&loads);
	end_planning(work);
}

/* The first name of a key is its owner's; what is no name of ours is not looked into. */
static void test_a_key_under_two_names(void **state)
{
	struct work *work = *state;
	struct cd_loads loads = {0};

	install(work, rsa, NOW);
	run("cp -a ." STORE "/" NAME, work, STORE "/z.example");
	run("cp -a ." STORE "/" NAME, work, STORE "/_no_name");
	begin(work);
	assert_owner(work, &loads, "none", NULL, 3);
	assert_owner(work, &loads, stored_key(work), NAME, 3);
	cd_loads_free(&loads);
	end_planning(work);
}

static void test_load_and_list(void **state)
{
	struct work *work = *state;
	struct cd_certificates certificates = {0};
	struct cd_vector reports = {0};
	struct cd_load load = {.need_key = true, .now = NOW};
	const struct certdeploy_certificate_report *report;

	install(work, rsa, NOW);
	run("mkdir", work, STORE "/junk");
	run("mkdir", work, STORE "/.hidden");
	run("touch", work, STORE "/a-file");
	begin(work);
	assert_int_equal(cd_store_load(&certificates, &work->host, STORE, NAME, &load), 0);
	assert_int_equal(certificates.list.count, 1);
	assert_string_equal(((struct cd_certificate *)certificates.list.items[0])->key_pem, pem_key(rsa));
	assert_string_equal(((struct cd_certificate *)certificates.list.items[0])->chain_pem,
			    pem_certificate(middle));
	cd_certificates_free(&certificates);
	assert_int_equal(cd_store_load(&certificates, &work->host, STORE, "none.example", &load),
			 CERTDEPLOY_EREFUSED);
	assert_true(told(work, "unknown-name"));
	cd_certificates_free(&certificates);
	assert_int_equal(cd_store_load(&certificates, &work->host, STORE, "../x", &load),
			 CERTDEPLOY_EUSAGE);
	cd_certificates_free(&certificates);

	/* Without its chain, as was accepted when it was stored: that is only noted then. */
	end_planning(work);
	begin(work);
	add_leaf(work, ec, false);
	work->request.drop_other_types = true;
	assert_int_equal(plan(work), 0);
	carry_out(work);
	end_planning(work);
	begin(work);
	assert_int_equal(cd_store_load(&certificates, &work->host, STORE, NAME, &load), 0);
	assert_true(told(work, "chain-incomplete"));
	cd_certificates_free(&certificates);

	assert_int_equal(cd_store_list(&reports, &work->host, STORE), 0);
	assert_int_equal(reports.count, 1);
	report = reports.items[0];
	assert_string_equal(report->name, NAME);
	assert_int_equal(report->not_after, NOW + 90 * DAY);
	cd_vector_free(&reports);
	assert_int_equal(cd_store_list(&reports, &work->host, "/none"), 0);
	assert_int_equal(reports.count, 0);
	end_planning(work);
}

/* No path can be made of it: there is nothing of it. */
static void test_a_store_whose_path_is_too_long(void **state)
{
	struct work *work = *state;
	struct cd_certificates certificates = {0};
	struct cd_vector reports = {0};
	struct cd_load load = {.now = NOW};
	static char path[PATH_MAX + 8];

	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	begin(work);
	give(&work->loading, CERT, pem_certificate(ec));
	load.pieces = work->loading.pieces;
	load.count = 1;
	assert_int_not_equal(cd_store_load_given(&certificates, &work->host, path, NAME, &load), 0);
	cd_certificates_free(&certificates);
	assert_int_not_equal(cd_store_load_given(&certificates, &work->host, STORE, NULL, &load), 0);
	cd_certificates_free(&certificates);
	assert_int_not_equal(cd_store_load_given(&certificates, &work->host, STORE, "../x", &load), 0);
	cd_certificates_free(&certificates);
	give(&work->loading, KEY, pem_key(ec));
	give(&work->loading, CHAIN, pem_certificate(middle));
	load.count = 3;
	assert_int_equal(cd_store_load_given(&certificates, &work->host, path, NAME, &load), 0);
	cd_certificates_free(&certificates);
	assert_int_equal(cd_store_describe(&reports, &work->host, path, NAME), 0);
	assert_int_equal(reports.count, 0);
	/* Too long for what lies deepest, but not for what is above it. */
	for (size_t length = PATH_MAX - 64; length < PATH_MAX; length++) {
		path[length] = '\0';
		assert_int_equal(cd_store_load_given(&certificates, &work->host, path, NAME, &load), 0);
		cd_certificates_free(&certificates);
		path[length] = 'x';
	}
	end_planning(work);
}

/* The newest requests are tried, not all that anybody ever made. */
static void test_the_keys_of_many_requests(void **state)
{
	struct work *work = *state;
	struct cd_certificates certificates = {0};
	struct cd_load load = {.need_key = true, .now = NOW};
	char path[128];

	install(work, rsa, NOW);
	for (unsigned i = 0; i < 17; i++) {
		(void)snprintf(path, sizeof(path), STORE "/" NAME "/requests/202701%02uT000000Z", i + 1);
		run("mkdir -p", work, path);
		(void)strcat(path, "/key.pem");
		run(i == 0 ? "mv ." CURRENT "key.pem" : "touch", work, path);
	}
	begin(work);
	give(&work->loading, CERT, pem_certificate(rsa));
	give(&work->loading, CHAIN, pem_certificate(middle));
	load.pieces = work->loading.pieces;
	load.count = 2;
	assert_int_not_equal(cd_store_load_given(&certificates, &work->host, STORE, NAME, &load), 0);
	assert_true(told(work, "key-missing"));
	cd_certificates_free(&certificates);
	run("rm -r", work, STORE "/" NAME "/requests/20270117T000000Z");
	assert_int_equal(cd_store_load_given(&certificates, &work->host, STORE, NAME, &load), 0);
	cd_certificates_free(&certificates);
	end_planning(work);
}

enum question { LOAD, COMPLETE, LIST, OWNER, QUESTIONS };

struct asking {
	const struct work *work;
	enum question question;
};

static int ask_once(void *data)
{
	static const char *const accepted[] = {"chain-incomplete", NULL};
	const struct asking *asking = data;
	struct cd_load load = {.need_key = true, .now = NOW};
	struct cd_certificates certificates = {0};
	struct work again = {.path = ""};
	struct cd_vector reports = {0};
	struct cd_loads loads = {0};
	const char *name = NULL;
	int result = cd_host_open(&again.host, &again.problems, asking->work->path);

	if (asking->question == COMPLETE) {
		load.pieces = asking->work->loading.pieces;
		load.count = 1;
		load.accepted = accepted;
	}
	if (result == 0 && asking->question == LOAD)
		result = cd_store_load(&certificates, &again.host, STORE, NAME, &load);
	else if (result == 0 && asking->question == COMPLETE)
		result = cd_store_load_given(&certificates, &again.host, STORE, NAME, &load);
	else if (result == 0 && asking->question == LIST)
		result = cd_store_list(&reports, &again.host, STORE);
	else if (result == 0)
		result = cd_store_find_key(&name, &again.host, STORE, "none", &loads);
	cd_loads_free(&loads);
	cd_vector_free(&reports);
	cd_certificates_free(&certificates);
	end_planning(&again);
	return result;
}

static void test_whatever_fails_while_it_is_read(void **state)
{
	struct asking asking = {.work = *state};
	struct work *work = *state;

	install(work, ec, NOW);
	install(work, issue(&(struct wish){.names = "DNS:" NAME, .issuer = middle, .type = "ed25519"}),
		NOW + 1);
	run("mkdir -p", work, STORE "/" NAME "/requests/20270101T000000Z");
	run("mkdir -p", work, STORE "/z.example/requests/20270101T000000Z");
	run("cp ." CURRENT "key.pem", work, STORE "/" NAME "/requests/20270101T000000Z");
	give(&work->loading, CERT, pem_certificate(ec));
	for (asking.question = LOAD; asking.question < QUESTIONS; asking.question++) {
		assert_int_equal(ask_once(&asking), 0);
		short_of_everything(ask_once, &asking);
	}
	loading_end(&work->loading);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_new_name),
		TEST(test_the_overlay_shows_certificates_but_no_key),
		TEST(test_the_same_again_changes_nothing),
		TEST(test_a_renewal_is_a_new_generation),
		TEST(test_two_generations_in_one_second),
		TEST(test_no_name_is_left_in_one_second),
		TEST(test_a_reused_key_is_said),
		TEST(test_a_damaged_generation_is_made_again),
		TEST(test_two_key_types),
		TEST(test_file_names_stay_with_their_type),
		TEST(test_another_type_that_is_not_good_any_more),
		TEST(test_three_key_types),
		TEST(test_three_key_types_are_loaded),
		TEST(test_what_lies_in_a_generation),
		TEST(test_the_current_generation_stays),
		TEST(test_a_store_of_one_component),
		TEST(test_old_generations_go),
		TEST(test_chosen_paths),
		TEST(test_chosen_paths_for_every_part),
		TEST(test_chosen_paths_that_make_no_sense),
		TEST(test_chosen_paths_and_what_is_given),
		TEST(test_what_stands_at_a_chosen_path),
		TEST(test_what_cannot_be_stored),
		TEST(test_a_name_that_is_taken),
		TEST(test_names_that_are_no_names),
		TEST(test_a_store_that_others_may_change),
		TEST(test_whose_key_it_is),
		TEST(test_a_key_under_two_names),
		TEST(test_load_and_list),
		TEST(test_a_store_whose_path_is_too_long),
		TEST(test_the_keys_of_many_requests),
		TEST(test_whatever_fails_while_it_is_read),
	};

	return cmocka_run_group_tests(tests, make_certificates, drop_certificates);
}
