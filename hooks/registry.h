/* registry.h - every library we hook and every protocol we read, expanded from the two .def files. */
#ifndef TAGALONG_REGISTRY_H
#define TAGALONG_REGISTRY_H

#include "preload/hook.h"
#include "preload/protocol.h"

extern const struct hook_library *const registry_libraries[]; /* NULL-terminated */
extern const struct protocol *const registry_protocols[];     /* in sniffing order, NULL-terminated */
/* What identify() of HTTP's looks at: for protocol_settings.capture_request[CAPTURE_IDENTITY]. */
extern const struct bytes *const registry_request_fields;

#endif
