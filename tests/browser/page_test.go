package browser

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Needs no browser.
func TestServer_ServesThePageAndNothingElse(t *testing.T) {
	want, err := os.ReadFile(filepath.Join("..", "..", "examples", "browser", "index.html"))
	require.NoError(t, err)
	d := startDemo(t)
	client := &http.Client{Timeout: patience}
	for path, status := range map[string]int{"/": 200, "/?path=/chat": 200, "/favicon.ico": 404, "/nothing": 404} {
		resp, err := client.Get(d.url + path)
		require.NoError(t, err, path)
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		require.NoError(t, err, path)
		assert.Equal(t, status, resp.StatusCode, path)
		if status == 200 {
			assert.True(t, bytes.Equal(want, body), "GET %s is not examples/browser/index.html", path)
			assert.Contains(t, resp.Header.Get("Content-Type"), "text/html", path)
		}
	}
}

func TestPage_LoadsNothingElseAndThrowsNothing(t *testing.T) {
	d := startDemo(t)
	var (
		mu       sync.Mutex
		requests []string
		thrown   []string
	)
	p := openTab(t, "about:blank", func(ev any) {
		mu.Lock()
		defer mu.Unlock()
		switch ev := ev.(type) {
		case *network.EventRequestWillBeSent:
			if !strings.HasPrefix(ev.Request.URL, "data:") { // the icon, inside the page
				requests = append(requests, ev.Request.URL)
			}
		case *runtime.EventExceptionThrown:
			thrown = append(thrown, ev.ExceptionDetails.Text)
		}
	})
	p.do(chromedp.Navigate(d.url + "/"))
	p.connect()
	p.sendText("x")
	p.waitEntry("echo", 1)
	mu.Lock()
	defer mu.Unlock()
	assert.Equal(t, []string{d.url + "/"}, requests)
	assert.Empty(t, thrown)
}

func TestPage_EchoesText(t *testing.T) {
	p := openTab(t, startDemo(t).url)
	p.connect()
	assert.Equal(t, "chat", p.text("chosen"))
	texts := []string{
		"Hello", "Grüße, 世界 👋", "two\nlines", "",
		strings.Repeat("a", 125), strings.Repeat("a", 126),
		strings.Repeat("é", 32767), strings.Repeat("é", 32768), // 65,534 and 65,536 bytes
	}
	for i, text := range texts {
		p.sendText(text)
		e := p.waitEntry("echo", i+1)
		name := fmt.Sprintf("text %d", i)
		assert.Equal(t, "text", e["type"], name)
		assert.Equal(t, strconv.Itoa(len(text)), e["size"], name)
		assert.Equal(t, "true", e["equal"], name)
		if ms, err := strconv.ParseFloat(e["ms"], 64); assert.NoError(t, err, name) {
			assert.Less(t, ms, patience.Seconds()*1000, name)
		}
		if text != "" && len(text) < 200 {
			assert.Equal(t, text, e["what"], name)
		}
	}
	assert.Equal(t, fmt.Sprintf("%d of %[1]d", len(texts)), p.text("tally"))
	assert.Empty(t, p.text("error"))
}

func TestPage_EchoesFilesAsBinary(t *testing.T) {
	p := openTab(t, startDemo(t).url)
	p.connect()
	dir := t.TempDir()
	for i, size := range []int{0, 1, 125, 126, 65535, 65536, 1 << 20} {
		data := make([]byte, size)
		for j := range data {
			data[j] = byte(j*7 ^ j>>8 ^ 0x80) // not text, no short period
		}
		file := filepath.Join(dir, fmt.Sprintf("%d.bin", size))
		require.NoError(t, os.WriteFile(file, data, 0o600))
		p.do(chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{file}),
			chromedp.WaitEnabled(chromedp.CSS("#send-file")))
		p.click("send-file")
		e := p.waitEntry("echo", i+1)
		assert.Equal(t, "binary", e["type"], "%d bytes", size)
		assert.Equal(t, strconv.Itoa(size), e["size"])
		assert.Equal(t, "true", e["equal"], "%d bytes", size)
	}
	assert.Empty(t, p.text("error"))
}

