// Command othergo becomes a C library that has a Go runtime of its own, for a program that also has libembws.
package main

import "C"

//export OtherGo
func OtherGo() C.int {
	squares := make(chan int)
	go func() {
		for i := range 5 {
			squares <- i * i
		}
		close(squares)
	}()
	sum := 0
	for square := range squares {
		sum += square
	}
	return C.int(sum)
}

func main() {}
