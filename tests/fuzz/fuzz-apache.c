/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-apache.c - a configuration of Apache, whatever it holds
 *
 * The first part of the input is the main file; a line "=== NAME" begins another. Certificates of old are
 * /r.pem, RSA, and /e.pem, ECDSA. What is read is given certificates, at every place that serves TLS or
 * for one virtual host alone, of one key type or of two, as the input's own sum says; then it is read
 * again over the edits. What was meant must serve them, nothing else may serve anything new, and the
 * second time there is nothing to do.
 */
#include "fuzz.h"

#include "adapters/apache/adapter.h"
#include "change/edits.h"
#include "host/reading.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STORE "/store/x/current/"

extern const struct certdeploy_adapter cd_adapter_apache;

static const char *const names[] = {"a.test", NULL};
static const struct certdeploy_material rsa = {
	.name = "x",
	.key_type = "rsa",
	.sha256 = "00",
	.names = names,
	.has_chain = true,
	.paths = {STORE "cert.pem", STORE "key.pem", STORE "chain.pem", STORE "fullchain.pem",
		  STORE "combined.pem"},
};
static const struct certdeploy_material ec = {
	.name = "x",
	.key_type = "ecdsa",
	.sha256 = "01",
	.names = names,
	.has_chain = true,
	.paths = {STORE "ec-cert.pem", STORE "ec-key.pem", STORE "chain.pem", STORE "ec-fullchain.pem",
		  STORE "ec-combined.pem"},
};
static const struct certdeploy_material *const choices[][3] = {
	{&rsa, NULL},
	{&ec, NULL},
	{&rsa, &ec, NULL},
};

/* For a.test, until 2126. */
static const char old_rsa[] = "-----BEGIN CERTIFICATE-----\n"
			      "MIIDGDCCAgCgAwIBAgIUYupnf/0FzM97Yj03+l2VtlFxi8kwDQYJKoZIhvcNAQEL\n"
			      "BQAwETEPMA0GA1UEAwwGYS50ZXN0MCAXDTI2MTEyOTA4MzkwMVoYDzIxMjYxMTA1\n"
			      "MDgzOTAxWjARMQ8wDQYDVQQDDAZhLnRlc3QwggEiMA0GCSqGSIb3DQEBAQUAA4IB\n"
			      "DwAwggEKAoIBAQCuPoBbDKqS0rCoEcfo93hd4CKdfKItnuU5s3MSeqQkUiwlFi+r\n"
			      "uXiYIZX7QzDhj1J7xESQa1LwC+SH6eeeL4AbjxnZL0urVb5UVlVMUTZhYs3AoqQ3\n"
			      "trGMUSQ3bSOOU3U3VT+NVJPTCiqvOPOIurjr0Tb4DQ/drm8fqJHr2PELZOSQuHp6\n"
			      "pjFk+XbCe3S5IhPhkA7V1UCNH0kdZEthpWOgE+BY7i5oVkeWImiR+3JFMJjpJDdo\n"
			      "Ztn250JLKbXFaX747aXeclSJ/WGLwKVi/BpRXyW/6XSkGQK/OahVhSJnAOyp3Oi8\n"
			      "nXD8paXg1+WaAdHeCA4Z23QTeog84MklEv3/AgMBAAGjZjBkMB0GA1UdDgQWBBSu\n"
			      "YVKKc/dzkHlaTDk25UTJZHe1sjAfBgNVHSMEGDAWgBSuYVKKc/dzkHlaTDk25UTJ\n"
			      "ZHe1sjAPBgNVHRMBAf8EBTADAQH/MBEGA1UdEQQKMAiCBmEudGVzdDANBgkqhkiG\n"
			      "9w0BAQsFAAOCAQEADM691ul1Amft8QFcHYzO6MrQJPW/6ZYgFy1e366gIlhVNdo+\n"
			      "BxDZ96ON40lG0ya2Jp0jhN6tKyBQ9GOveI7cPcuAVK37shi4pA/ZBNDvxd/Y9rAZ\n"
			      "vNpHr7fx5LVWsmwbkpNy81+ZAkR/YdCRAJv/mPsFJBsKbhobUclbjX2iLJwRBf0+\n"
			      "CalychDIBp8TFfCV8h3+9fQT+511Uv8LrIHQB9KRj1oUlPXLPZN4qTPg3R6miOP1\n"
			      "mKV1Ayl6rHU9K/R122450kK3DX7NgM7Q7RfRwoWTehpXwMDMx4qmIiEo3ko8Y2fD\n"
			      "ZxW13oUio/eMwSbPr/bQ0Et/TbY7vJY9joXA2Q==\n"
			      "-----END CERTIFICATE-----\n";
