/* check_path.c - from a name to the file that will really run; see check.h. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "exporter/cli/check.h"
#include "exporter/cli/text.h"

#define MOST_SCRIPTS 5 /* the kernel gives up there too */

static bool problem(struct check_target *target, const char *what, int why)
{
	char shown[256];

	text_escape_string(shown, sizeof(shown), target->path[0] ? target->path : target->asked);
	snprintf(target->problem, sizeof(target->problem), "%s: %s%s%s", shown, what, why ? ": " : "",
		 why ? strerror(why) : "");
	return false;
}

static bool is_program(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & 0111);
}

/* As execvp() looks for it: a name with a slash is a path. */
static bool search(const char *name, char *out, size_t cap)
{
	const char *list = getenv("PATH");

	if (strchr(name, '/'))
		return (size_t)snprintf(out, cap, "%s", name) < cap;
	if (!list)
		list = "/bin:/usr/bin";
	while (name[0]) {
		size_t len = strcspn(list, ":");
		if ((size_t)snprintf(out, cap, "%.*s%s%s", (int)len, list, len ? "/" : "", name) < cap &&
		    is_program(out))
			return true;
		if (!list[len])
			break;
		list += len + 1;
	}
	out[0] = '\0';
	return false;
}

/* Set-user-id and file capabilities make the loader drop LD_PRELOAD, unless they change nothing. */
static void look_for_privilege(struct check_target *target, const struct stat *status)
{
	struct passwd *owner;
	char name[32];

	if ((status->st_mode & S_ISUID)) {
		owner = getpwuid(status->st_uid);
		text_escape_string(name, sizeof(name), owner ? owner->pw_name : "another user");
		snprintf(target->privilege, sizeof(target->privilege), "set-user-id %s", name);
		target->privileged = status->st_uid != getuid();
	} else if ((status->st_mode & S_ISGID) && (status->st_mode & S_IXGRP)) {
		snprintf(target->privilege, sizeof(target->privilege), "set-group-id %u",
			 (unsigned)status->st_gid);
		target->privileged = status->st_gid != getgid();
	} else if (fgetxattr(target->fd, "security.capability", NULL, 0) > 0) {
		snprintf(target->privilege, sizeof(target->privilege), "file capabilities");
		target->privileged = getuid() != 0;
	}
}

static bool open_target(struct check_target *target)
{
	struct stat status;

	if (target->fd >= 0)
		close(target->fd);
	target->fd = -1;
	if (stat(target->path, &status) < 0)
		return problem(target, "cannot be found", errno);
	/* Opened only now: opening a FIFO or a device may block or do something. */
	if (!S_ISREG(status.st_mode))
		return problem(target, S_ISDIR(status.st_mode) ? "is a directory" : "is no regular file", 0);
	target->fd = open(target->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (target->fd < 0)
		return problem(target, "cannot be read", errno);
	if (fstat(target->fd, &status) == 0)
		look_for_privilege(target, &status);
	return true;
}

/* One blank-separated word of a "#!" line; NULL: no more. */
static char *next_word(char **line)
{
	char *word = *line + strspn(*line, " \t");
	size_t len = strcspn(word, " \t");

	if (!len)
		return NULL;
	*line = word + len + (word[len] != '\0');
	word[len] = '\0';
	return word;
}

/* `env` is looked through, as it only runs what follows: the first word that is neither an option nor an
 * assignment. */
static bool through_env(char **line, char *out, size_t cap)
{
	for (char *word; (word = next_word(line));)
		if (word[0] != '-' && !strchr(word, '='))
			return search(word, out, cap);
	return false;
}

/* False: no script, or one that leads nowhere (then `problem` is set). */
static bool follow_script(struct check_target *target)
{
	char head[260], shown[64];
	ssize_t len = pread(target->fd, head, sizeof(head) - 1, 0);

	if (len < 2 || memcmp(head, "#!", 2))
		return false;
	head[len] = '\0';
	head[strcspn(head, "\r\n")] = '\0';
	char *line = head + 2, *interpreter = next_word(&line);
	text_escape_string(target->script[target->scripts++], sizeof(target->script[0]), target->path);
	if (!interpreter) {
		problem(target, "its first line names no interpreter", 0);
		return false;
	}
	const char *base = strrchr(interpreter, '/');
	text_escape_string(shown, sizeof(shown), interpreter);
	snprintf(target->path, sizeof(target->path), "%s", interpreter);
	if (base && !strcmp(base, "/env") && !through_env(&line, target->path, sizeof(target->path))) {
		snprintf(target->path, sizeof(target->path), "%s", interpreter);
		problem(target, "the script's interpreter cannot be found through it", 0);
		return false;
	}
	/* The kernel ignores these bits of a script; those of its interpreter count. */
	target->privileged = false;
	target->privilege[0] = '\0';
	return true;
}

bool check_find(struct check_target *target, const char *name)
{
	*target = (struct check_target){.fd = -1};
	snprintf(target->asked, sizeof(target->asked), "%s", name);
	if (strlen(name) >= sizeof(target->asked) || !search(name, target->path, sizeof(target->path)))
		return problem(target, "not found", 0);
	if (!open_target(target))
		return false;
	while (follow_script(target)) {
		if (target->scripts == MOST_SCRIPTS)
			return problem(target,
				       "is a script of a script of a script, deeper than the kernel follows",
				       0);
		if (!open_target(target))
			return false;
	}
	return !target->problem[0];
}
