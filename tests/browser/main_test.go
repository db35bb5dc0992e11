// Package browser drives the demo page in a headless Chromium, against a demo
// server that the tests start themselves: the browser is a WebSocket client
// that is not ours, and the page is what people see first.
//
//	go test -v .                                  the Go demo server, built from examples/server
//	go test -v . -args -server "CMD {addr}"       any other server that keeps the same contract
//	EMBWS_SCREENSHOT=DIR go test -run Looks .     leaves pictures of the page in DIR
//
// Without Chromium on PATH every browser test is skipped and says so (-v shows
// it). With EMBWS_REQUIRE_BROWSER=1, as in CI, that is a failure instead, so
// that a lost browser cannot pass for a success.
//
// What a demo server owes the page and these tests:
//   - It takes -addr HOST:PORT and, once it listens, prints one line with
//     http://HOST:PORT to standard output or standard error, the real port in
//     place of a 0.
//   - GET / (whatever the query) answers 200 with examples/browser/index.html
//     as text/html; every other path but the WebSocket one answers 404.
//   - /chat is a WebSocket echo, same opcode and bytes, for messages of 1 MiB at
//     least; offered the subprotocol chat, it chooses it.
//   - A Close is answered with its code, and the server prints its reason.
//   - SIGINT closes every open connection with 1001 and ends the process with
//     status 0 within a few seconds.
package browser

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Every wait has a bound: patience for one step of a page or server, and the
// whole run for what has no step of its own, such as the browser's start.
const (
	patience = 20 * time.Second
	wholeRun = 2 * time.Minute
)

var serverFlag = flag.String("server", "", "command of the demo server; {addr} stands for the address (default: build examples/server)")

var (
	serverCommand []string        // of the demo server, {addr} still in it
	browserCtx    context.Context // of the one browser, a tab a test; nil without Chromium
	skipReason    string
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

// run exists so that its defers are done before the process exits.
func run(m *testing.M) int {
	tmp, err := os.MkdirTemp("", "embws-browser-")
	if err != nil {
		log.Print(err)
		return 1
	}
	defer os.RemoveAll(tmp)
	if serverCommand, err = buildServer(tmp); err != nil {
		log.Print(err)
		return 1
	}

	path := findChromium()
	if path == "" {
		skipReason = "no Chromium on PATH: looked for " + strings.Join(chromiumNames, ", ")
		fmt.Println("skipping the browser tests:", skipReason)
		if os.Getenv("EMBWS_REQUIRE_BROWSER") != "" {
			fmt.Println("EMBWS_REQUIRE_BROWSER is set: this is a failure")
			return 1
		}
		return m.Run()
	}
	ctx, cancel := context.WithTimeout(context.Background(), wholeRun)
	defer cancel()
	ctx, stop := chromedp.NewExecAllocator(ctx, browserOptions(path)...)
	defer stop() // waits until the browser is gone
	ctx, quit := chromedp.NewContext(ctx)
	defer quit()
	if err := chromedp.Do(ctx); err != nil {
		log.Printf("%s does not start: %v", path, err)
		return 1
	}
	browserCtx = ctx
	return m.Run()
}

// buildServer returns the command that starts the demo server. It builds the
// program rather than calling "go run", which would stand between the server
// and the signal that the tests send it.
func buildServer(dir string) ([]string, error) {
	if *serverFlag != "" {
		return strings.Fields(*serverFlag), nil
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), wholeRun)
	defer cancel()
	bin := filepath.Join(dir, "server")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", bin, "./examples/server")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building examples/server: %w\n%s", err, out)
	}
	return []string{bin, "-addr", "{addr}"}, nil
}

var chromiumNames = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

func findChromium() string {
	for _, name := range chromiumNames {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// browserOptions keeps the browser to itself: no look-ups, no updates, and no
// host but this one, which also proves that the page needs no other.
func browserOptions(path string) []chromedp.ExecAllocatorOption {
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.DisableGPU,
		chromedp.WSURLReadTimeout(time.Minute),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
	)
	if os.Geteuid() == 0 { // Chromium's sandbox refuses to run as root
		opts = append(opts, chromedp.NoSandbox)
	}
	return opts
}
