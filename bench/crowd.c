/*
 * Processes that represent the containers of a simulated engine: each in a control group whose path has the container's
 * id, and in a network namespace of its own.
 *
 *     crowd DIRECTORY     a control group of its own; stdin: "+ID" starts one, "-ID" kills it; stdout: "ID PID" of each
 *                         start, "ID 0" of each end. At the end of stdin everything is killed and removed.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

struct one {
	char id[65];
	pid_t pid;
};

static struct one *all;
static size_t count;
static const char *directory;

static struct one *find(const char *id)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(all[i].id, id) == 0)
			return &all[i];
	all = realloc(all, (count + 1) * sizeof *all);
	if (all == NULL)
		exit(1);
	snprintf(all[count].id, sizeof all[count].id, "%s", id);
	all[count].pid = 0;
	return &all[count++];
}

static void begin(struct one *one)
{
	char path[512];
	pid_t parent = getpid();
	int made[2];

	if (pipe(made) != 0)
		exit(1);
	one->pid = fork();
	if (one->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		if (unshare(CLONE_NEWNET) != 0 || write(made[1], "", 1) != 1)
			_exit(1);
		close(made[0]);
		close(made[1]);
		for (int fd = 0; fd < 3; fd++)
			close(fd);
		for (;;)
			pause();
	}
	close(made[1]);
	if (read(made[0], path, 1) != 1) {
		fprintf(stderr, "crowd: no network namespace\n");
		exit(1);
	}
	close(made[0]);
	snprintf(path, sizeof path, "%s/%s", directory, one->id);
	mkdir(path, 0755);
	snprintf(path, sizeof path, "%s/%s/cgroup.procs", directory, one->id);
	int fd = open(path, O_WRONLY);
	if (one->pid < 0 || fd < 0 || dprintf(fd, "%d", one->pid) < 0) {
		perror(path);
		exit(1);
	}
	close(fd);
}

static void end(struct one *one)
{
	char path[512];

	if (one->pid == 0)
		return;
	kill(one->pid, SIGKILL);
	one->pid = 0;
	snprintf(path, sizeof path, "%s/%s", directory, one->id);
	for (int try = 0; try < 500 && rmdir(path) != 0; try++)
		usleep(1000);
}

int main(int argc, char **argv)
{
	char line[128];

	if (argc != 2)
		return 64;
	directory = argv[1];
	mkdir(directory, 0755);
	signal(SIGCHLD, SIG_IGN); /* nothing to reap */
	signal(SIGINT, SIG_IGN);  /* the end of stdin ends it */
	while (fgets(line, sizeof line, stdin) != NULL) {
		line[strcspn(line, "\n")] = 0;
		struct one *one = find(line + 1);
		if (line[0] == '+')
			begin(one);
		else
			end(one);
		printf("%s %d\n", one->id, one->pid);
		fflush(stdout);
	}
	for (size_t i = 0; i < count; i++)
		if (all[i].pid != 0)
			kill(all[i].pid, SIGKILL);
	for (size_t i = 0; i < count; i++)
		end(&all[i]);
	rmdir(directory);
	return 0;
}
