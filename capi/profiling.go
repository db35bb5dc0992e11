//go:build embws_profile

package main

// This file is only in the build that bench/c/profile makes: it writes a CPU profile of the first seconds of the process
// to $EMBWS_CPUPROFILE. The compiler takes it from default.pgo to know which calls to inline.

import (
	"os"
	"runtime/pprof"
	"time"
)

func init() {
	out, err := os.Create(os.Getenv("EMBWS_CPUPROFILE"))
	if err != nil {
		panic(err)
	}
	if err := pprof.StartCPUProfile(out); err != nil {
		panic(err)
	}
	time.AfterFunc(10*time.Second, func() {
		pprof.StopCPUProfile()
		out.Close()
	})
}
