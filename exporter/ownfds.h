/* ownfds.h - the exporter's descriptors: high, close-on-exec, known to the hooks, reopened when lost.
 *
 * A slot is read anew at each use: the host's dup2 may have moved what is in it. Slots are written by the
 * exporter's thread, by fork handlers and by ownfds_move(); read by any thread. What ownfds_add() answers
 * names one filling of a slot: once that is gone (a fork closes all), it names nothing, never the next one's
 * file. */
#ifndef TAGALONG_OWNFDS_H
#define TAGALONG_OWNFDS_H

#include <stdbool.h>

#define OWNFDS_MAX 8

int ownfds_add(int fd);       /* moves it high; answers its ticket, or -1 (fd closed) */
int ownfds_fd(int ticket);    /* -1: gone */
void ownfds_drop(int ticket); /* closes it, if it is still what was added */
bool ownfds_intact(
	int ticket); /* is it still what was added? If not it is forgotten and counted, not closed */
bool ownfds_is(int fd);
int ownfds_next(unsigned first, unsigned last); /* the lowest of them in that range, or -1 */
void ownfds_move(int fd);
void ownfds_close_all(void); /* in a forked child */

#endif
