/*
 * signals.c: whose the signals are in a program that loads libembws (THE HOST in embws.h). The parent never loads it;
 * each case is a child that does, so that a fault or a default action ends only that.
 *
 *     signals path/to/libembws.so
 *
 * Runs under AddressSanitizer with handle_segv=0:handle_sigbus=0:handle_sigfpe=0, or its handlers would be the ones
 * that are tested.
 */
#define _XOPEN_SOURCE 700

#include "process.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

enum { CHILD_SECONDS = 30, THREADS = 4, FAULTS = 3, LAST_SIGNAL = 64, KICKS = 3000, MIN_TICKS = 20 };

static const char *library_path;

/* Runs a case in a child, and expects it to exit with 0, or to be ended by a signal. */
static void in_child(void (*run)(int), int argument, int ended_by, const char *what) {
    pid_t child = process_fork(CHILD_SECONDS);
    if (child == 0) {
        run(argument);
        fflush(stdout);
        _exit(0);
    }
    if (ended_by == 0) {
        process_expect_exit(child, 0, what);
        return;
    }
    int status = process_wait(child);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != ended_by) {
        fprintf(stderr, "%s (case %d): expected signal %d, got wait status 0x%x\n", what, argument, ended_by, status);
        exit(1);
    }
}

static void install(int number, void (*handler)(int), int flags) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = flags;
    CHECK(sigaction(number, &action, NULL) == 0);
}

static void *live_on_thread(void *lives) {
    for (int i = 0; i < *(int *)lives; i++) codec_life(50);
    return NULL;
}

/* Uses the library on some threads at once. */
static void live_on_threads(int lives) {
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, live_on_thread, &lives) == 0);
    for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
}

/* ---- What the library does to the dispositions ---- */

/* The signals that get a handler of the Go runtime when the library is loaded. embws.h must name the same. */
static const int taken[] = {SIGBUS, SIGFPE, SIGSEGV, SIGURG};

static int is_taken(int number) {
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        if (taken[i] == number) return 1;
    }
    return 0;
}

static void handler_of_host(int number) { (void)number; }

/* The C library keeps SIGKILL, SIGSTOP and the numbers between the two kinds of signals from a program. */
static int is_ours(int number, struct sigaction *action) {
    memset(action, 0, sizeof *action);
    return number != SIGKILL && number != SIGSTOP && (number < 32 || number >= SIGRTMIN) &&
           sigaction(number, NULL, action) == 0;
}

/* Only sa_flags that a host sets: the kernel shows SA_RESTORER too. */
enum { FLAGS = SA_ONSTACK | SA_RESTART | SA_NODEFER | SA_SIGINFO };

static int compare_dispositions(const struct sigaction before[], const char *what) {
    int changed = 0, on_stack = 0, wrong = 0;
    printf("%s:", what);
    for (int i = 1; i <= LAST_SIGNAL; i++) {
        struct sigaction after;
        if (!is_ours(i, &after)) continue;
        if (after.sa_handler != before[i].sa_handler) {
            printf(" %d", i);
            changed++;
            wrong += !is_taken(i);
            continue;
        }
        wrong += is_taken(i);
        int difference = (before[i].sa_flags ^ after.sa_flags) & FLAGS;
        if (difference == 0) continue;
        on_stack++;
        /* A handler that the library has found gets SA_ONSTACK, and nothing else. */
        wrong += difference != SA_ONSTACK || before[i].sa_handler != handler_of_host;
    }
    printf(" have another handler; %d more have SA_ONSTACK\n", on_stack);
    fflush(stdout);
    return wrong;
}

static void dispositions(int kind) {
    static void (*const handlers[])(int) = {SIG_DFL, SIG_IGN, handler_of_host};
    static const char *const names[] = {"of default dispositions", "of ignored signals", "of handlers"};
    struct sigaction before[LAST_SIGNAL + 1], action;
    for (int i = 1; i <= LAST_SIGNAL; i++) {
        if (!is_ours(i, &action) || i == SIGALRM) continue;
        install(i, handlers[kind], SA_RESTART);
    }
    for (int i = 1; i <= LAST_SIGNAL; i++) is_ours(i, &before[i]);
    process_load(library_path);
    CHECK(compare_dispositions(before, names[kind]) == 0);
    live_on_threads(20);
    CHECK(compare_dispositions(before, names[kind]) == 0);
}

/* ---- Faults in the host ---- */

static sigjmp_buf after_fault;
static volatile sig_atomic_t faults;
static void *volatile fault_address;

static void jump_out(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)context;
    fault_address = info->si_addr;
    faults++;
    siglongjmp(after_fault, 1);
}

static void install_jump(int number) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = jump_out;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    CHECK(sigaction(number, &action, NULL) == 0);
}

