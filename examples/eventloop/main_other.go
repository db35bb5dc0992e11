//go:build !linux

// Command eventloop is an echo server on raw epoll, which only Linux has.
package main

import "log"

func main() { log.Fatal("eventloop: this example needs epoll, and so Linux") }
