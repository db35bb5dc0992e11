//go:build unix

// Package interop lets the codec talk to peers that are not ours: Python's websockets and npm's ws, as clients of
// examples/server and as servers of ws.Conn, ws.Session and examples/client; and to hand-written sockets, for what a
// library does not send.
//
//	go test -v -count=1 ./...      (examples/server is built by the tests: a cached result would not see its changes)
//
// The peers are installed on first use, from PyPI and npm, into build/interop. Python >= 3.11 with venv is a
// prerequisite. Without node and npm on PATH the tests with ws are skipped and say so (-v shows it). With
// EMBWS_REQUIRE_NODE=1, as in CI, that is a failure instead, so that a lost node cannot pass for a success.
//
// Nothing listens but on 127.0.0.1. Every wait has a bound and ends with what it waits for; no test measures time.
package interop

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Every wait has a bound: patience for one step, and setUpTime for installing and building in all.
const (
	patience  = 20 * time.Second
	setUpTime = 2 * time.Minute
)

var (
	serverProgram string // examples/server, built
	clientProgram string // examples/client, built
	libraries     []library
)

func TestMain(m *testing.M) {
	if err := setUp(); err != nil {
		log.Fatal(err)
	}
	os.Exit(m.Run())
}

func setUp() error {
	ctx, cancel := context.WithTimeout(context.Background(), setUpTime)
	defer cancel()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		return err
	}
	build := filepath.Join(root, "build", "interop")
	if err = os.MkdirAll(filepath.Join(build, "bin"), 0o755); err != nil {
		return err
	}
	serverProgram = filepath.Join(build, "bin", "server")
	clientProgram = filepath.Join(build, "bin", "client")
	if err = run(ctx, root, "go", "build", "-o", filepath.Dir(serverProgram), "./examples/server", "./examples/client"); err != nil {
		return err
	}
	scripts, err := filepath.Abs("peers")
	if err != nil {
		return err
	}
	python, err := installWebsockets(ctx, build)
	if err != nil {
		return err
	}
	libraries = append(libraries, library{
		name:   "websockets",
		client: []string{python, filepath.Join(scripts, "client.py")},
		server: []string{python, filepath.Join(scripts, "echo_server.py")},
	})
	node := library{name: "ws"}
	if node.missing = missing("node", "npm"); node.missing != "" {
		fmt.Println("skipping the tests with npm's ws:", node.missing)
		if os.Getenv("EMBWS_REQUIRE_NODE") != "" {
			return fmt.Errorf("%s, and EMBWS_REQUIRE_NODE is set", node.missing)
		}
	} else {
		folder, err := installWS(ctx, build)
		if err != nil {
			return err
		}
		node.client = []string{"node", filepath.Join(scripts, "client.mjs"), folder}
		node.server = []string{"node", filepath.Join(scripts, "echo_server.mjs"), folder}
	}
	libraries = append(libraries, node)
	return nil
}

// missing says which of the programs are not on PATH, or nothing.
func missing(programs ...string) string {
	for _, name := range programs {
		if _, err := exec.LookPath(name); err != nil {
			return "no " + name + " on PATH"
		}
	}
	return ""
}
