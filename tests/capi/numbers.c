/*
 * numbers.c: the numbers of embws.h, and the names and messages of its statuses.
 *
 *     numbers path/to/embws.h      the header, so that no constant is forgotten
 */
#define _DEFAULT_SOURCE

#include "numbers.h"
#include "check.h"

static void same_for_ever(const number *list, size_t count) {
    for (size_t i = 0; i < count; i++) {
        snprintf(check_subject, sizeof check_subject, "%s", list[i].name);
        EQUAL(list[i].is, list[i].was);
        for (size_t k = 0; k < i; k++) CHECK(strcmp(list[i].name, list[k].name) != 0);
    }
    check_subject[0] = 0;
}

static int listed(const number *list, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].name, name) == 0) return 1;
    }
    return 0;
}

/* Constants of the header that the lists do not have. */
static void nothing_forgotten(const char *path) {
    static const char *const others[] = {"EMBWS_H",
                                         "EMBWS_API",
                                         "EMBWS_INIT",
                                         "EMBWS_IS_VIOLATION",
                                         "EMBWS_RULE",
                                         "EMBWS_VERSION_MAJOR",
                                         "EMBWS_VERSION_MINOR",
                                         "EMBWS_VERSION_PATCH",
                                         "EMBWS_VERSION_NUMBER",
                                         "EMBWS_VERSION_STRING",
                                         "EMBWS_ABI_VERSION"};
    FILE *file = fopen(path, "r");
    char line[512], name[128];
    int found = 0;
    if (file == NULL) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(1);
    }
    while (fgets(line, sizeof line, file) != NULL) {
        int known = 0;
        if (sscanf(line, "#define %127[A-Z0-9_]", name) == 1) {
            for (size_t i = 0; i < COUNT(others); i++) known |= strcmp(name, others[i]) == 0;
            known |= listed(statuses, COUNT(statuses), name) || listed(constants, COUNT(constants), name);
        } else {
            continue;
        }
        found++;
        snprintf(check_subject, sizeof check_subject, "%s", name);
        CHECK(known);
    }
    check_subject[0] = 0;
    fclose(file);
    CHECK(found > 100);
}

static void status_words(void) {
    for (size_t i = 0; i < COUNT(statuses); i++) {
        int32_t status = (int32_t)statuses[i].is;
        const char *name = embws_status_name(status), *message = embws_status_message(status);
        snprintf(check_subject, sizeof check_subject, "%s", statuses[i].name);
        CHECK(name != NULL && strcmp(name, statuses[i].name) == 0);
        CHECK(message != NULL && strlen(message) >= 4 && strlen(message) < 300);
        CHECK(name == embws_status_name(status)); /* the library's, for ever */
        for (size_t k = 0; k < i; k++) {
            CHECK(statuses[k].is != statuses[i].is);
            CHECK(strcmp(message, embws_status_message((int32_t)statuses[k].is)) != 0);
        }
        CHECK(EMBWS_IS_VIOLATION(status) == (status <= -1000));
        if (EMBWS_IS_VIOLATION(status)) {
            int32_t rule = EMBWS_RULE(status), digit = -1000 - status - 10 * rule;
            CHECK(rule >= 1 && rule <= 400);
            CHECK(digit >= 0 && digit <= 9);
        } else {
            CHECK(status >= -99 && status <= 99);
        }
    }
    check_subject[0] = 0;
    EQUAL(EMBWS_RULE(EMBWS_ERR_UNMASKED), 42);
    EQUAL(EMBWS_RULE(EMBWS_ERR_STORE_FULL), 13);
    EQUAL(EMBWS_RULE(EMBWS_ERR_TOO_MANY_FIELDS), 13);
    EQUAL(EMBWS_RULE(EMBWS_ERR_INFLATED_TOO_BIG), 118);

    /* Numbers that are none: all neighbours of those that are. */
    static const int32_t extremes[] = {INT32_MIN, INT32_MAX, 7, -8, -48, -99, -100, -999, -1000, -1001, -3000};
    for (size_t i = 0; i < COUNT(extremes); i++) {
        CHECK(strcmp(embws_status_name(extremes[i]), "EMBWS_ERR_UNKNOWN") == 0);
        CHECK(strlen(embws_status_message(extremes[i])) > 0);
    }
    for (int32_t status = -3000; status < 100; status++) {
        int known = 0;
        for (size_t i = 0; i < COUNT(statuses); i++) known |= statuses[i].is == status;
        CHECK(known == (strcmp(embws_status_name(status), "EMBWS_ERR_UNKNOWN") != 0));
    }
}

static void versions(void) {
    char text[32];
    CHECK(embws_version_number() == EMBWS_VERSION_NUMBER);
    CHECK(EMBWS_VERSION_NUMBER == EMBWS_VERSION_MAJOR * 10000 + EMBWS_VERSION_MINOR * 100 + EMBWS_VERSION_PATCH);
    snprintf(text, sizeof text, "%d.%d.%d", EMBWS_VERSION_MAJOR, EMBWS_VERSION_MINOR, EMBWS_VERSION_PATCH);
    CHECK(strcmp(text, EMBWS_VERSION_STRING) == 0);
    CHECK(strcmp(text, embws_version_string()) == 0);
    CHECK(embws_abi_version() == EMBWS_ABI_VERSION);
    CHECK((embws_features() & ~(uint64_t)(EMBWS_FEATURE_DEFLATE | EMBWS_FEATURE_TEST)) == 0);
}

int main(int argc, char **argv) {
    alarm(60);
    if (argc != 2) {
        fprintf(stderr, "usage: %s path/to/embws.h\n", argv[0]);
        return 2;
    }
    same_for_ever(statuses, COUNT(statuses));
    same_for_ever(constants, COUNT(constants));
    nothing_forgotten(argv[1]);
    status_words();
    versions();
    return check_result("numbers");
}
