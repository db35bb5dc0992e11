package browser

import (
	"bytes"
	"regexp"
	"testing"
	"unicode/utf8"
)

// Servers hold the page in memory and serve it alone: it has to stay small,
// and complete without any other file.
func TestPage_IsOneSmallFile(t *testing.T) {
	if n := len(Page); n == 0 || n > 16<<10 {
		t.Errorf("the page has %d bytes, want 1 to 16384", n)
	}
	if !utf8.Valid(Page) || bytes.IndexByte(Page, '\r') >= 0 {
		t.Error("the page is not UTF-8 with plain line feeds")
	}
	outside := regexp.MustCompile(`(?i)https?://|\bsrc=|@import|\burl\(|\bhref="[^d]|fetch\(|import\(`)
	if m := outside.Find(Page); m != nil {
		t.Errorf("the page refers to something outside itself: %q", m)
	}
}

// Labels, tests and scripts find elements by id: none twice, none missing.
func TestPage_HasEveryElementThatItsScriptUses(t *testing.T) {
	ids := map[string]int{}
	for _, m := range regexp.MustCompile(`\sid="([^"]+)"`).FindAllSubmatch(Page, -1) {
		ids[string(m[1])]++
	}
	for id, n := range ids {
		if n != 1 {
			t.Errorf("id %q is used %d times", id, n)
		}
	}
	for _, m := range regexp.MustCompile(`(?:\$|\bon|\bsubmit)\("([^"]+)"`).FindAllSubmatch(Page, -1) {
		if ids[string(m[1])] == 0 {
			t.Errorf("the script uses %q, which no element has as its id", m[1])
		}
	}
}
