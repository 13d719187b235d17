/* process_span.h - TAGALONG_PROCESS_SPANS: a span for the run of a short-lived program (otel.md 5.10).
 *
 * An INTERNAL span from the constructor to the exit; what the program starts and asks for, without a request
 * of its own, is its child: process_context becomes the span's. A program that a signal ends exports none.
 * One that replaces itself (exec) ends it first, without an exit code: its id goes on to the new program as a
 * parent and must exist. All of these do nothing when the setting is off. */
#ifndef TAGALONG_PROCESS_SPAN_H
#define TAGALONG_PROCESS_SPAN_H

void process_span_begin(void);        /* constructor, after process_context was read */
void process_span_end(int exit_code); /* -1: not known. The first call counts */
void process_span_forked(void);       /* child: it is the parent's to end */

#endif