static const char old_ec[] = "-----BEGIN CERTIFICATE-----\n"
			     "MIIBjDCCATKgAwIBAgIUQPkvzlUdvcuMN7hjZoQVhBEknQIwCgYIKoZIzj0EAwIw\n"
			     "ETEPMA0GA1UEAwwGYS50ZXN0MCAXDTI2MTEyOTA4MzkwMloYDzIxMjYxMTA1MDgz\n"
			     "OTAyWjARMQ8wDQYDVQQDDAZhLnRlc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC\n"
			     "AAREscXpqEpWSy1hkGRC87XEGLf9i25OGRkwxNTURs5VO+zgUVHGWfViYGdRlDPw\n"
			     "GnXjfi5yn+vdJHaehNvgym/eo2YwZDAdBgNVHQ4EFgQUCIXEyuoHzeIl/9EBKkJ0\n"
			     "Hh0341cwHwYDVR0jBBgwFoAUCIXEyuoHzeIl/9EBKkJ0Hh0341cwDwYDVR0TAQH/\n"
			     "BAUwAwEB/zARBgNVHREECjAIggZhLnRlc3QwCgYIKoZIzj0EAwIDSAAwRQIhAOMT\n"
			     "ulwpfAv/QsosG4/t98+gOMHXSn12g2wzU5kZCcmwAiBgdv2Rj3vDNf6F90rhx/88\n"
			     "69FhcjVaVCWxz42VBbIxTQ==\n"
			     "-----END CERTIFICATE-----\n";

/* What is asked for. */
struct wish {
	const struct certdeploy_material *const *materials;
	size_t position; /* of the endpoint whose virtual host gets it */
	bool all;
	bool drop;
};

struct input {
	const char *data;
	size_t size;
};

static struct wish wish_of(const struct input *input, size_t count)
{
	uint32_t sum = 2166136261U;

	for (size_t i = 0; i < input->size; i++)
		sum = (sum ^ (unsigned char)input->data[i]) * 16777619U;
	return (struct wish){.materials = choices[sum % 3],
			     .position = count == 0 ? 0 : sum / 12 % count,
			     .all = (sum / 3 & 1) != 0,
			     .drop = (sum / 6 & 1) != 0};
}

/* Every file of the input as an edit lays it over the (empty) root. */
static int lay_files(struct cd_overlay *overlay, struct cd_problems *problems, const char *data,
		     size_t size)
{
	char path[64] = "/etc/apache2/apache2.conf";
	const char *end = data + size;
	int result = cd_overlay_file(overlay, problems, "/r.pem", old_rsa, sizeof(old_rsa) - 1);

	if (result == 0)
		result = cd_overlay_file(overlay, problems, "/e.pem", old_ec, sizeof(old_ec) - 1);
	while (result == 0) {
		const char *mark = memmem(data, (size_t)(end - data), "\n=== ", 5), *name, *newline;
		size_t length;

		result = cd_overlay_file(overlay, problems, cd_arena_string(&overlay->arena, path), data,
					 (size_t)((mark == NULL ? end : mark + 1) - data));
		if (mark == NULL)
			break;
		name = mark + 5;
		newline = memchr(name, '\n', (size_t)(end - name));
		length = (size_t)((newline == NULL ? end : newline) - name);
		if (length == 0 || length > 16 || memchr(name, '/', length) != NULL ||
		    memchr(name, '\0', length))
			break;
		(void)snprintf(path, sizeof(path), "/etc/apache2/%.*s", (int)length, name);
		data = newline == NULL ? end : newline + 1;
	}
	return result;
}

static bool is_wished(const struct wish *wish, const struct certdeploy_endpoint *const *all,
		      const struct certdeploy_endpoint *endpoint)
{
	return endpoint->tls && endpoint->untouchable == NULL &&
	       (wish->all || endpoint->decider == all[wish->position]->decider);
}

/*
 * Whether one that is decided by the same virtual host is wished, or the main server, of which the others
 * inherit: the library refuses what reaches too far then.
 */
static bool goes_along(const struct wish *wish, const struct certdeploy_endpoint *const *all, size_t count,
		       const struct certdeploy_endpoint *endpoint)
{
	for (size_t i = 0; i < count; i++) {
		const struct apache_answer *answer = all[i]->own;

		if (is_wished(wish, all, all[i]) &&
		    (all[i]->decider == endpoint->decider || answer->set == NULL))
			return true;
	}
	return false;
}

static bool serves(const struct certdeploy_endpoint *endpoint, const struct certdeploy_material *material)
{
	for (size_t i = 0; i < endpoint->pair_count; i++)
		if (strcmp(endpoint->pairs[i].key, material->paths.key) == 0 &&
		    (strcmp(endpoint->pairs[i].certificate, material->paths.fullchain) == 0 ||
		     strcmp(endpoint->pairs[i].certificate, material->paths.certificate) == 0))
			return true;
	return false;
}

static bool serves_the_same(const struct certdeploy_endpoint *one, const struct certdeploy_endpoint *other)
{
	if (one->pair_count != other->pair_count)
		return false;
	for (size_t i = 0; i < one->pair_count; i++)
		if (strcmp(one->pairs[i].certificate, other->pairs[i].certificate) != 0 ||
		    strcmp(one->pairs[i].key, other->pairs[i].key) != 0)
			return false;
	return true;
}

