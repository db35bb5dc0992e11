package browser

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// demo is a running demo server.
type demo struct {
	url    string // http://127.0.0.1:PORT
	cmd    *exec.Cmd
	said   output
	exited chan error // receives what Wait returned, once
}

// output collects what a server prints and finds its address in it.
type output struct {
	lock  sync.Mutex
	text  bytes.Buffer
	found chan string // receives the address, once
}

// The whole line has to be there, or the port may lack its last digits.
var listening = regexp.MustCompile(`(http://[0-9.]+:\d+).*\n`)

func (o *output) Write(p []byte) (int, error) {
	o.lock.Lock()
	defer o.lock.Unlock()
	o.text.Write(p)
	if o.found != nil {
		if m := listening.FindSubmatch(o.text.Bytes()); m != nil {
			o.found <- string(m[1])
			o.found = nil
		}
	}
	return len(p), nil
}

func (o *output) String() string {
	o.lock.Lock()
	defer o.lock.Unlock()
	return o.text.String()
}

// startDemo starts the demo server on a free port and returns once it listens.
// The server is stopped when the test ends, if the test has not done so.
func startDemo(t *testing.T) *demo {
	t.Helper()
	args := make([]string, len(serverCommand))
	for i, a := range serverCommand {
		args[i] = strings.ReplaceAll(a, "{addr}", "127.0.0.1:0")
	}
	found := make(chan string, 1)
	d := &demo{cmd: exec.Command(args[0], args[1:]...), exited: make(chan error, 1)}
	d.said.found = found
	d.cmd.WaitDelay = patience // if a child of its own keeps the pipe
	d.cmd.Stdout, d.cmd.Stderr = &d.said, &d.said
	require.NoError(t, d.cmd.Start())
	go func() { d.exited <- d.cmd.Wait() }()
	t.Cleanup(func() {
		assert.NoError(t, d.interrupt(), "how the server ended")
		if t.Failed() {
			t.Logf("the server printed:\n%s", &d.said)
		}
	})
	select {
	case d.url = <-found:
	case err := <-d.exited:
		d.exited <- err // for the cleanup
		require.FailNowf(t, "the server ended without naming its address", "%v", err)
	case <-time.After(patience):
		require.FailNow(t, "the server does not name its address")
	}
	return d
}

// interrupt sends what Ctrl-C sends and returns how the server ended, also when
// asked again. One that does not end is killed.
func (d *demo) interrupt() error {
	_ = d.cmd.Process.Signal(os.Interrupt)
	select {
	case err := <-d.exited:
		d.exited <- err
		return err
	case <-time.After(patience):
		_ = d.cmd.Process.Kill()
		d.exited <- <-d.exited
		return fmt.Errorf("still running %v after the interrupt, killed", patience)
	}
}

// tab is the demo page in a tab of its own.
type tab struct {
	t   *testing.T
	ctx context.Context
}

// needBrowser skips the test where there is no browser.
func needBrowser(t *testing.T) {
	t.Helper()
	if browserCtx == nil {
		t.Skip(skipReason)
	}
}

// openTab loads the page; listeners see the events of the browser from the
// tab's first moment on.
func openTab(t *testing.T, url string, listeners ...func(any)) *tab {
	t.Helper()
	needBrowser(t)
	var opts []chromedp.ContextOption
	for _, l := range listeners {
		opts = append(opts, chromedp.WithListener(l))
	}
	ctx, closeTab := chromedp.NewContext(browserCtx, opts...)
	t.Cleanup(closeTab)
	p := &tab{t, ctx}
	require.NoError(t, chromedp.Do(ctx)) // opens the tab; it must not live on the time of one step
	p.do(chromedp.Navigate(url))
	return p
}

// do runs actions, all of them within patience.
func (p *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	require.NoError(p.t, chromedp.Do(ctx, actions...), "page:\n%s", p.dump())
}

func (p *tab) click(id string) {
	p.t.Helper()
	p.do(chromedp.Click(chromedp.CSS("#" + id)))
}

// fill types over what a field holds, as a user does, so that the page sees it.
func (p *tab) fill(id, value string) {
	p.t.Helper()
	eval[any](p, fmt.Sprintf(`{
		const field = document.getElementById(%q);
		field.value = %q;
		field.dispatchEvent(new Event("input", { bubbles: true }));
	}`, id, value))
}

// wait returns once the JavaScript expression is true, tried again at each
// change of the document.
func (p *tab) wait(expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience+time.Second)
	defer cancel()
	_, err := chromedp.Run(ctx, chromedp.Poll[bool](expression,
		chromedp.WithPollingMutation(), chromedp.WithPollingTimeout(patience)))
	require.NoError(p.t, err, "waiting for %s\npage:\n%s", expression, p.dump())
}

// eval returns the value of a JavaScript expression now.
func eval[T any](p *tab, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	require.NoError(p.t, err, "%s", expression)
	return v
}

func (p *tab) text(id string) string {
	p.t.Helper()
	return eval[string](p, fmt.Sprintf(`document.getElementById(%q).textContent`, id))
}

// waitState waits for closed, connecting, open or closing.
func (p *tab) waitState(state string) {
	p.t.Helper()
	p.wait(fmt.Sprintf(`document.getElementById("state").dataset.state === %q`, state))
}

func (p *tab) connect() {
	p.t.Helper()
	p.click("connect")
	p.waitState("open")
}

// sendText puts text into the field and presses the button.
func (p *tab) sendText(text string) {
	p.t.Helper()
	p.fill("text", text)
	p.click("send-text")
}

// entry is one line of the page's log: its data attributes by name, and "what",
// the words in the middle.
type entry map[string]string

// waitEntry waits for the n-th (from 1) line of a kind and returns it.
func (p *tab) waitEntry(kind string, n int) entry {
	p.t.Helper()
	lines := fmt.Sprintf(`document.querySelectorAll("#log [data-kind=%s]")`, kind)
	p.wait(fmt.Sprintf(`%s.length >= %d`, lines, n))
	return eval[entry](p, fmt.Sprintf(`(li => ({ ...li.dataset, what: li.querySelector(".what").textContent }))(%s[%d])`, lines, n-1))
}

// dump is the visible text of the page, for messages of failed tests.
func (p *tab) dump() string {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	s, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body ? document.body.innerText : "(no body)"`))
	if err != nil {
		return err.Error()
	}
	return s
}
