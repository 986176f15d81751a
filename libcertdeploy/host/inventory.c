/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* inventory.c - all services of this host and their endpoints */
#include "host/inventory.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_TIMEOUT 60

struct certdeploy_finder {
	struct cd_inventory *inventory;
	const struct certdeploy_adapter *adapter;
	struct cd_vector found; /* of struct cd_service, in the inventory's arena */
};

int certdeploy_found(struct certdeploy_finder *finder, const struct certdeploy_setting_value *settings)
{
	struct cd_problems *problems = finder->inventory->problems;
	struct cd_service *service = cd_arena_alloc(&finder->inventory->arena, sizeof(*service));

	if (service == NULL || cd_vector_add(&finder->found, service) != 0)
		return cd_fail_memory(problems);
	service->adapter = finder->adapter;
	service->arena = &finder->inventory->arena;
	for (; settings->key != NULL; settings++)
		if (cd_service_set(service, settings->key, settings->values) != 0)
			return cd_fail_memory(problems);
	service->name = cd_service_get(service, "name");
	if (service->name == NULL)
		service->name = finder->adapter->name;
	return 0;
}

static void free_found(struct certdeploy_finder *finder)
{
	for (size_t i = 0; i < finder->found.count; i++) {
		struct cd_service *service = finder->found.items[i];

		cd_vector_free(&service->settings);
	}
	cd_vector_free(&finder->found);
}

static int find_with(struct certdeploy_finder *finder)
{
	struct certdeploy_reading reading;
	int result;

	cd_reading_open(&reading, &finder->inventory->host, NULL, NULL);
	result = finder->adapter->find == NULL ? 0 : finder->adapter->find(&reading, finder);
	cd_reading_close(&reading);
	return result;
}

static struct cd_seen *add_service(struct cd_inventory *inventory, const struct certdeploy_adapter *adapter,
				   const char *name)
{
	struct cd_seen *seen = cd_arena_alloc(&inventory->arena, sizeof(*seen));

	if (seen == NULL)
		return NULL;
	seen->service.adapter = adapter;
	seen->service.arena = &inventory->arena;
	seen->service.name = cd_arena_string(&inventory->arena, name);
	seen->running = -1;
	cd_reading_open(&seen->reading, &inventory->host, &seen->service, NULL);
	if (seen->service.name == NULL || cd_vector_add(&inventory->services, seen) != 0)
		return NULL;
	return seen;
}

static int copy_settings(struct cd_seen *seen, const struct cd_vector *from)
{
	for (size_t i = 0; i < from->count; i++) {
		const struct cd_setting *setting = from->items[i];

		if (cd_service_set(&seen->service, setting->key, setting->values) != 0)
			return CERTDEPLOY_ENOMEM;
	}
	return 0;
}

static int set_names(struct cd_seen *seen)
{
	const char *name[] = {seen->service.name, NULL};
	const char *adapter[] = {seen->service.adapter->name, NULL};

	if (cd_service_set(&seen->service, "name", name) != 0 ||
	    cd_service_set(&seen->service, "adapter", adapter) != 0)
		return CERTDEPLOY_ENOMEM;
	return 0;
}

static bool is_wanted(const char *const *wanted, const char *name)
{
	return wanted == NULL || cd_in_list(wanted, name);
}

/* Every server that the adapters find. Two of one name get a number. */
static int search_host(struct cd_inventory *inventory, const char *const *wanted)
{
	int result = 0;

	for (size_t i = 0; result == 0 && i < inventory->adapters.list.count; i++) {
		const struct cd_adapter_entry *entry = inventory->adapters.list.items[i];
		struct certdeploy_finder finder = {.inventory = inventory, .adapter = entry->adapter};

		result = find_with(&finder);
		for (size_t j = 0; result == 0 && j < finder.found.count; j++) {
			const struct cd_service *service = finder.found.items[j];
			struct cd_seen *seen;

			if (!is_wanted(wanted, service->name))
				continue;
			seen = add_service(inventory, entry->adapter, service->name);
			if (seen == NULL || set_names(seen) != 0 ||
			    copy_settings(seen, &service->settings) != 0)
				result = cd_fail_memory(inventory->problems);
		}
		free_found(&finder);
	}
	return result;
}

static bool has_commands(const struct cd_service *service)
{
	return cd_service_list(service, "test") != NULL || cd_service_list(service, "reload") != NULL ||
	       cd_service_list(service, "restart") != NULL || cd_service_list(service, "start") != NULL;
}

/* What the file leaves unsaid about a server in its usual place is known from there. */
static int complete(struct cd_inventory *inventory, struct cd_seen *seen)
{
	struct certdeploy_finder finder = {.inventory = inventory, .adapter = seen->service.adapter};
	const char *config = cd_service_get(&seen->service, "config");
	int result = find_with(&finder);

	for (size_t i = 0; result == 0 && i < finder.found.count; i++) {
		const struct cd_service *found = finder.found.items[i];
		const char *place = cd_service_get(found, "config");

		if (config == NULL ? finder.found.count == 1 : place != NULL && strcmp(place, config) == 0)
			result = copy_settings(seen, &found->settings) == 0
					 ? 0
					 : cd_fail_memory(inventory->problems);
	}
	free_found(&finder);
	return result;
}

