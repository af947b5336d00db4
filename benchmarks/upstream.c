/* Agencies and subgraphs that answer from templates: one process, so quick that what stands before it is measured.
 *
 *     upstream LISTENER ANSWERS DELAY
 *
 * LISTENER is the descriptor of a listening socket, ANSWERS a file, DELAY microseconds that each answer waits
 * (0: none). A line of the file is one answer, its parts separated by tabs:
 *
 *     path, needles, head, each, tail
 *
 * The first line whose path is the request's, and whose needles (separated by &; none: always) all stand in the
 * request's body, answers: the head, `each` once for every credit code in the body, in order, with commas between,
 * and the tail. A credit code is any 18 digits and capitals with neither before nor after them. In `each` stand
 *
 *     <code>                               the credit code
 *     <number SALT MODULUS FIRST WIDTH>    FIRST plus a number below MODULUS, with zeros to the width
 *     <pick SALT one|other|...>            one of these
 *
 * (anything else between < and > stands for itself, so that an answer may be XML), which the code and the salt decide (see `derived`), so that no two companies have the same rows. GET /count
 * answers how many requests were answered before it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { CODE = 18, NEEDLES = 8, HEAD_ROOM = 128, EVENTS = 256, DESCRIPTORS = 65536, WAITING = 1 << 17 };

typedef struct {
    enum { LITERAL, WHOLE_CODE, NUMBER, PICK } kind;
    const char *text; /* LITERAL */
    size_t length;
    uint64_t salt, modulus, first; /* NUMBER; the modulus of PICK is how many choices it has */
    int width;
    const char **choices; /* PICK */
} Part;

typedef struct {
    const char *path, *needles[NEEDLES], *head, *tail;
    Part *parts;
    size_t part_count;
} Answer;

typedef struct {
    char *bytes;
    size_t length, capacity;
} Buffer;

typedef struct {
    int descriptor, busy; /* busy: an answer waits for its time, or for the peer to read */
    uint64_t generation;
    Buffer in, out;
    size_t written; /* of `out` */
} Connection;

typedef struct {
    uint64_t at, generation; /* nanoseconds */
    int descriptor;
} Wait;

static Answer *answers;
static size_t answer_count;
static Connection *connections[DESCRIPTORS];
static Wait waits[WAITING];
static uint64_t wait_head, wait_tail, delay, generations, answered;
static int poller, timer;

static void *checked(void *memory) {
    if (!memory) {
        perror("upstream");
        exit(1);
    }
    return memory;
}

static uint64_t now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

/* Buffers */

static void make_room(Buffer *buffer, size_t more) {
    if (buffer->length + more <= buffer->capacity) return;
    size_t capacity = buffer->capacity ? buffer->capacity : 16384;
    while (capacity < buffer->length + more) capacity *= 2;
    buffer->bytes = checked(realloc(buffer->bytes, capacity));
    buffer->capacity = capacity;
}

static void put(Buffer *buffer, const char *bytes, size_t length) {
    make_room(buffer, length);
    memcpy(buffer->bytes + buffer->length, bytes, length);
    buffer->length += length;
}

/* Templates */

static char *split(char **rest, char separator) {
    char *start = *rest;
    if (!start) return "";
    char *end = strchr(start, separator);
    if (end) *end++ = 0;
    *rest = end;
    return start;
}

static int is_placeholder(const char *text) {
    return !strncmp(text, "code>", 5) || !strncmp(text, "number ", 7) || !strncmp(text, "pick ", 5);
}

static Part placeholder(char *text) {
    Part part = {0};
    if (!strcmp(text, "code")) {
        part.kind = WHOLE_CODE;
    } else if (!strncmp(text, "number ", 7)) {
        unsigned long salt, modulus, first;
        if (sscanf(text, "number %lu %lu %lu %d", &salt, &modulus, &first, &part.width) != 4 || !modulus) goto bad;
        part.kind = NUMBER, part.salt = salt, part.modulus = modulus, part.first = first;
    } else if (!strncmp(text, "pick ", 5)) {
        char *rest;
        part.kind = PICK, part.salt = strtoul(text + 5, &rest, 10);
        if (*rest++ != ' ') goto bad;
        while (rest) {
            part.choices = checked(realloc(part.choices, (part.modulus + 1) * sizeof *part.choices));
            part.choices[part.modulus++] = split(&rest, '|');
        }
    } else {
    bad:
        fprintf(stderr, "upstream: not a placeholder: %s\n", text);
        exit(1);
    }
    return part;
}

