/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-threads.c - handles of different threads share nothing
 *
 * Each thread has a tree of its own and goes the whole way on it, in its own language, from a new handle
 * to the rollback, all at the same moment. Also run under helgrind and ThreadSanitizer; an argument says
 * how often.
 */
#include "unit.h"

#include "issue.h"
#include "tree.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#define THREADS 3

static const char *const files[][2] = {
	{"/etc/dovecot/dovecot.conf",
	 "protocols = imap\nssl = yes\nssl_cert = </etc/old.pem\nssl_key = </etc/old.key\n"},
	{"/etc/apache2/apache2.conf",
	 "ServerRoot /etc/apache2\nListen 443 https\n<VirtualHost *:443>\nServerName www.example.jp\n"
	 "SSLEngine on\nSSLCertificateFile /etc/old.pem\nSSLCertificateKeyFile "
	 "/etc/old.key\n</VirtualHost>\n"},
	{"/etc/postfix/main.cf", "myhostname = www.example.jp\nsmtpd_tls_security_level = may\n"
				 "smtpd_tls_chain_files = /etc/old.key, /etc/old.pem\n"},
	{"/etc/postfix/master.cf", "smtp inet n - y - - smtpd\n"},
};

struct thread {
	pthread_t id;
	pthread_barrier_t *together;
	char root[TREE_PATH];
	const char *language;
	const char *certificate;
	const char *key;
	int rounds;
	const char *failed; /* at which step, or NULL */
};

static const char *run(struct certdeploy *cd, struct certdeploy_request *request,
		       const struct thread *thread)
{
	struct certdeploy_result *result = NULL;
	const char *failed = NULL;

	if (certdeploy_request_add_memory(request, CERTDEPLOY_MATERIAL_CERT, thread->certificate,
					  strlen(thread->certificate), NULL) != 0 ||
	    certdeploy_request_add_memory(request, CERTDEPLOY_MATERIAL_KEY, thread->key,
					  strlen(thread->key), NULL) != 0 ||
	    certdeploy_request_add(request, CERTDEPLOY_ACCEPT, "self-signed") != 0 ||
	    certdeploy_request_set(request, CERTDEPLOY_ALL, 1) != 0)
		return "request";
	if (certdeploy_list(&result, cd, request) != 0)
		failed = "list";
	certdeploy_result_free(result);
	result = NULL;
	if (failed == NULL &&
	    (certdeploy_deploy(&result, cd, request) != 0 || !certdeploy_result_changed(result)))
		failed = "deploy";
	certdeploy_result_free(result);
	result = NULL;
	if (failed == NULL && certdeploy_rollback(&result, cd, request) != 0)
		failed = "rollback";
	certdeploy_result_free(result);
	return failed;
}

static void *work(void *argument)
{
	struct thread *thread = argument;
	struct certdeploy_options options = CERTDEPLOY_OPTIONS_INIT;

	options.root = thread->root;
	options.language = thread->language;
	(void)pthread_barrier_wait(thread->together);
	for (int i = 0; i < thread->rounds && thread->failed == NULL; i++) {
		struct certdeploy_request *request = NULL;
		struct certdeploy *cd = NULL;

		if (certdeploy_new(&cd, &options) != 0 || certdeploy_request_new(&request, cd) != 0)
			thread->failed = "new";
		else
			thread->failed = run(cd, request, thread);
		if (thread->failed != NULL && cd != NULL && certdeploy_error(cd) != NULL)
			print_error("%s: %s\n", thread->failed, certdeploy_error(cd)->message);
		certdeploy_request_free(request);
		certdeploy_free(cd);
	}
	return NULL;
}

static int rounds = 3;

static void test_handles(void **state)
{
	static const char *const languages[THREADS] = {NULL, "ja", "C"};
	struct thread threads[THREADS] = {0};
	pthread_barrier_t together;

	(void)state;
	assert_int_equal(pthread_barrier_init(&together, NULL, THREADS), 0);
	for (int i = 0; i < THREADS; i++) {
		const struct issued *issued = issue(&(struct wish){.name = "www.example.jp",
								   .names = "DNS:www.example.jp",
								   .type = i == 0 ? "rsa:2048" : "ec:P-256",
								   .from = (int64_t)time(NULL) - DAY,
								   .to = (int64_t)time(NULL) + 30 * DAY});

		threads[i].together = &together;
		threads[i].rounds = rounds;
		threads[i].language = languages[i];
		threads[i].certificate = pem_certificate(issued);
		threads[i].key = pem_key(issued);
		tree_make(threads[i].root, "threads");
		for (size_t k = 0; k < sizeof(files) / sizeof(files[0]); k++)
			tree_put(threads[i].root, files[k][0], files[k][1], strlen(files[k][1]));
	}
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i].id, NULL, work, &threads[i]), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i].id, NULL), 0);
	for (int i = 0; i < THREADS; i++) {
		tree_remove(threads[i].root);
		if (threads[i].failed != NULL)
			fail_msg("thread %d: %s", i, threads[i].failed);
	}
	assert_int_equal(pthread_barrier_destroy(&together), 0);
	issue_end();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_handles)};

	if (argc > 1)
		rounds = atoi(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
