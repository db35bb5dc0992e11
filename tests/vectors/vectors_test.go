package vectors

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// seed makes the random splits. EMBWS_SEED sets another: a number, or "random".
func seed(t *testing.T) int64 {
	switch s := os.Getenv("EMBWS_SEED"); s {
	case "":
		return 1
	case "random":
		return time.Now().UnixNano()
	default:
		n, err := strconv.ParseInt(s, 10, 64)
		require.NoError(t, err)
		return n
	}
}

// play plays a case in all its splits.
func play(c *Case, seed int64, brief bool) error {
	players := map[string]func(*Case, split) error{"frames": playFrames, "request": playRequest, "response": playResponse}
	if c.Kind == "send" {
		return playSend(c)
	}
	if err := eachSplit(c, seed, brief, func(s split) error { return players[c.Kind](c, s) }); err != nil || c.Kind != "frames" || c.Fail == nil {
		return err
	}
	// Whatever lies behind a failure changes nothing: a decoder that looks ahead must not be led astray.
	more := *c
	more.In = append(bytes.Clone(c.In), bytes.Repeat([]byte{0x82, 0x80}, 40)...)
	if err := eachSplit(&more, seed, true, func(s split) error { return playFrames(&more, s) }); err != nil {
		return fmt.Errorf("with more input: %w", err)
	}
	return nil
}

func TestVectors(t *testing.T) {
	cases, err := Cases()
	require.NoError(t, err)
	require.NotEmpty(t, cases)
	seed := seed(t)
	for i := range cases {
		c := &cases[i]
		t.Run(c.File[:len(c.File)-len(".txt")]+"/"+c.Name, func(t *testing.T) {
			if err := play(c, seed, testing.Short()); err != nil {
				t.Error(err)
			}
		})
	}
}

// notOnTheWire are the rules without a case, each with its reason.
var notOnTheWire = map[int]string{
	24:  "RFC 8441 and RFC 9220 come later",
	86:  "time-outs are the caller's: the codec holds no clock",
	105: "with compression", 106: "with compression", 107: "with compression", 108: "with compression",
	109: "with compression", 110: "with compression", 111: "with compression", 112: "with compression",
	114: "with compression", 115: "with compression", 116: "with compression", 117: "with compression",
	118: "with compression", 119: "with compression", 120: "with compression", 121: "with compression",
	122: "with compression", 123: "with compression",
}

const lastRule = 123

func TestVectors_EveryRuleOfTheWireHasACase(t *testing.T) {
	cases, err := Cases()
	require.NoError(t, err)
	shown := map[int]int{}
	for i := range cases {
		for _, rule := range cases[i].Rules {
			assert.True(t, rule >= 1 && rule <= lastRule, "%s: rule %d", cases[i].Name, rule)
			shown[rule]++
		}
	}
	for rule := 1; rule <= lastRule; rule++ {
		_, excused := notOnTheWire[rule]
		assert.True(t, excused != (shown[rule] > 0), "rule %d has %d cases, and is excused: %v", rule, shown[rule], excused)
	}
}

// Every rule that an error names must be found in RULES.md.
func TestRulesPage_HasARowForEveryRule(t *testing.T) {
	page, err := os.ReadFile("../../RULES.md")
	require.NoError(t, err)
	for rule := 1; rule <= lastRule; rule++ {
		row := regexp.MustCompile(fmt.Sprintf(`(?m)^\| %d \|([^|]+\|){4}$`, rule))
		assert.Len(t, row.FindAll(page, -1), 1, "rule %d", rule)
	}
}

// What RULES.md points to must be there: the files of package ws with what they name in them, the vector files and their cases.
func TestRulesPage_PointsToWhatIsThere(t *testing.T) {
	page, err := os.ReadFile("../../RULES.md")
	require.NoError(t, err)
	all, err := Cases()
	require.NoError(t, err)
	names := map[string][]string{}
	for i := range all {
		names[all[i].File] = append(names[all[i].File], all[i].Name)
	}
	for _, row := range regexp.MustCompile(`(?m)^\| (\d+) \|[^|]*\|[^|]*\|([^|]*)\|([^|]*)\|$`).FindAllStringSubmatch(string(page), -1) {
		source := ""
		for _, word := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[2], -1) {
			switch {
			case filepath.Ext(word[1]) == ".go":
				text, err := os.ReadFile(filepath.Join("../../ws", word[1]))
				assert.NoError(t, err, "rule %s", row[1])
				source += string(text)
			case strings.Contains(word[1], "/"):
				assert.DirExists(t, filepath.Join("../../ws", word[1]), "rule %s", row[1])
			default:
				assert.True(t, regexp.MustCompile(`\b`+word[1]+`\b`).MatchString(source), "rule %s: no %s in the files before it", row[1], word[1])
			}
		}
		for _, word := range regexp.MustCompile("`([a-z0-9-]+\\.txt)`((?: [a-z0-9-]*[*-][a-z0-9*-]*,?)*)").FindAllStringSubmatch(row[3], -1) {
			assert.Contains(t, names, word[1], "rule %s", row[1])
			for _, pattern := range strings.Fields(strings.ReplaceAll(word[2], ",", " ")) {
				assert.True(t, anyMatch(pattern, names[word[1]]), "rule %s: no case %s in %s", row[1], pattern, word[1])
			}
		}
	}
}

func anyMatch(pattern string, names []string) bool {
	for _, name := range names {
		if ok, err := path.Match(pattern, name); ok && err == nil {
			return true
		}
	}
	return false
}

