#!/usr/bin/env bash
# Whose call is it? The accuracy rig (tests/causality/), in short: every way to hand on a request that C has, the traps, a proxy;
# once in peace, and some of it under a hostile scheduler. `make causality` is all of it.
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
rig=$top/tests/causality
failed=0
LEVELS=24 REQUESTS=300 ABORT=30 bash "$rig/run.sh" c_thread c_pool_socket c_pool_lock c_postgres c_mariadb c_prefork c_task_condvar c_task_pipe c_task_mq c_task_msg c_task_pair glib_pool glib_queue apr_pool uv_work uv_timer c_task_sometimes 'c_epoll_*' co_ucontext libuv libevent glib \
	nginx nginx_kept nginx_parent nginx_https lighttpd apache_event 'neg_*' || failed=1
LEVELS=24 REQUESTS=300 ABORT=100 STRESS=200 bash "$rig/run.sh" c_thread c_pool_lock c_task_sometimes c_epoll_pool_chain c_epoll_cap_fanout c_epoll_timer c_epoll_tail neg_background \
	c_task_pipe glib_pool uv_work 'neg_task_*' c_task_condvar neg_cond_batch neg_cond_two neg_uv_cap ||
	failed=1
exit $failed
