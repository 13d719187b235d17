/* transport.h - where batches go. One vtable a destination; all calls on the exporter's thread. */
#ifndef TAGALONG_TRANSPORT_H
#define TAGALONG_TRANSPORT_H

#include "exporter/otlp.h"
#include "preload/config.h"

enum delivery {
	DELIVERED,
	REFUSED,   /* counted by the transport: not to be sent again */
	POSTPONED, /* the destination cannot be reached now: the batch may be kept */
};

struct transport {
	enum config_exporter kind;
	const char *name;
	void (*start)(void);
	enum delivery (*spans)(const struct batch *batch);
	enum delivery (*metrics)(void);
	void (*stop)(void);         /* gives descriptors and memory back */
	const char *(*where)(void); /* for the statistics line */
};

extern const struct transport transport_otlp, transport_file, transport_stdout, transport_console;

/* exporter.c, for transports that wait: sleeps up to ms, less when a flush or the end is asked for. False: it
 * was cut short, and no further waiting is wanted. */
bool exporter_pause(uint64_t ms);
bool exporter_ending(void);
/* When the process must be through with exporting (monotonic ns); UINT64_MAX as long as it is not ending. */
uint64_t exporter_deadline(void);

#endif