// Many messages in flight: the echoes come back in order, each is compared
// with its own, and the log keeps its newest lines only.
func TestPage_KeepsOrderAndBoundsItsLog(t *testing.T) {
	p := openTab(t, startDemo(t).url)
	p.connect()
	const n = 300
	eval[any](p, fmt.Sprintf(`for (let i = 0; i < %d; i++) {
		document.getElementById("text").value = "message " + i;
		document.getElementById("text-form").requestSubmit();
	}`, n))
	p.wait(fmt.Sprintf(`document.getElementById("tally").textContent === "%d of %[1]d"`, n))
	lines := eval[[]string](p, `[...document.querySelectorAll("#log li .what")].map(e => e.textContent)`)
	assert.Len(t, lines, 200)
	assert.Equal(t, fmt.Sprintf("message %d", n-1), lines[len(lines)-1])
}

func TestPage_NoticesAnEchoThatDiffers(t *testing.T) {
	p := openTab(t, startDemo(t).url)
	p.connect()
	// The page believes that it sent "abc"; the wire, and so the echo, says "abX".
	eval[any](p, `{ const send = WebSocket.prototype.send; WebSocket.prototype.send = function () { send.call(this, "abX"); } }`)
	p.sendText("abc")
	assert.Equal(t, "false", p.waitEntry("echo", 1)["equal"])
	assert.Contains(t, p.text("error"), "from byte 2 on")
	assert.Equal(t, "0 of 1", p.text("tally"))
}

func TestPage_ClosesWithCodeAndReason(t *testing.T) {
	d := startDemo(t)
	p := openTab(t, d.url)
	for i, c := range []struct{ code, reason string }{
		{"3000", "bye, 世界"},
		{"1000", ""},
		{"4999", strings.Repeat("é", 61) + "x"}, // 123 bytes: all that fits
	} {
		p.connect()
		p.fill("code", c.code)
		p.fill("reason", c.reason)
		p.click("close")
		e := p.waitEntry("closed", i+1)
		assert.Equal(t, c.code, e["code"])
		assert.Empty(t, e["reason"], "the answer echoes the code alone (RFC 6455 5.5.1)")
		assert.Eventually(t, func() bool { return strings.Contains(d.said.String(), c.reason) }, patience, patience/1000, "the server saw the reason")
		assert.Equal(t, "true", e["clean"], c.code)
		p.waitState("closed")
		assert.Empty(t, p.text("error"), c.code)
	}
}

func TestPage_RefusesACloseThatNoBrowserMaySend(t *testing.T) {
	p := openTab(t, startDemo(t).url)
	p.connect()
	for _, code := range []string{"", "0", "999", "1001", "2999", "5000", "30000", "3000.5", "1e3"} {
		p.fill("code", code)
		p.click("close")
		assert.Contains(t, p.text("close-error"), "1000, or 3000 to 4999", "code %q", code)
	}
	p.fill("code", "3000")
	p.fill("reason", strings.Repeat("é", 62)) // 124 bytes, 62 characters
	p.click("close")
	assert.Contains(t, p.text("close-error"), "124 bytes")
	assert.Equal(t, "reason", eval[string](p, `document.activeElement.id`))
	p.fill("reason", "")
	assert.Empty(t, p.text("close-error"))
	p.waitState("open") // none of it closed anything
}

func TestPage_ShowsWhyAConnectionFails(t *testing.T) {
	p := openTab(t, startDemo(t).url)
	for i, c := range []struct{ path, subprotocol, want string }{
		{"/nothing", "chat", "Could not connect to ws://"},       // 404
		{"/chat", "unknown-to-it", "Could not connect to ws://"}, // chosen by nobody
	} {
		p.fill("path", c.path)
		p.fill("subprotocol", c.subprotocol)
		p.click("connect")
		e := p.waitEntry("closed", i+1)
		assert.Equal(t, "1006", e["code"], c.path)
		assert.Equal(t, "false", e["clean"], c.path)
		assert.Contains(t, p.text("error"), c.want)
		p.waitState("closed")
	}
	for i, c := range []struct{ path, subprotocol, want string }{
		{"chat", "chat", "must start with"},
		{"/chat", "not a token", "refuses this path or subprotocol"},
		{"/chat", "chat, chat", "refuses this path or subprotocol"},
	} {
		p.fill("path", c.path)
		p.fill("subprotocol", c.subprotocol)
		p.click("connect")
		p.waitEntry("error", 3+i)
		assert.Contains(t, p.text("error"), c.want)
	}
	// And none of it is in the way of the next try.
	p.fill("subprotocol", "superchat, chat")
	p.connect()
	assert.Equal(t, "chat", p.text("chosen"))
	assert.Empty(t, p.text("error"))
}