/* A page that must not be touched (SIGSEGV), or that no byte of its file is behind (SIGBUS). */
static volatile uint8_t *page_for(int number) {
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    FILE *empty = tmpfile();
    CHECK(empty != NULL);
    void *page = mmap(NULL, size, number == SIGSEGV ? PROT_NONE : PROT_READ | PROT_WRITE, MAP_SHARED, fileno(empty), 0);
    CHECK(page != MAP_FAILED);
    fclose(empty);
    return page;
}

static volatile int zero;

/* Only some processors trap a division by zero. */
#if defined(__x86_64__) || defined(__i386__)
enum { DIVISION_TRAPS = 1 };
#else
enum { DIVISION_TRAPS = 0 };
#endif

__attribute__((no_sanitize("undefined"))) static void fault(int number, volatile uint8_t *page) {
    if (number == SIGFPE) {
        zero = 1000 / zero; /* of 1 / zero, GCC makes a comparison */
    } else {
        page[5] = 1;
    }
}

/* Faults some times in plain C, and comes out of it each time by the host's handler. */
static void fault_and_return(int number) {
    volatile uint8_t *page = number == SIGFPE ? NULL : page_for(number);
    for (volatile int i = 0; i < FAULTS; i++) {
        int so_far = faults;
        if (sigsetjmp(after_fault, 1) == 0) {
            fault(number, page);
            process_fail(__FILE__, __LINE__, "a fault had no consequence", "");
        }
        CHECK(faults == so_far + 1);
        CHECK(number == SIGFPE || fault_address == (void *)(uintptr_t)(page + 5));
    }
}

static void *fault_on_thread(void *number) {
    codec_life(50);
    fault_and_return(*(int *)number);
    codec_life(50);
    return NULL;
}

static const int fault_signals[] = {SIGSEGV, SIGBUS, SIGFPE};

/* Cases 0 to 2: the host installs its handler, then loads the library. 3 to 5: the other way round. */
static void handled_faults(int kind) {
    int number = fault_signals[kind % 3];
    if (kind < 3) install_jump(number);
    process_load(library_path);
    if (kind >= 3) install_jump(number);
    fault_and_return(number); /* on a thread that has not called it yet */
    codec_life(50);
    fault_and_return(number);
    codec_life(50);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, fault_on_thread, &number) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    live_on_threads(5);
    CHECK(faults == 3 * FAULTS);
}

/* Without a handler, the fault ends the process by its signal, as it would without the library. */
static void fatal_fault(int kind) {
    int number = fault_signals[kind % 3];
    process_load(library_path);
    if (kind >= 3) codec_life(50);
    fault(number, number == SIGFPE ? NULL : page_for(number));
}

/* ---- Signals that come from outside ---- */

static volatile sig_atomic_t caught;

/* Needs some stack, as a profiler that walks the stack does. */
static void count(int number) {
    volatile uint8_t some[8 << 10];
    for (size_t i = 0; i < sizeof some; i += 512) some[i] = (uint8_t)number;
    __atomic_fetch_add((int *)&caught, some[512] != 0, __ATOMIC_RELAXED);
}

static int caught_so_far(void) { return __atomic_load_n((int *)&caught, __ATOMIC_RELAXED); }

static double processor_seconds(void) {
    struct timespec t;
    CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) == 0);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A profiler's timer goes on while threads are in calls of the library. */
static void profiler(int after) {
    struct itimerval every = {{0, 1000}, {0, 1000}};
    if (!after) install(SIGPROF, count, SA_RESTART | SA_ONSTACK);
    process_load(library_path);
    if (after) install(SIGPROF, count, SA_RESTART | SA_ONSTACK);
    CHECK(setitimer(ITIMER_PROF, &every, NULL) == 0);
    double begin = processor_seconds();
    int half = 0;
    while (processor_seconds() - begin < 0.8) {
        live_on_threads(10);
        if (half == 0 && processor_seconds() - begin > 0.4) half = caught_so_far();
    }
    struct itimerval now;
    CHECK(getitimer(ITIMER_PROF, &now) == 0 && now.it_interval.tv_usec == 1000);
    memset(&every, 0, sizeof every);
    CHECK(setitimer(ITIMER_PROF, &every, NULL) == 0);
    int all = caught_so_far();
    printf("SIGPROF: the host's handler was called %d times in 0.8 s of processor time\n", all);
    CHECK(half >= MIN_TICKS && all - half >= MIN_TICKS);
}

static int stop_living;

static void *live_until_stopped(void *unused) {
    (void)unused;
    while (!__atomic_load_n(&stop_living, __ATOMIC_RELAXED)) codec_life(20);
    return NULL;
}

/* Signals that hit threads within calls. A handler from before the load need not have SA_ONSTACK: the runtime adds it.
 */
