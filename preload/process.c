#include "preload/process.h"

#include <stddef.h>

bool (*process_flush)(int timeout_ms);
void (*process_retire)(int timeout_ms);
void (*process_leave)(int timeout_ms);
void (*process_forked)(bool child);