func TestPage_TakesPathAndSubprotocolFromTheQuery(t *testing.T) {
	p := openTab(t, startDemo(t).url+"/?path=/other&subprotocol=a,b")
	assert.Equal(t, []string{"/other", "a,b"},
		eval[[]string](p, `["path", "subprotocol"].map(id => document.getElementById(id).value)`))
}

func TestPage_EnablesWhatMakesSense(t *testing.T) {
	p := openTab(t, startDemo(t).url)
	enabled := func() []string {
		return eval[[]string](p, `[...document.querySelectorAll("button:enabled")].map(b => b.id)`)
	}
	assert.Equal(t, []string{"connect"}, enabled())
	p.connect()
	assert.Equal(t, []string{"send-text", "close", "clear"}, enabled())
	file := filepath.Join(t.TempDir(), "some file")
	require.NoError(t, os.WriteFile(file, []byte("x"), 0o600))
	p.do(chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{file}))
	assert.Equal(t, []string{"send-text", "send-file", "close", "clear"}, enabled())
	p.click("clear")
	assert.Equal(t, []string{"send-text", "send-file", "close"}, enabled())
	p.click("close")
	p.waitState("closed")
	assert.Equal(t, []string{"connect", "clear"}, enabled())
}

func TestPage_WorksByKeyboardAlone(t *testing.T) {
	p := openTab(t, startDemo(t).url)
	focused := func(id string) { p.t.Helper(); p.wait(fmt.Sprintf(`document.activeElement.id === %q`, id)) }
	press := func(keys string) { p.t.Helper(); p.do(chromedp.KeyEvent(keys)) }

	focused("connect")
	press(kb.Enter)
	p.waitState("open")
	focused("text") // the button is gone, the focus went on
	press(kb.End)
	press(" typed")
	press(kb.Enter)
	assert.Contains(t, p.waitEntry("echo", 1)["what"], " typed")
	for _, id := range []string{"send-text", "file", "code", "reason", "close"} { // no file is chosen: its button is left out
		press(kb.Tab)
		focused(id)
	}
	press(kb.Enter)
	assert.Equal(t, "1000", p.waitEntry("closed", 1)["code"])
	p.waitState("closed")
	focused("connect")
}

func TestPage_SeveralTabsAtOnce(t *testing.T) {
	d := startDemo(t)
	tabs := make([]*tab, 4)
	for i := range tabs {
		tabs[i] = openTab(t, d.url)
		tabs[i].connect()
	}
	for round := 1; round <= 3; round++ { // all have sent before the first is looked at
		for i, p := range tabs {
			p.sendText(fmt.Sprintf("tab %d, round %d", i, round))
		}
		for i, p := range tabs {
			e := p.waitEntry("echo", round)
			assert.Equal(t, fmt.Sprintf("tab %d, round %d", i, round), e["what"])
			assert.Equal(t, "true", e["equal"])
		}
	}
	// One that leaves is not missed.
	tabs[0].click("close")
	tabs[0].waitState("closed")
	tabs[1].sendText("still here")
	assert.Equal(t, "still here", tabs[1].waitEntry("echo", 4)["what"])
}

func TestServer_ClosesPagesWith1001OnInterrupt(t *testing.T) {
	d := startDemo(t)
	tabs := []*tab{openTab(t, d.url), openTab(t, d.url)}
	for _, p := range tabs {
		p.connect()
		p.sendText("x")
		p.waitEntry("echo", 1)
	}
	require.NoError(t, d.interrupt())
	for _, p := range tabs {
		e := p.waitEntry("closed", 1)
		assert.Equal(t, "1001", e["code"])
		assert.Equal(t, "true", e["clean"])
		p.waitState("closed")
	}
	// Nobody listens any more, and the page says so.
	tabs[0].click("connect")
	assert.Equal(t, "1006", tabs[0].waitEntry("closed", 2)["code"])
	assert.Contains(t, tabs[0].text("error"), "Could not connect")
}
