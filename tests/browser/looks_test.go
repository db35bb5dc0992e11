package browser

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Takes pictures for people, and checks what a program can see: nothing sticks
// out sideways, whatever the width.
func TestPage_LooksRightInEveryWidthAndTheme(t *testing.T) {
	needBrowser(t)
	dir := os.Getenv("EMBWS_SCREENSHOT")
	if dir == "" {
		dir = t.TempDir()
	}
	require.NoError(t, os.MkdirAll(dir, 0o755))
	for _, c := range []struct {
		name, theme   string
		width, height int64
	}{
		{"light", "light", 1280, 800},
		{"dark", "dark", 1280, 800},
		{"narrow", "light", 360, 740},
		{"medium-dark", "dark", 900, 800},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := startDemo(t)
			p := openTab(t, "about:blank")
			ctx, cancel := context.WithTimeout(p.ctx, patience)
			defer cancel()
			_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: c.theme}},
			})
			require.NoError(t, err)
			p.do(chromedp.EmulateViewport(c.width, c.height), chromedp.Navigate(d.url))
			assert.Equal(t, c.theme == "dark", eval[bool](p, `matchMedia("(prefers-color-scheme: dark)").matches`))

			picture := func(name string) {
				assert.LessOrEqual(t, eval[int64](p, `document.documentElement.scrollWidth`), c.width, name)
				shot, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
				require.NoError(t, err)
				file := filepath.Join(dir, name+".png")
				require.NoError(t, os.WriteFile(file, shot, 0o644))
				t.Log("picture:", file)
			}
			p.fill("path", "/nothing")
			p.click("connect")
			p.waitEntry("closed", 1)
			picture(c.name + "-failed")
			useAll(t, p)
			picture(c.name)
		})
	}
}

// useAll leaves a bit of everything in the log, after one connection that failed.
func useAll(t *testing.T, p *tab) {
	t.Helper()
	p.fill("path", "/chat")
	p.connect()
	p.click("send-text")
	p.waitEntry("echo", 1)
	p.sendText(strings.Repeat("a-long-word-without-a-blank-", 5))
	p.waitEntry("echo", 2)
	file := filepath.Join(t.TempDir(), "sensor-readings.bin")
	require.NoError(t, os.WriteFile(file, make([]byte, 70000), 0o600))
	p.do(chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{file}), chromedp.WaitEnabled(chromedp.CSS("#send-file")))
	p.click("send-file")
	p.waitEntry("echo", 3)
	p.fill("code", "3000")
	p.fill("reason", "done for today, 世界")
	p.click("close")
	p.waitEntry("closed", 2)
	p.connect()
	p.sendText("Back again")
	p.waitEntry("echo", 4)
}