static void add_part(Answer *answer, Part part) {
    answer->parts = checked(realloc(answer->parts, (answer->part_count + 1) * sizeof part));
    answer->parts[answer->part_count++] = part;
}

static Answer read_answer(char *line) {
    Answer answer = {0};
    char *rest = line;
    answer.path = split(&rest, '\t');
    char *needles = split(&rest, '\t');
    for (int i = 0; *needles && i < NEEDLES; i++) {
        answer.needles[i] = split(&needles, '&');
        if (!needles) break;
    }
    answer.head = split(&rest, '\t');
    char *each = split(&rest, '\t');
    answer.tail = split(&rest, '\t');
    while (*each) {
        char *start = strchr(each, '<');
        while (start && !is_placeholder(start + 1)) start = strchr(start + 1, '<');
        char *end = start ? strchr(start, '>') : NULL;
        size_t length = end ? (size_t)(start - each) : strlen(each);
        if (length) add_part(&answer, (Part){.kind = LITERAL, .text = each, .length = length});
        if (!end) break;
        *start = *end = 0;
        add_part(&answer, placeholder(start + 1));
        each = end + 1;
    }
    return answer;
}

static void read_answers(const char *name) {
    FILE *file = checked(fopen(name, "r"));
    char *line = NULL;
    size_t capacity = 0;
    for (ssize_t length; (length = getline(&line, &capacity, file)) > 0;) {
        if (line[length - 1] == '\n') line[length - 1] = 0;
        answers = checked(realloc(answers, (answer_count + 1) * sizeof *answers));
        answers[answer_count++] = read_answer(checked(strdup(line)));
    }
    free(line);
    fclose(file);
}

/* What is derived from a code: FNV-1a of its characters, mixed with a salt by splitmix64's last steps. */

static uint64_t fingerprint(const char *code) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (int i = 0; i < CODE; i++) hash = (hash ^ (unsigned char)code[i]) * 0x100000001b3u;
    return hash;
}

static uint64_t derived(uint64_t fingerprint, uint64_t salt) {
    uint64_t mixed = fingerprint + salt * 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return mixed ^ (mixed >> 31);
}

static void put_number(Buffer *buffer, uint64_t number, int width) {
    char digits[24], *start = digits + sizeof digits;
    do *--start = (char)('0' + number % 10);
    while (number /= 10);
    while (digits + sizeof digits - start < width && start > digits) *--start = '0';
    put(buffer, start, (size_t)(digits + sizeof digits - start));
}

static void put_company(Buffer *out, const Answer *answer, const char *code) {
    uint64_t company = fingerprint(code);
    for (const Part *part = answer->parts, *end = part + answer->part_count; part < end; part++) {
        switch (part->kind) {
        case LITERAL:
            put(out, part->text, part->length);
            break;
        case WHOLE_CODE:
            put(out, code, CODE);
            break;
        case NUMBER:
            put_number(out, part->first + derived(company, part->salt) % part->modulus, part->width);
            break;
        case PICK: {
            const char *choice = part->choices[derived(company, part->salt) % part->modulus];
            put(out, choice, strlen(choice));
        }
        }
    }
}

/* Answering */

static int is_code_character(unsigned char character) {
    return (character >= '0' && character <= '9') || (character >= 'A' && character <= 'Z');
}

/* The next credit code from `start` on, or NULL. */
static const char *next_code(const char *start, const char *end) {
    while (start < end) {
        const char *last = start;
        while (last < end && is_code_character((unsigned char)*last)) last++;
        if (last - start == CODE) return start;
        start = last + 1;
    }
    return NULL;
}

