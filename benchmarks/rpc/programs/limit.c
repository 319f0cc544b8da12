/* The limit: what the broker gives a C client. One program for both sides, with the command line of contract.py.
 *
 *     limit server URL QUEUE
 *     limit client URL QUEUE
 *
 * One thread each. Both sides acknowledge every message by itself; the replies go to an exclusive queue, because direct
 * reply-to takes no acknowledgements. Nothing is parsed: the reply is a constant. No confirms, mandatory or expiration.
 */
#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PREFETCH 64
#define MOST_OUTSTANDING 64
#define MOST_CALLS 4000000
#define CHANNEL 1

static const char QUOTE[] =
    "{\"symbol\": \"S1234567.US\", \"name\": \"APPLE\", \"open\": \"148.43\", \"high\": \"150.4\", \"low\": \"147.48\", "
    "\"close\": \"149.99\", \"volume\": 63804008, \"currency\": \"USD\", \"source\": \"stooq\"}";

static amqp_connection_state_t connection;
static double latencies[MOST_CALLS];
static double begun[MOST_OUTSTANDING];

static void fail(const char *what) {
    fprintf(stderr, "limit: %s failed\n", what);
    exit(1);
}

static void must(int status, const char *what) {
    if (status != AMQP_STATUS_OK) fail(what);
}

static void answered(const char *what) {
    if (amqp_get_rpc_reply(connection).reply_type != AMQP_RESPONSE_NORMAL) fail(what);
}

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + 1e-9 * (double)at.tv_nsec;
}

static void connect_to(char *url) {
    struct amqp_connection_info to;
    must(amqp_parse_url(url, &to), "reading the URL");
    connection = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(connection);
    if (socket == NULL) fail("making a socket");
    must(amqp_socket_open(socket, to.host, to.port), "connecting");
    amqp_rpc_reply_t login = amqp_login(connection, to.vhost, 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, to.user, to.password);
    if (login.reply_type != AMQP_RESPONSE_NORMAL) fail("logging in");
    amqp_channel_open(connection, CHANNEL);
    answered("opening a channel");
    amqp_basic_qos(connection, CHANNEL, 0, PREFETCH, 0);
    answered("setting the prefetch");
}

static void consume(amqp_bytes_t queue) {
    amqp_basic_consume(connection, CHANNEL, queue, amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
    answered("consuming");
}

static void next_message(amqp_envelope_t *envelope) {
    amqp_maybe_release_buffers(connection);
    if (amqp_consume_message(connection, envelope, NULL, 0).reply_type != AMQP_RESPONSE_NORMAL) fail("receiving");
}

static void publish(amqp_bytes_t queue, amqp_bytes_t correlation_id, amqp_bytes_t reply_to, amqp_bytes_t body) {
    amqp_basic_properties_t properties = {0};
    properties._flags = AMQP_BASIC_CORRELATION_ID_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG;
    properties.correlation_id = correlation_id;
    properties.delivery_mode = AMQP_DELIVERY_NONPERSISTENT;
    if (reply_to.len) {
        properties._flags |= AMQP_BASIC_REPLY_TO_FLAG;
        properties.reply_to = reply_to;
    }
    must(amqp_basic_publish(connection, CHANNEL, amqp_empty_bytes, queue, 0, 0, &properties, body), "publishing");
}

static void acknowledge(const amqp_envelope_t *envelope) {
    must(amqp_basic_ack(connection, CHANNEL, envelope->delivery_tag, 0), "acknowledging");
}

static void serve(amqp_bytes_t queue) {
    amqp_queue_declare(connection, CHANNEL, queue, 0, 1, 0, 0, amqp_empty_table);
    answered("declaring the queue");
    consume(queue);
    puts("ready");
    fflush(stdout);
    for (;;) {
        amqp_envelope_t envelope;
        next_message(&envelope);
        const amqp_basic_properties_t *asked = &envelope.message.properties;
        publish(asked->reply_to, asked->correlation_id, amqp_empty_bytes, amqp_cstring_bytes(QUOTE));
        acknowledge(&envelope);
        amqp_destroy_envelope(&envelope);
    }
}

/* A call is known by its place, 0 to outstanding - 1; a place is used again when its reply is there. */
static void ask(amqp_bytes_t queue, amqp_bytes_t replies, int place) {
    static unsigned number;
    char id[16], body[64];
    snprintf(id, sizeof id, "%d", place);
    snprintf(body, sizeof body, "{\"symbol\": \"S%u.US\"}", number++);
    begun[place] = now();
    publish(queue, amqp_cstring_bytes(id), replies, amqp_cstring_bytes(body));
}

static int place_of(const amqp_envelope_t *envelope, int outstanding) {
    char id[16] = {0};
    amqp_bytes_t correlation_id = envelope->message.properties.correlation_id;
    if (correlation_id.len >= sizeof id) fail("reading a correlation id");
    memcpy(id, correlation_id.bytes, correlation_id.len);
    int place = atoi(id);
    if (place < 0 || place >= outstanding) fail("finding a call");
    return place;
}

static int by_value(const void *left, const void *right) {
    double difference = *(const double *)left - *(const double *)right;
    return (difference > 0) - (difference < 0);
}

static double percentile(long count, int percent) {
    return latencies[(percent * count + 99) / 100 - 1];
}

static void measure(amqp_bytes_t queue, amqp_bytes_t replies, int outstanding, double seconds) {
    long calls = 0;
    int waiting = outstanding;
    double start = now();
    for (int place = 0; place < outstanding; place++) ask(queue, replies, place);
    while (waiting > 0) {
        amqp_envelope_t envelope;
        next_message(&envelope);
        int place = place_of(&envelope, outstanding);
        double moment = now();
        if (calls == MOST_CALLS) fail("counting");
        latencies[calls++] = moment - begun[place];
        acknowledge(&envelope);
        amqp_destroy_envelope(&envelope);
        if (moment < start + seconds) ask(queue, replies, place);
        else waiting--;
    }
    double took = now() - start;
    qsort(latencies, (size_t)calls, sizeof *latencies, by_value);
    printf("{\"calls\": %ld, \"seconds\": %.6f, \"p50_ms\": %.6f, \"p99_ms\": %.6f}\n", calls, took,
           1000 * percentile(calls, 50), 1000 * percentile(calls, 99));
    fflush(stdout);
}

static void call(amqp_bytes_t queue) {
    amqp_queue_declare_ok_t *declared = amqp_queue_declare(connection, CHANNEL, amqp_empty_bytes, 0, 0, 1, 1, amqp_empty_table);
    answered("declaring the queue of replies");
    amqp_bytes_t replies = amqp_bytes_malloc_dup(declared->queue);
    consume(replies);
    puts("ready");
    fflush(stdout);
    int outstanding;
    double seconds;
    while (scanf("%d %lf", &outstanding, &seconds) == 2) {
        if (outstanding < 1 || outstanding > MOST_OUTSTANDING) fail("so many calls at once");
        measure(queue, replies, outstanding, seconds);
    }
}

int main(int count, char **words) {
    if (count != 4) fail("reading the command line (limit server|client URL QUEUE)");
    connect_to(words[2]);
    if (strcmp(words[1], "server") == 0) serve(amqp_cstring_bytes(words[3]));
    else call(amqp_cstring_bytes(words[3]));
    return 0;
}