// The runner is worth something only if it can fail.
func TestRunner_FindsWrongVectors(t *testing.T) {
	for name, wrong := range map[string]struct{ text, want string }{
		"payload": {
			"frames server\nin 8182 ^01020304 \"hi\"\nevent text MFfm \"ho\"",
			`want text MFfm 0 "ho"`,
		},
		"edges": {
			"frames server\nin 8182 ^01020304 \"hi\"\nevent text MFf- \"hi\"",
			`want text MFf- 0 "hi"`,
		},
		"kind": {
			"frames server\nin 8182 ^01020304 \"hi\"\nevent binary MFfm \"hi\"",
			`want binary`,
		},
		"missing event": {
			"frames server\nin 8182 ^01020304 \"hi\"",
			`want none, got text`,
		},
		"event too many": {
			"frames client\nin 8100\nevent text MFfm\nevent text MFfm",
			`got none`,
		},
		"missing answer": {
			"frames server\nin 8980 ^01020304\nevent ping",
			`sent: want ""`,
		},
		"answer too many": {
			"frames server\nin 8a80 ^01020304\nevent pong\nout 8a00",
			`got ""`,
		},
		"close code": {
			"frames server\nin 8882 ^01020304 03e8\nevent close 1001\nout 8802 03e8",
			`want close MFfm 1001`,
		},
		"missed failure": {
			"frames server\nin c180\nfail 41 0 1002\nout 8802 03ea",
			`want rule 41`,
		},
		"failure's offset": {
			"frames server\nin c180\nfail 40 1 1002\nout 8802 03ea",
			`want rule 40 at 1`,
		},
		"failure's code": {
			"frames server\nin c180\nfail 40 0 1007\nout 8802 03ea",
			`at 0 with 1007`,
		},
		"no failure": {
			"frames client\nin 8100\nevent text MFfm\nfail 40 2 1002",
			`got no failure`,
		},
		"failure too many": {
			"frames server\nin c180\nout 8802 03ea",
			`want no failure`,
		},
		"end": {
			"frames client\nin 8100\nevent text MFfm\neof 0",
			`want rule 0, got 84`,
		},
		"sent": {
			"send server\ndo text fin \"a\"\nout 8101 \"b\"",
			`want "\x81\x01b"`,
		},
		"sent too much": {
			"send server\ndo text fin \"a\"\nout 8101 \"aa\"",
			`room of 0 bytes for 4`,
		},
		"error": {
			"send server\ndo close 1005\nout 8802 03ed",
			`must not be sent`,
		},
		"no error": {
			"send server\ndo close 1000\nerror 82",
			`want an error of rule 82`,
		},
		"outcome": {
			"request\nin \"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n\"\noutcome upgrade",
			`want upgrade, got plain`,
		},
		"value": {
			"request\nin \"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n\"\noutcome plain\nvalue target \"/a\"",
			`want "/a", got "/"`,
		},
		"rest": {
			"request\nin \"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\nx\"\noutcome plain",
			`rest: want ""`,
		},
		"status": {
			"request\nfail 1 here 400\nin \"PUT / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n\"",
			`with 400, got`,
		},
		"part of a refusal": {
			"request\nfail 1 here 405\nhas \"nothing\"\nin \"PUT / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n\"",
			`want "nothing"`,
		},
		"answer": {
			"request\nin \"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n\"\noutcome plain\nwith status \"204\"\nrespond\n" +
				"out \"HTTP/1.1 204 No\\r\\n\\r\\n\"",
			`want 19 bytes`,
		},
		"request's bytes": {
			"response\nout \"GET /\"",
			`want "GET /"`,
		},
		"refused request": {
			"response\nwith target \"/a b\"",
			`want an error of rule 0`,
		},
		"response": {
			"response\nin \"HTTP/1.1 101 a\\r\\n\\r\\n\"\noutcome open",
			`want open, got failed`,
		},
	} {
		cases, err := Parse(name, "case wrong\nrules 1\n"+wrong.text+"\nend\n")
		require.NoError(t, err, name)
		assert.ErrorContains(t, play(&cases[0], 1, false), wrong.want, name)
	}
}

func TestParse_RefusesWhatItDoesNotKnow(t *testing.T) {
	for _, text := range []string{
		"in 00", "case a", "case a\nend", "case a\nrules 1\nframes server\nin 0\nend", "case a\nrules 1\nframes server\nin \"a\nend",
		"case a\nrules 1\nframes server\nin \"\\q\"\nend", "case a\nrules 1\nframes server\nwhat\nend", "case a\nrules 1\nframes nobody\nend",
		"case a\nrules x\nframes server\nend", "case a\nrules 1\nframes server\nin ^00\nend", "case a\nrules 1\nframes server\nfail 1 2\nend",
		"case a b\nend", "case a\ncase b\nend", "case a\nrules 1\nframes server\nevent text MF \"a\"\nend", "case a\nrules 1\nsend server\nend",
	} {
		_, err := Parse("x", text)
		assert.Error(t, err, text)
	}
	cases, err := Parse("x", "# a comment\ncase a\n rules 1 2\n\nframes client\nin 8A03 \"a\\x00\\t\" 2*0aFF ^01020304 000000000000\nend")
	require.NoError(t, err)
	assert.Equal(t, "\x8A\x03a\x00\t\x0A\xFF\x0A\xFF\x01\x02\x03\x04\x01\x02\x03\x04\x01\x02", string(cases[0].In))
}