static const Answer *answer_for(const char *path, size_t path_length, const char *body) {
    for (Answer *answer = answers, *end = answers + answer_count; answer < end; answer++) {
        if (strncmp(answer->path, path, path_length) || answer->path[path_length]) continue;
        int i = 0;
        while (i < NEEDLES && answer->needles[i] && strstr(body, answer->needles[i])) i++;
        if (i == NEEDLES || !answer->needles[i]) return answer;
    }
    return NULL;
}

/* Puts the answer into `out`, whose first bytes that count are at `written`. The body ends with a 0. */
static void answer(Connection *connection, const char *path, size_t path_length, const char *body, size_t length) {
    Buffer *out = &connection->out;
    out->length = 0;
    make_room(out, HEAD_ROOM);
    out->length = HEAD_ROOM;
    const Answer *found = answer_for(path, path_length, body);
    const char *status = "200 OK";
    if (found) {
        put(out, found->head, strlen(found->head));
        int several = 0;
        for (const char *code = body; (code = next_code(code, body + length)); code += CODE) {
            if (several++) put(out, ",", 1);
            put_company(out, found, code);
        }
        put(out, found->tail, strlen(found->tail));
    } else if (path_length == 6 && !memcmp(path, "/count", 6)) {
        put_number(out, answered, 1);
    } else {
        status = "404 Not Found";
    }
    answered++;
    char head[HEAD_ROOM];
    int head_length = snprintf(head, sizeof head, "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                               status, out->length - HEAD_ROOM);
    connection->written = HEAD_ROOM - (size_t)head_length;
    memcpy(out->bytes + connection->written, head, (size_t)head_length);
    connection->busy = 1;
}

/* Requests: each of these gives 0, or -1 where the connection is to be closed. */

static void watch(int operation, int descriptor, uint32_t events) {
    struct epoll_event event = {.events = events, .data.fd = descriptor};
    epoll_ctl(poller, operation, descriptor, &event);
}

static int flush(Connection *connection) {
    Buffer *out = &connection->out;
    while (connection->written < out->length) {
        ssize_t count = write(connection->descriptor, out->bytes + connection->written, out->length - connection->written);
        if (count < 0 && errno == EAGAIN) {
            watch(EPOLL_CTL_MOD, connection->descriptor, EPOLLIN | EPOLLOUT);
            return 0;
        }
        if (count < 0) return -1;
        connection->written += (size_t)count;
    }
    connection->busy = 0;
    return 0;
}

static void arm_timer(void) {
    if (wait_head == wait_tail) return;
    uint64_t at = waits[wait_head % WAITING].at;
    struct itimerspec when = {.it_value = {(time_t)(at / 1000000000u), (long)(at % 1000000000u)}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void wait_for_time(const Connection *connection) {
    if (wait_tail - wait_head == WAITING) {
        fprintf(stderr, "upstream: too many answers wait\n");
        exit(1);
    }
    waits[wait_tail++ % WAITING] = (Wait){now() + delay, connection->generation, connection->descriptor};
    if (wait_tail - wait_head == 1) arm_timer();
}

/* Writes the chunks at `from`, and a 0 after them, over the first of them. The length of the request's rest, or 0
 * where there is more to come. */
static size_t join_chunks(char *from, char *end, size_t *length) {
    char *to = from, *start = from;
    for (;;) {
        char *line = memmem(from, (size_t)(end - from), "\r\n", 2);
        if (!line) return 0;
        size_t chunk = strtoul(from, NULL, 16);
        if ((size_t)(end - line) < chunk + 4) return 0;
        if (!chunk) {
            *length = (size_t)(to - start);
            *to = 0;
            return (size_t)(line + 4 - start);
        }
        memmove(to, line + 2, chunk);
        to += chunk;
        from = line + 2 + chunk + 2;
    }
}

/* Whether all chunks are there, so that they can be joined in place. */
static int has_last_chunk(const char *body, const char *end) {
    return end - body >= 5 && !memcmp(end - 5, "0\r\n\r\n", 5);
}

/* Answers what has come in, one request after another. */
static int feed(Connection *connection) {
    Buffer *in = &connection->in;
    while (!connection->busy && in->length) {
        char *start = in->bytes, *end = start + in->length;
        *end = 0;
        char *body = memmem(start, in->length, "\r\n\r\n", 4);
        if (!body) return 0;
        *body = 0;
        const char *sized = strcasestr(start, "\r\ncontent-length:");
        int chunked = strcasestr(start, "\r\ntransfer-encoding: chunked") != NULL;
        const char *path = strchr(start, ' ');
        size_t length = sized ? strtoul(sized + 17, NULL, 10) : 0, rest = length;
        *body = '\r';
        body += 4;
        if (!path++) return -1;
        if (chunked) {
            if (!has_last_chunk(body, end)) return 0;
            if (!(rest = join_chunks(body, end, &length))) return -1;
        } else if ((size_t)(end - body) < length) {
            return 0;
        }
        char after = body[length];
        body[length] = 0;
        answer(connection, path, strcspn(path, " ?"), body, length);
        if (!chunked) body[length] = after;
        in->length -= (size_t)(body + rest - start);
        memmove(start, body + rest, in->length);
        if (delay) {
            wait_for_time(connection);
        } else if (flush(connection) < 0) {
            return -1;
        }
    }
    return 0;
}

static int receive(Connection *connection) {
    Buffer *in = &connection->in;
    for (;;) {
        make_room(in, 4096);
        size_t room = in->capacity - in->length - 1; /* the last byte is for a 0 */
        ssize_t count = read(connection->descriptor, in->bytes + in->length, room);
        if (count > 0) in->length += (size_t)count;
        if (count == 0 || (count < 0 && errno != EAGAIN)) return -1;
        if (count < (ssize_t)room) return feed(connection);
    }
}

static void drop(Connection *connection) {
    close(connection->descriptor);
    connections[connection->descriptor] = NULL;
    free(connection->in.bytes);
    free(connection->out.bytes);
    free(connection);
}

static void accept_all(int listener) {
    int descriptor, on = 1;
    while ((descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (descriptor >= DESCRIPTORS) {
            close(descriptor);
            continue;
        }
        setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        Connection *connection = checked(calloc(1, sizeof *connection));
        connection->descriptor = descriptor;
        connection->generation = ++generations;
        connections[descriptor] = connection;
        watch(EPOLL_CTL_ADD, descriptor, EPOLLIN);
    }
}

static void answer_those_due(void) {
    uint64_t expirations, at = now();
    if (read(timer, &expirations, sizeof expirations) < 0) return;
    while (wait_head != wait_tail && waits[wait_head % WAITING].at <= at) {
        const Wait *wait = &waits[wait_head++ % WAITING];
        Connection *connection = connections[wait->descriptor];
        if (!connection || connection->generation != wait->generation) continue;
        if (flush(connection) < 0 || feed(connection) < 0) drop(connection);
    }
    arm_timer();
}

static void serve(int listener) {
    struct epoll_event events[EVENTS];
    for (;;) {
        int count = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            int descriptor = events[i].data.fd;
            if (descriptor == listener) {
                accept_all(listener);
                continue;
            }
            if (descriptor == timer) {
                answer_those_due();
                continue;
            }
            Connection *connection = connections[descriptor];
            if (!connection) continue;
            int gone = 0;
            if (events[i].events & EPOLLOUT) {
                watch(EPOLL_CTL_MOD, descriptor, EPOLLIN);
                gone = flush(connection) < 0 || feed(connection) < 0;
            }
            if (!gone && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) gone = receive(connection) < 0;
            if (gone) drop(connection);
        }
    }
}

int main(int count, char **arguments) {
    if (count != 4) {
        fprintf(stderr, "upstream LISTENER ANSWERS DELAY\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    int listener = atoi(arguments[1]);
    read_answers(arguments[2]);
    delay = strtoul(arguments[3], NULL, 10) * 1000;
    fcntl(listener, F_SETFL, O_NONBLOCK);
    poller = epoll_create1(0);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    watch(EPOLL_CTL_ADD, listener, EPOLLIN);
    watch(EPOLL_CTL_ADD, timer, EPOLLIN);
    serve(listener);
}