/* Those of any server; the others are its adapter's. */
static const char *const common_settings[] = {"config", "test",   "reload",   "restart", "start",
					      "stop",   "status", "pid_file", NULL};

/* One row is often copied for the next server: what another adapter asks for harms nobody. */
static bool is_setting(const struct cd_inventory *inventory, const char *key)
{
	bool known = cd_in_list(common_settings, key);

	for (size_t i = 0; !known && i < inventory->adapters.list.count; i++) {
		const struct cd_adapter_entry *entry = inventory->adapters.list.items[i];

		known = entry->adapter->settings != NULL && cd_in_list(entry->adapter->settings, key);
	}
	return known;
}

static int check_settings(struct cd_inventory *inventory, const struct certdeploy_adapter *adapter,
			  const struct cd_service_settings *settings)
{
	for (size_t i = 0; adapter->settings != NULL && i < settings->values.count; i++) {
		const struct cd_setting *setting = settings->values.items[i];

		if (!is_setting(inventory, setting->key))
			return cd_fail(inventory->problems, CERTDEPLOY_EREFUSED, "settings",
				       inventory->cd->settings.file, setting->line, "%s: %s",
				       cd_safe(&inventory->problems->arena, setting->key),
				       _("no such setting"));
	}
	return 0;
}

static int take_configured(struct cd_inventory *inventory, const struct cd_service_settings *settings)
{
	const struct certdeploy_adapter *adapter =
		cd_adapters_find(&inventory->adapters, settings->adapter);
	struct cd_seen *seen;

	if (adapter == NULL)
		return cd_fail(inventory->problems, CERTDEPLOY_EREFUSED, "settings",
			       inventory->cd->settings.file, settings->line,
			       _("there is no adapter named \"%s\""),
			       cd_safe(&inventory->problems->arena, settings->adapter));
	if (check_settings(inventory, adapter, settings) != 0)
		return CERTDEPLOY_EREFUSED;
	seen = add_service(inventory, adapter, settings->name);
	if (seen == NULL)
		return cd_fail_memory(inventory->problems);
	seen->configured = settings;
	if (set_names(seen) != 0 || copy_settings(seen, &settings->values) != 0)
		return cd_fail_memory(inventory->problems);
	return complete(inventory, seen);
}

static int choose_services(struct cd_inventory *inventory, const char *const *wanted)
{
	const struct cd_vector *configured = &inventory->cd->settings.services;
	int result = inventory->cd->settings.search ? search_host(inventory, wanted) : 0;

	for (size_t i = 0; result == 0 && i < configured->count; i++) {
		const struct cd_service_settings *settings = configured->items[i];

		if (is_wanted(wanted, settings->name))
			result = take_configured(inventory, settings);
	}
	for (; result == 0 && wanted != NULL && *wanted != NULL; wanted++) {
		bool there = false;

		for (size_t i = 0; i < inventory->services.count; i++) {
			const struct cd_seen *seen = inventory->services.items[i];

			there = there || strcmp(seen->service.name, *wanted) == 0;
		}
		if (!there)
			result = cd_fail(inventory->problems, CERTDEPLOY_EREFUSED, "unknown-service", NULL,
					 0, _("there is no service named \"%s\" on this host"),
					 cd_safe(&inventory->problems->arena, *wanted));
	}
	return result;
}

static int set_command(struct cd_seen *seen, const char *key, enum certdeploy_action action, bool ask,
		       const char *const **argv)
{
	*argv = cd_service_list(&seen->service, key);
	if (*argv != NULL && (*argv)[0] == NULL)
		*argv = NULL; /* an empty list: there is none */
	else if (*argv == NULL && ask && seen->service.adapter->command != NULL)
		return seen->service.adapter->command(&seen->reading, action, argv);
	return 0;
}

