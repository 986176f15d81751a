/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* adapters.c - the adapters that are built in, and those that are loaded */
#include "host/adapters.h"

#include "base/file.h"
#include "base/text.h"
#include "host/host.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

extern const struct certdeploy_adapter cd_adapter_apache;
extern const struct certdeploy_adapter cd_adapter_postfix;
extern const struct certdeploy_adapter cd_adapter_dovecot;

static const struct certdeploy_adapter *const built_in[] = {
	&cd_adapter_apache,
	&cd_adapter_postfix,
	&cd_adapter_dovecot,
};

static int add(struct cd_adapters *adapters, const struct certdeploy_adapter *adapter, const char *file,
	       void *module)
{
	struct cd_adapter_entry *entry = cd_arena_alloc(&adapters->arena, sizeof(*entry));

	if (entry == NULL)
		return CERTDEPLOY_ENOMEM;
	entry->adapter = adapter;
	entry->module = module;
	entry->file = cd_arena_string(&adapters->arena, file);
	if (file != NULL && entry->file == NULL)
		return CERTDEPLOY_ENOMEM;
	return cd_vector_add(&adapters->list, entry);
}

#define ADAPTER_UNFIT problems, CERTDEPLOY_WARNING, "adapter-unfit", path, 0

/* Whether a module can be used; says why not. */
static bool is_fit(const struct cd_adapters *adapters, struct cd_problems *problems, const char *path,
		   const struct certdeploy_adapter *adapter)
{
	if (adapter == NULL)
		cd_problem(ADAPTER_UNFIT, _("the adapter is left out: the module exports no %s"),
			   CERTDEPLOY_ADAPTER_SYMBOL);
	else if (adapter->abi != CERTDEPLOY_ADAPTER_ABI)
		cd_problem(
			ADAPTER_UNFIT,
			_("the adapter is left out: it was made for interface %u, and this library has %u"),
			(unsigned)adapter->abi, (unsigned)CERTDEPLOY_ADAPTER_ABI);
	else if (adapter->size < sizeof(*adapter))
		cd_problem(
			ADAPTER_UNFIT,
			_("the adapter is left out: its structure has %u bytes, and this library's has %u"),
			(unsigned)adapter->size, (unsigned)sizeof(*adapter));
	else if (adapter->name == NULL || adapter->read == NULL || adapter->plan == NULL)
		cd_problem(ADAPTER_UNFIT, _("the adapter is left out: it has no name, read or plan"));
	else if (cd_adapters_find(adapters, adapter->name) != NULL)
		cd_problem(ADAPTER_UNFIT,
			   _("the adapter is left out: there is an adapter named %s already"),
			   adapter->name);
	else
		return true;
	return false;
}

/* dlopen() by descriptor: what was looked at is what is loaded. */
static int load(struct cd_adapters *adapters, struct cd_problems *problems, const struct cd_root *root,
		const char *path)
{
	const struct certdeploy_adapter *adapter = NULL;
	struct cd_place place;
	char name[64];
	const char *reason;
	size_t from = problems->list.count;
	void *module;
	int fd;

	if (cd_place_find(&place, problems, root, path, CD_TRUST_CHECK) != 0) {
		cd_problems_soften(problems, from);
		cd_problem(ADAPTER_UNFIT, _("the adapter is left out: others than root can change it, or "
					    "it cannot be reached"));
		return problems->out_of_memory ? CERTDEPLOY_ENOMEM : 0;
	}
	fd = openat(place.directory, place.name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	cd_place_close(&place);
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	module = fd == -1 ? NULL : dlopen(name, RTLD_NOW | RTLD_LOCAL);
	if (fd != -1)
		(void)close(fd);
	if (module == NULL) {
		reason = fd == -1 ? NULL : dlerror();
		cd_problem(ADAPTER_UNFIT, _("the adapter is left out: it cannot be loaded: %s"),
			   reason == NULL ? "?" : reason);
		return 0;
	}
	adapter = dlsym(module, CERTDEPLOY_ADAPTER_SYMBOL);
	if (is_fit(adapters, problems, path, adapter))
		return add(adapters, adapter, path, module);
	(void)dlclose(module);
	return 0;
}

static int load_all(struct cd_adapters *adapters, struct cd_problems *problems)
{
	struct cd_host host;
	const char *const *names = NULL;
	int result = cd_host_open(&host, problems, NULL);

	if (result == 0 && cd_host_directory(&names, &host, CD_ADAPTERDIR) != 0)
		names = NULL;
	for (; result == 0 && names != NULL && *names != NULL; names++) {
		const char *path = cd_arena_format(&adapters->arena, "%s/%s", CD_ADAPTERDIR, *names);

		if (path == NULL)
			result = CERTDEPLOY_ENOMEM;
		else if (cd_ends_with(*names, ".so"))
			result = load(adapters, problems, &host.root, path);
	}
	cd_host_close(&host);
	return result;
}

int cd_adapters_open(struct cd_adapters *adapters, struct cd_problems *problems)
{
	int result = 0;

	*adapters = (struct cd_adapters){0};
	for (size_t i = 0; result == 0 && i < sizeof(built_in) / sizeof(built_in[0]); i++)
		result = add(adapters, built_in[i], NULL, NULL);
	if (result == 0)
		result = load_all(adapters, problems);
	return result == CERTDEPLOY_ENOMEM ? cd_fail_memory(problems) : result;
}

void cd_adapters_close(struct cd_adapters *adapters)
{
	for (size_t i = 0; i < adapters->list.count; i++) {
		const struct cd_adapter_entry *entry = adapters->list.items[i];

		if (entry->module != NULL)
			(void)dlclose(entry->module);
	}
	cd_vector_free(&adapters->list);
	cd_arena_free(&adapters->arena);
}

const struct certdeploy_adapter *cd_adapters_find(const struct cd_adapters *adapters, const char *name)
{
	for (size_t i = 0; i < adapters->list.count; i++) {
		const struct cd_adapter_entry *entry = adapters->list.items[i];

		if (strcmp(entry->adapter->name, name) == 0)
			return entry->adapter;
	}
	return NULL;
}
