/*
 * New TCP connections and exchanges of one octet, timed where they are made.
 *
 *     connect server PORT             one client after the other; prints "ready"
 *     connect new ADDRESS PORT N      N connections, one octet each way, ended by RST: a line of nanoseconds each
 *     connect kept ADDRESS PORT N     N exchanges on one connection: the same
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static long now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

static struct sockaddr_in place(const char *address, const char *port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(atoi(port)) };
	if (inet_pton(AF_INET, address, &to.sin_addr) != 1)
		fail(address);
	return to;
}

static void server(const char *port)
{
	struct sockaddr_in at = place("0.0.0.0", port);
	int one = 1, listening = socket(AF_INET, SOCK_STREAM, 0);
	char octet;

	setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(listening, (struct sockaddr *)&at, sizeof at) != 0 || listen(listening, 128) != 0)
		fail("listen");
	puts("ready");
	fflush(stdout);
	for (;;) {
		int fd = accept(listening, NULL, NULL);
		if (fd < 0)
			continue;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		while (read(fd, &octet, 1) == 1 && write(fd, &octet, 1) == 1)
			;
		close(fd);
	}
}

static int connected(const struct sockaddr_in *to)
{
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
	struct linger reset = { 1, 0 };
	struct timeval wait = { 3, 0 };

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
	if (connect(fd, (const struct sockaddr *)to, sizeof *to) != 0)
		fail("connect");
	return fd;
}

static void exchange(int fd)
{
	char octet = 'x';
	if (write(fd, &octet, 1) != 1 || read(fd, &octet, 1) != 1)
		fail("exchange");
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "server") == 0)
		server(argv[2]);
	if (argc != 5)
		return 64;
	struct sockaddr_in to = place(argv[2], argv[3]);
	int n = atoi(argv[4]), kept = strcmp(argv[1], "kept") == 0;
	long *spent = calloc(n, sizeof *spent);
	int fd = kept ? connected(&to) : -1;
	for (int i = 0; i < n; i++) {
		long began = now();
		if (!kept)
			fd = connected(&to);
		exchange(fd);
		spent[i] = now() - began;
		if (!kept)
			close(fd);
	}
	for (int i = 0; i < n; i++)
		printf("%ld\n", spent[i]);
	return 0;
}
