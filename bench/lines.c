/*
 * A service of the benchmarks: answers each line on TCP 7000 and each datagram on UDP 9999 with $PAGE and a line feed.
 * Both listen before its argument vector is started beside it, as the container's first process.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST 512

static int bound(int type, int port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
	int one = 1, fd = socket(AF_INET, type, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0) {
		perror("bind");
		exit(1);
	}
	return fd;
}

int main(int argc, char **argv)
{
	struct pollfd polled[MOST] = { { bound(SOCK_STREAM, 7000), POLLIN, 0 }, { bound(SOCK_DGRAM, 9999), POLLIN, 0 } };
	char answer[256], octets[4096];
	int count = 2, length = snprintf(answer, sizeof answer, "%s\n", getenv("PAGE"));

	if (argc < 2 || listen(polled[0].fd, 512) != 0)
		return 64;
	if (fork() != 0) {
		execv(argv[1], argv + 1);
		return 1;
	}
	for (;;) {
		poll(polled, count, -1);
		for (int i = count - 1; i >= 2; i--) {
			if (polled[i].revents == 0 || (read(polled[i].fd, octets, sizeof octets) > 0 && write(polled[i].fd, answer, length) == length))
				continue;
			close(polled[i].fd);
			polled[i] = polled[--count];
		}
		if (polled[1].revents & POLLIN) {
			struct sockaddr_in from;
			socklen_t size = sizeof from;
			if (recvfrom(polled[1].fd, octets, sizeof octets, 0, (struct sockaddr *)&from, &size) >= 0)
				sendto(polled[1].fd, answer, length, 0, (struct sockaddr *)&from, size);
		}
		if (polled[0].revents & POLLIN && count < MOST)
			polled[count++] = (struct pollfd){ accept(polled[0].fd, NULL, NULL), POLLIN, 0 };
	}
}
