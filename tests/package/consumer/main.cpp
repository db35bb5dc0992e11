/* The consumer, as a C++ program. */
#include "consumer.h"

int main() { return consumer_run("C++"); }