static void kicked(int after) {
    pthread_t threads[THREADS];
    if (!after) install(SIGUSR1, count, SA_RESTART);
    process_load(library_path);
    if (after) install(SIGUSR1, count, SA_RESTART | SA_ONSTACK);
    for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, live_until_stopped, NULL) == 0);
    struct timespec pause = {0, 20000};
    for (int i = 0; i < KICKS; i++) {
        CHECK(pthread_kill(threads[i % THREADS], SIGUSR1) == 0);
        nanosleep(&pause, NULL);
    }
    __atomic_store_n(&stop_living, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(caught_so_far() >= KICKS / 10); /* some merge while they are pending */
}

static void ended_by(int number) {
    process_load(library_path);
    codec_life(50);
    raise(number);
}

/* Each of these handlers is called, installed before the load or behind it. */
static const int from_outside[] = {SIGINT,   SIGTERM, SIGHUP,  SIGQUIT, SIGCHLD, SIGUSR2,
                                   SIGWINCH, SIGPIPE, SIGSEGV, SIGBUS,  SIGFPE};

static void handled(int after) {
    size_t length = sizeof from_outside / sizeof *from_outside;
    for (size_t i = 0; !after && i < length; i++) install(from_outside[i], count, SA_ONSTACK);
    process_load(library_path);
    codec_life(50);
    for (size_t i = 0; after && i < length; i++) install(from_outside[i], count, SA_ONSTACK);
    for (size_t i = 0; i < length; i++) {
        int so_far = caught_so_far();
        raise(from_outside[i]);
        if (caught_so_far() != so_far + 1) fprintf(stderr, "signal %d did not reach the host\n", from_outside[i]);
        CHECK(caught_so_far() == so_far + 1);
    }
    codec_life(50);
}

/* ---- SIGPIPE, which the runtime takes and the library gives back ---- */

static void write_to_nobody(void) {
    int ends[2];
    CHECK(pipe(ends) == 0 && close(ends[0]) == 0);
    CHECK(write(ends[1], "x", 1) == -1 && errno == EPIPE);
    close(ends[1]);
}

static void broken_pipe(int used) {
    process_load(library_path);
    if (used) codec_life(50);
    write_to_nobody();
}

static void ignored_pipe(int after) {
    if (!after) install(SIGPIPE, SIG_IGN, 0);
    process_load(library_path);
    if (after) install(SIGPIPE, SIG_IGN, 0);
    write_to_nobody();
    codec_life(50);
    write_to_nobody();
}

static void handled_pipe(int after) {
    if (!after) install(SIGPIPE, count, SA_ONSTACK);
    process_load(library_path);
    if (after) install(SIGPIPE, count, SA_ONSTACK);
    write_to_nobody();
    codec_life(50);
    write_to_nobody();
    CHECK(caught_so_far() == 2);
}

/* A program that is exec'ed inherits that SIGPIPE is ignored, whether that was asked for before the load or after it.
 */
static void exec_with_ignored_pipe(int after) {
    char shell[] = "/bin/sh", c[] = "-c", script[] = "kill -s PIPE $$; exit 0";
    char *const arguments[] = {shell, c, script, NULL};
    if (!after) install(SIGPIPE, SIG_IGN, 0);
    process_load(library_path);
    if (after) install(SIGPIPE, SIG_IGN, 0);
    execv(shell, arguments);
    _exit(1);
}

int main(int argc, char **argv) {
    alarm(120);
    CHECK(argc == 2);
    library_path = argv[1];
    for (int kind = 0; kind < 3; kind++) in_child(dispositions, kind, 0, "dispositions before and after the load");
    for (int kind = 0; kind < 6; kind++) {
        if (fault_signals[kind % 3] == SIGFPE && !DIVISION_TRAPS) continue;
        in_child(handled_faults, kind, 0, "faults with a handler of the host");
        in_child(fatal_fault, kind, fault_signals[kind % 3], "faults without a handler");
    }
    for (int after = 0; after < 2; after++) {
        in_child(profiler, after, 0, "SIGPROF");
        in_child(kicked, after, 0, "signals within calls");
        in_child(handled, after, 0, "signals with a handler of the host");
        in_child(ignored_pipe, after, 0, "SIGPIPE, ignored");
        in_child(handled_pipe, after, 0, "SIGPIPE, with a handler of the host");
        in_child(broken_pipe, after, SIGPIPE, "SIGPIPE, by default");
        in_child(exec_with_ignored_pipe, after, 0, "exec with SIGPIPE ignored");
    }
    static const int fatal[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGPROF, SIGABRT, SIGILL, SIGSEGV};
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++) in_child(ended_by, fatal[i], fatal[i], "by default");
    printf("faults, timers and signals reach the host as without the library\n");
    return 0;
}
