/* The consumer, as a C program. */
#include "consumer.h"

int main(void) { return consumer_run("C"); }