static int set_control(struct cd_seen *seen)
{
	const struct certdeploy_adapter *adapter = seen->service.adapter;
	struct cd_control *control = &seen->control;
	const struct cd_service_settings *configured = seen->configured;
	/* Commands of the usual place must not be aimed at a server whose commands were given in part. */
	bool ask = !has_commands(&seen->service);
	struct certdeploy_daemon daemon = {0};
	int result;

	*control = (struct cd_control){.name = seen->service.name, .adapter = adapter->name};
	control->timeout =
		configured == NULL || configured->timeout == 0 ? DEFAULT_TIMEOUT : configured->timeout;
	result = adapter->daemon == NULL ? 0 : adapter->daemon(&seen->reading, &daemon);
	if (result == 0)
		result = set_command(seen, "test", CERTDEPLOY_ACTION_TEST, ask, &control->test);
	if (result == 0)
		result = set_command(seen, "reload", CERTDEPLOY_ACTION_RELOAD, ask, &control->reload);
	if (result == 0)
		result = set_command(seen, "restart", CERTDEPLOY_ACTION_RESTART, ask, &control->restart);
	if (result == 0)
		result = set_command(seen, "start", CERTDEPLOY_ACTION_START, ask, &control->start);
	if (result == 0)
		result = set_command(seen, "stop", CERTDEPLOY_ACTION_STOP, ask, &control->stop);
	control->status = cd_service_list(&seen->service, "status");
	control->pid_file = cd_service_get(&seen->service, "pid_file");
	if (control->pid_file == NULL)
		control->pid_file = daemon.pid_file;
	control->programs = daemon.programs;
	seen->daemon = daemon;
	control->environment = daemon.environment;
	seen->reading.environment = daemon.environment;
	return result;
}

static int read_service(struct cd_inventory *inventory, struct cd_seen *seen)
{
	const struct certdeploy_adapter *adapter = seen->service.adapter;
	int result = adapter->read(&seen->reading);

	if (result == 0 && adapter->version != NULL)
		seen->version = adapter->version(&seen->reading);
	if (result == 0)
		result = set_control(seen);
	if (result == CERTDEPLOY_ENOTFOUND)
		result = cd_fail(inventory->problems, CERTDEPLOY_EREFUSED, "config-not-understood",
				 cd_service_get(&seen->service, "config"), 0,
				 _("the configuration of %s is not there"), seen->service.name);
	if (result == 0 && inventory->host.root.live)
		seen->running = cd_control_running(&seen->control, &inventory->host.root);
	return result;
}

int cd_inventory_open_only(struct cd_inventory *inventory, struct certdeploy *cd,
			   struct cd_problems *problems, const struct certdeploy_request *request,
			   const char *const *only, bool read)
{
	int result;

	*inventory = (struct cd_inventory){.cd = cd, .problems = problems, .host = {.root = {.fd = -1}}};
	result = cd_host_open(&inventory->host, problems, cd->root);
	inventory->host.accepted = cd_request_list(request, CERTDEPLOY_ACCEPT);
	if (result == 0)
		result = cd_adapters_open(&inventory->adapters, problems);
	if (result == 0)
		result = choose_services(inventory, only);
	for (size_t i = 0; result == 0 && read && i < inventory->services.count; i++) {
		struct cd_seen *seen = inventory->services.items[i];

		problems->service = cd_arena_string(&problems->arena, seen->service.name);
		seen->result = read_service(inventory, seen);
		seen->read = true;
		problems->service = NULL;
		if (seen->result == CERTDEPLOY_ENOMEM)
			result = CERTDEPLOY_ENOMEM;
		if (result == 0)
			result = cd_progress(cd, problems, seen->service.name, i + 1,
					     inventory->services.count);
	}
	return result;
}

int cd_inventory_open(struct cd_inventory *inventory, struct certdeploy *cd, struct cd_problems *problems,
		      const struct certdeploy_request *request, bool read)
{
	return cd_inventory_open_only(inventory, cd, problems, request,
				      cd_request_list(request, CERTDEPLOY_SERVICE), read);
}

void cd_inventory_close(struct cd_inventory *inventory)
{
	for (size_t i = 0; i < inventory->services.count; i++) {
		struct cd_seen *seen = inventory->services.items[i];

		cd_names_free(&seen->names);
		cd_reading_close(&seen->reading);
		cd_vector_free(&seen->service.settings);
	}
	cd_vector_free(&inventory->services);
	cd_host_close(&inventory->host);
	cd_adapters_close(&inventory->adapters);
	cd_arena_free(&inventory->arena);
}

int cd_inventory_result(const struct cd_inventory *inventory)
{
	for (size_t i = 0; i < inventory->services.count; i++) {
		const struct cd_seen *seen = inventory->services.items[i];

		if (seen->result != 0)
			return seen->result;
	}
	return 0;
}

int cd_inventory_reread(struct certdeploy_reading *reading, struct cd_inventory *inventory,
			const struct cd_seen *seen, const struct cd_overlay *overlay)
{
	cd_reading_open(reading, &inventory->host, &seen->service, overlay);
	reading->environment = seen->reading.environment;
	if (overlay->added.count == 0)
		reading->before = &seen->reading;
	return seen->service.adapter->read(reading);
}

bool cd_inventory_reads(const struct cd_inventory *inventory, const char *path)
{
	for (size_t i = 0; i < inventory->services.count; i++) {
		struct cd_seen *seen = inventory->services.items[i];

		if (seen->read && seen->result == 0 && seen->service.adapter->reads != NULL &&
		    seen->service.adapter->reads(&seen->reading, path))
			return true;
	}
	return false;
}
