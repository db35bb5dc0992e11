// Package vectors reads the shared vectors: wire cases in plain text that every language of the project plays.
//
// FORMAT.md describes the text, this package turns it into Cases, and its tests play them through package ws. Other
// tests may take Cases as a seed corpus.
package vectors

import (
	"embed"
	"fmt"
	"sort"
)

//go:embed *.txt
var files embed.FS

// Case is one case of a vector file.
type Case struct {
	Name string
	File string
	Line int // where it starts in File

	Rules   []int     // the rules of RULES.md that it shows
	Kind    string    // frames, send, request, response
	Role    string    // server, client
	Level   string    // codec or session, or "" for both
	Options []Setting // in the order of the file
	Keys    []byte    // what the random source gives, over and over

	In     []byte   // frames, request, response: all that arrives
	Events []Event  // frames: what is found
	Out    []byte   // frames: all that is sent; response: the request, or nil
	Fail   *Failure // frames: the violation, or nil
	EOF    int      // what the end of the transport means after all input: a rule, 0 for a clean end, -1 if it is not asked
	Steps  []Step   // send: what is done; frames: what is done before the input
	Heads  []Head   // request: each request; response: the response
	With   []Setting
	Error  int // response: the rule for which the request is not sent, or -1
}

// Setting is an option, or an argument of something to do.
type Setting struct {
	Name string
	Data []byte
	Key  string // the field's name, where Name is field
}

// Event is what a codec finds: a frame of a message, or a control frame.
type Event struct {
	Kind  string // text, binary, ping, pong, close
	Edges string // MFfm, with a dash for each edge that is missing
	Code  int    // of a close
	Data  []byte // payload; of a close the reason
}

// Failure is a broken rule, the offset of the byte that broke it, and the close code or HTTP status that says so.
type Failure struct{ Rule, Offset, Code int }

// Step is something that a sender does, or bytes that reach it.
type Step struct {
	Verb  string // text, binary, continuation, ping, pong, close, header, payload, in
	Fin   bool
	Kind  string // header: text, binary or continuation
	Size  uint64 // header: the payload's length
	Code  int    // close
	Data  []byte
	Out   []byte
	Error int // the rule for which it is refused, or -1
}

// Head is what a handshake makes of one request or response.
type Head struct {
	Outcome string // upgrade, plain, more, open, refused, fail
	Fail    *Failure
	Values  []Setting
	Absent  []string
	Has     [][]byte // parts of the refusal that a failure is answered with
	Answers []Answer
	Rest    []byte
	Events  []Event // found in Rest once the connection is open
}

// Answer is an attempt to answer a request.
type Answer struct {
	Verb  string // accept, respond
	With  []Setting
	Out   []byte
	Error int // the rule for which it is refused, or -1
}

// Cases returns the cases of all files, in the order of the files' names.
func Cases() ([]Case, error) {
	entries, err := files.ReadDir(".")
	if err != nil {
		return nil, err
	}
	sort.Slice(entries, func(i, j int) bool { return entries[i].Name() < entries[j].Name() })
	var all []Case
	seen := map[string]bool{}
	for _, entry := range entries {
		text, err := files.ReadFile(entry.Name())
		if err != nil {
			return nil, err
		}
		cases, err := Parse(entry.Name(), string(text))
		if err != nil {
			return nil, err
		}
		for i := range cases {
			if seen[cases[i].Name] {
				return nil, fmt.Errorf("%s:%d: second case named %s", cases[i].File, cases[i].Line, cases[i].Name)
			}
			seen[cases[i].Name] = true
		}
		all = append(all, cases...)
	}
	return all, nil
}

// Option returns the last value of an option as text, and whether it is there.
func (c *Case) Option(name string) (string, bool) {
	for i := len(c.Options) - 1; i >= 0; i-- {
		if c.Options[i].Name == name {
			return string(c.Options[i].Data), true
		}
	}
	return "", false
}
