//go:build unix

package interop

// This file starts, watches and ends processes.

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// ownGroup makes the process that cmd will start the head of a process group.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup ends the process that cmd has started and all that it has started.
func killGroup(cmd *exec.Cmd) error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

// process is a running program, which ends with the test that has started it.
type process struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	out   *transcript // both outputs, or standard error alone where a reader has standard output
	ended chan struct{}
	err   error // of Wait; valid once ended is closed
}

// start starts a program. Its standard output goes to out, or to the transcript if that is nil.
func start(t *testing.T, out io.Writer, name string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(name, args...), out: newTranscript(), ended: make(chan struct{})}
	ownGroup(p.cmd)
	p.cmd.WaitDelay = patience // if a child of its own keeps the pipe
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if out != nil {
		p.cmd.Stdout = out
	}
	var err error
	p.stdin, err = p.cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	go func() {
		p.err = p.cmd.Wait()
		p.out.end()
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = p.stdin.Close()
		_ = killGroup(p.cmd)
		<-p.ended
		if t.Failed() {
			t.Logf("%s printed:\n%s", p.cmd, p.out)
		}
	})
	return p
}

// wait returns how the process ended.
func (p *process) wait() error {
	select {
	case <-p.ended:
		return p.err
	case <-time.After(patience):
		return fmt.Errorf("%s does not end", p.cmd)
	}
}

// transcript keeps what a process prints, and wakes those who wait for a line of it.
type transcript struct {
	lock    sync.Mutex
	text    strings.Builder
	over    bool
	changed chan struct{} // closed at the next change
}

func newTranscript() *transcript { return &transcript{changed: make(chan struct{})} }

func (o *transcript) Write(p []byte) (int, error) {
	o.lock.Lock()
	defer o.lock.Unlock()
	o.text.Write(p)
	o.wake()
	return len(p), nil
}

func (o *transcript) end() {
	o.lock.Lock()
	defer o.lock.Unlock()
	o.over = true
	o.wake()
}

func (o *transcript) wake() {
	close(o.changed)
	o.changed = make(chan struct{})
}

func (o *transcript) String() string {
	o.lock.Lock()
	defer o.lock.Unlock()
	return o.text.String()
}

// line waits for a whole line that has all of the parts in it.
func (o *transcript) line(t *testing.T, parts ...string) string {
	t.Helper()
	late := time.After(patience)
	for {
		o.lock.Lock()
		text, over, changed := o.text.String(), o.over, o.changed
		o.lock.Unlock()
		lines := strings.Split(text, "\n")
		for _, line := range lines[:len(lines)-1] {
			if hasAll(line, parts) {
				return line
			}
		}
		if over {
			require.FailNowf(t, "the process has ended", "without a line with %q:\n%s", parts, text)
		}
		select {
		case <-changed:
		case <-late:
			require.FailNowf(t, "no such line", "with %q:\n%s", parts, o)
		}
	}
}

func hasAll(s string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(s, part) {
			return false
		}
	}
	return true
}

// eachLine returns a writer that hands each line to take, until the last; it never refuses one.
func eachLine(take func(line []byte)) io.Writer {
	return &lineWriter{take: take}
}

type lineWriter struct {
	rest []byte
	take func([]byte)
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	for {
		n, line, err := bufio.ScanLines(w.rest, false)
		if err != nil || n == 0 {
			return len(p), nil
		}
		w.take(line)
		w.rest = w.rest[n:]
	}
}

// interrupt sends what Ctrl-C sends, and returns how the process ended.
func (p *process) interrupt() error {
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		return errors.Join(err, p.wait())
	}
	return p.wait()
}
