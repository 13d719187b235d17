#include "hooks/registry.h"

#include "hooks/protocols/http_describe.h"

#define LIBRARY(name) extern const struct hook_library hook_library_##name;
#include "hooks/libraries.def"
#undef LIBRARY
#define PROTOCOL(name) extern const struct protocol protocol_##name;
#include "hooks/protocols/protocols.def"
#undef PROTOCOL

const struct hook_library *const registry_libraries[] = {
#define LIBRARY(name) &hook_library_##name,
#include "hooks/libraries.def"
#undef LIBRARY
	NULL,
};

const struct protocol *const registry_protocols[] = {
#define PROTOCOL(name) &protocol_##name,
#include "hooks/protocols/protocols.def"
#undef PROTOCOL
	NULL,
};

const struct bytes *const registry_request_fields = http_identity_fields;
