/*
 * Sends TCP SYNs from this host's own address at a steady rate; each has a source port and sequence number of its own.
 *
 *     flood SOURCE PORT RATE SECONDS ADDRESS...     RATE a second in all, to the addresses in turn; prints how many were sent
 *
 * Raw sockets, for root in a benchmark's own network namespace.
 */
#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

struct packet {
	struct iphdr ip;
	struct tcphdr tcp;
};

struct pseudo {
	unsigned source, destination;
	unsigned char zero, protocol;
	unsigned short length;
	struct tcphdr tcp;
};

static unsigned short sum(const void *octets, int length)
{
	unsigned long total = 0;

	for (int at = 0; at + 1 < length; at += 2) {
		unsigned short word;

		memcpy(&word, (const char *)octets + at, sizeof word);
		total += word;
	}
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return ~total;
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	if (argc < 6)
		return 64;
	unsigned source = inet_addr(argv[1]);
	double rate = atof(argv[3]), seconds = atof(argv[4]), began = now();
	long sent = 0, failed = 0;
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);

	if (fd < 0) {
		perror("socket");
		return 1;
	}
	for (double spent = 0; spent < seconds; spent = now() - began) {
		struct timespec pause = { 0, 1000000 };

		for (long due = rate * spent; sent < due; sent++) {
			struct packet p = { 0 };
			struct pseudo pseudo = { 0 };
			struct sockaddr_in to = { .sin_family = AF_INET };

			to.sin_addr.s_addr = inet_addr(argv[5 + sent % (argc - 5)]);
			p.ip.version = 4;
			p.ip.ihl = 5;
			p.ip.ttl = 64;
			p.ip.protocol = IPPROTO_TCP;
			p.ip.saddr = source;
			p.ip.daddr = to.sin_addr.s_addr;
			p.tcp.source = htons(1024 + sent / (argc - 5) % 64000);
			p.tcp.dest = htons(atoi(argv[2]));
			p.tcp.seq = htonl(sent);
			p.tcp.doff = 5;
			p.tcp.syn = 1;
			p.tcp.window = htons(1024);
			pseudo.source = p.ip.saddr;
			pseudo.destination = p.ip.daddr;
			pseudo.protocol = IPPROTO_TCP;
			pseudo.length = htons(sizeof p.tcp);
			pseudo.tcp = p.tcp;
			p.tcp.check = sum(&pseudo, sizeof pseudo);
			if (sendto(fd, &p, sizeof p, 0, (struct sockaddr *)&to, sizeof to) < 0)
				failed++;
		}
		nanosleep(&pause, NULL);
	}
	printf("%ld %ld\n", sent, failed);
	return 0;
}
