/* c_epoll_cap - epoll, a pool of 8 connections, calls wait for one.
 * rig: calls=1 */
#define KEEP
#define CAP 8
#include "loop.h"
