/*
 * tls_client.c: the client over TLS, by OpenSSL:
 *
 *     tls_client [-ca FILE] wss://example.com/chat hello
 *
 * The server's certificate must be valid, for the host of the URL, and signed by an authority that the system trusts,
 * or by one in FILE (PEM). A stream needs no more of TLS than the three functions below.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */

#define _POSIX_C_SOURCE 200809L
#include "console.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>

/* ---- The transport ------------------------------------------------------------------------------------------ */

/* What a result of SSL_read or SSL_write means that is not a number of bytes. Either may have to read and to write. */
static ptrdiff_t tls_result(SSL *ssl, int n) {
    switch (SSL_get_error(ssl, n)) {
        case SSL_ERROR_WANT_READ: return EMBWS_TRANSPORT_WANT_READ;
        case SSL_ERROR_WANT_WRITE: return EMBWS_TRANSPORT_WANT_WRITE;
        case SSL_ERROR_ZERO_RETURN: return EMBWS_TRANSPORT_END;
        default:
            return EMBWS_TRANSPORT_ERROR; /* an end without close_notify, too: somebody may have cut the connection */
    }
}

static int as_int(size_t n) { return n < 1 << 20 ? (int)n : 1 << 20; }

static ptrdiff_t tls_read(void *context, void *buffer, size_t size) {
    int n;
    ERR_clear_error(); /* SSL_get_error looks at what is left there */
    n = SSL_read(context, buffer, as_int(size));
    return n > 0 ? n : tls_result(context, n);
}

static ptrdiff_t tls_write(void *context, const void *bytes, size_t length) {
    int n;
    ERR_clear_error();
    n = SSL_write(context, bytes, as_int(length));
    return n > 0 ? n : tls_result(context, n);
}

static void tls_shut(void *context) {
    ERR_clear_error();
    (void)SSL_shutdown(context); /* sends close_notify; the connection is given up afterwards in any case */
}

/* ---- The connection ----------------------------------------------------------------------------------------- */

/* Makes a TLS connection of a socket; NULL, with a message, if the server is not who it should be. */
static SSL *secure(SSL_CTX *tls, int fd, const url *u) {
    SSL *ssl = SSL_new(tls);
    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1) {
        fprintf(stderr, "TLS: out of memory\n");
        SSL_free(ssl);
        return NULL;
    }
    /* The certificate must be for this address, or for this name; only a name is told to the server (SNI, RFC 6066 3).
     */
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), u->host) != 1 &&
        (SSL_set1_host(ssl, u->host) != 1 || SSL_set_tlsext_host_name(ssl, u->host) != 1)) {
        fprintf(stderr, "%s: not the name of a host\n", u->host);
        SSL_free(ssl);
        return NULL;
    }
    if (SSL_connect(ssl) != 1) {
        long verdict = SSL_get_verify_result(ssl);
        fprintf(
            stderr, "TLS with %s failed: %s\n", u->host,
            verdict != X509_V_OK ? X509_verify_cert_error_string(verdict) : ERR_reason_error_string(ERR_peek_error()));
        SSL_free(ssl);
        return NULL;
    }
    return ssl;
}

static int talk(SSL_CTX *tls, const url *u, char **lines, int count) {
    embws_stream stream = {0};
    int failed = 1, fd = embws_posix_dial(u->host, u->port);
    SSL *ssl;
    if (fd < 0) {
        fprintf(stderr, "cannot connect to %s, port %s\n", u->host, u->port);
        return 1;
    }
    be_impatient(fd);
    ssl = secure(tls, fd, u);
    if (ssl != NULL) {
        stream.read = tls_read;
        stream.write = tls_write;
        stream.shut = tls_shut;
        stream.context = ssl;
        failed = converse(&stream, u, lines, count);
        SSL_free(ssl);
    }
    close(fd);
    return failed;
}

int main(int argc, char **argv) {
    const char *ca = NULL;
    SSL_CTX *tls;
    url u;
    int failed, first = 1;
    if (argc > 2 && strcmp(argv[1], "-ca") == 0) {
        ca = argv[2];
        first = 3;
    }
    if (argc <= first || url_parse(&u, argv[first], "wss") != 0) {
        fprintf(stderr, "usage: tls_client [-ca FILE] wss://HOST[:PORT][/PATH] [LINE]...\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
    tls = SSL_CTX_new(TLS_client_method());
    if (tls == NULL) {
        fprintf(stderr, "TLS: out of memory\n");
        return 1;
    }
    SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    /* A stream repeats a write from where it stopped, perhaps with more behind it. */
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if ((ca != NULL ? SSL_CTX_load_verify_locations(tls, ca, NULL) : SSL_CTX_set_default_verify_paths(tls)) != 1) {
        fprintf(stderr, "%s: no certificates\n", ca != NULL ? ca : "the system's certificates");
        failed = 1;
    } else {
        failed = talk(tls, &u, argv + first + 1, argc - first - 1);
    }
    SSL_CTX_free(tls);
    return failed;
}
