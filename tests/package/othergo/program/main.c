/* A program with two libraries that are written in Go, each with a runtime of its own. */
#include "consumer.h"

int OtherGo(void);

int main(void) {
    if (OtherGo() != 30 || consumer_run("beside another Go library") != 0 || OtherGo() != 30) return 1;
    return 0;
}
