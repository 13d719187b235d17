/* readable.h - may this memory of the host's be read?
 *
 * A host that passes a bad pointer must get EFAULT from the kernel, not a crash in us. Where we have to look
 * at its bytes before the kernel does (a client's write, a connect address), this asks first: the near stack
 * and pages that were asked about lately are taken as good; else the kernel is asked, for every page of the
 * range. */
#ifndef TAGALONG_READABLE_H
#define TAGALONG_READABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

bool readable(const void *ptr, size_t len);
bool readable_iov(const struct iovec *iov, int iovcnt); /* the array and what it points to */

#endif