/* Give the endpoints what is wished. Returns as the adapter's plan(). */
static int give(struct certdeploy_reading *reading, const struct wish *wish, struct certdeploy_edits *edits)
{
	struct certdeploy_assignment assignments[256];
	size_t count, used = 0;
	const struct certdeploy_endpoint *const *all = certdeploy_endpoints(reading, &count);

	for (size_t i = 0; i < count && used < 256; i++)
		if (is_wished(wish, all, all[i]))
			assignments[used++] =
				(struct certdeploy_assignment){all[i], wish->materials, wish->drop};
	return used == 256 ? CERTDEPLOY_EREFUSED
			   : cd_adapter_apache.plan(reading, assignments, used, edits);
}

/*
 * Keys or certificates that stand alone are paired with what comes first: a host that was mended may then
 * be understood in another way than before.
 */
static bool stand_in_pairs(const struct apache_model *model)
{
	bool pairs = model->main.counts[APACHE_CERTIFICATE] == model->main.counts[APACHE_KEY];

	for (const struct apache_host *host = model->hosts; host != NULL; host = host->next)
		pairs = pairs && host->counts[APACHE_CERTIFICATE] == host->counts[APACHE_KEY];
	return pairs;
}

static void check_after(const struct certdeploy_reading *reading, struct cd_problems *problems,
			const struct input *input, const struct certdeploy_edits *edits,
			const struct wish *wish)
{
	struct certdeploy_edits nothing = {.problems = problems};
	struct certdeploy_reading again;
	struct cd_overlay overlay = {0};
	bool nul = memchr(input->data, '\0', input->size) != NULL;
	size_t count, wanted;
	const struct certdeploy_endpoint *const *before = certdeploy_endpoints(reading, &wanted),
						*const * all;
	int result = lay_files(&overlay, problems, input->data, input->size);

	for (size_t i = 0; result == 0 && i < edits->files.count; i++) {
		const struct cd_file_edit *file = edits->files.items[i];

		result = cd_overlay_file(&overlay, problems, file->path, file->bytes, file->length);
	}
	FUZZ_ASSERT(result == 0);
	cd_reading_open(&again, reading->host, reading->service, &overlay);
	result = cd_adapter_apache.read(&again);
	/* A line with a NUL is understood up to a length, which the new paths may go beyond. */
	FUZZ_ASSERT(result == 0 || nul);
	if (result != 0 || nul || !stand_in_pairs(certdeploy_model(reading)))
		goto end;
	all = certdeploy_endpoints(&again, &count);
	FUZZ_ASSERT(count == wanted);
	for (size_t i = 0; i < count; i++) {
		bool wished = is_wished(wish, before, before[i]);

		for (size_t j = 0; wished && wish->materials[j] != NULL; j++)
			FUZZ_ASSERT(serves(all[i], wish->materials[j]));
		FUZZ_ASSERT(serves_the_same(all[i], before[i]) ||
			    goes_along(wish, before, count, before[i]));
	}
	result = give(&again, wish, &nothing);
	/* That nothing is left to do is seen on the real server: there are odd inputs where a line moves
	 * again. */
	FUZZ_ASSERT(result == CERTDEPLOY_EREFUSED || (result == 0 && cd_edits_render(&nothing) == 0));
end:
	cd_edits_free(&nothing);
	cd_reading_close(&again);
	cd_overlay_free(&overlay);
}

static void plan(struct certdeploy_reading *reading, struct cd_problems *problems,
		 const struct input *input)
{
	struct certdeploy_edits edits = {.problems = problems};
	size_t count;
	struct wish wish;

	(void)certdeploy_endpoints(reading, &count);
	wish = wish_of(input, count);
	if (give(reading, &wish, &edits) == 0 && cd_edits_render(&edits) == 0)
		check_after(reading, problems, input, &edits, &wish);
	cd_edits_free(&edits);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const config[] = {"/etc/apache2/apache2.conf", NULL};
	struct cd_problems problems = {0};
	struct cd_overlay overlay = {0};
	struct cd_arena arena = {0};
	struct cd_service service = {.name = "apache", .adapter = &cd_adapter_apache, .arena = &arena};
	struct certdeploy_reading reading;
	struct cd_host host;
	char root[] = "/tmp/certdeploy-fuzz.XXXXXX";

	if (mkdtemp(root) == NULL)
		return 0;
	FUZZ_ASSERT(cd_host_open(&host, &problems, root) == 0);
	FUZZ_ASSERT(cd_service_set(&service, "config", config) == 0);
	cd_reading_open(&reading, &host, &service, &overlay);
	if (lay_files(&overlay, &problems, (const char *)data, size) == 0) {
		int result = cd_adapter_apache.read(&reading);

		FUZZ_ASSERT(result == 0 || result == CERTDEPLOY_EREFUSED || result == CERTDEPLOY_ENOMEM);
		FUZZ_ASSERT(result == 0 || cd_problems_error(&problems, 0) != NULL);
		if (result == 0)
			plan(&reading, &problems, &(struct input){(const char *)data, size});
	}
	cd_reading_close(&reading);
	cd_overlay_free(&overlay);
	cd_host_close(&host);
	cd_vector_free(&service.settings);
	cd_arena_free(&arena);
	cd_problems_free(&problems);
	(void)rmdir(root);
	return 0;
}
