package vectors

// This file reads the text of FORMAT.md.

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// defaultKey is the masking key of the examples in RFC 6455 5.7.
var defaultKey = []byte{0x37, 0xFA, 0x21, 0x3D}

// Parse reads the cases of a file's text. An error names the file and the line.
func Parse(file, text string) ([]Case, error) {
	p := parser{file: file}
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		word, rest := nextWord(line)
		if err := p.directive(i+1, word, rest); err != nil {
			return nil, fmt.Errorf("%s:%d: %s: %w", file, i+1, word, err)
		}
	}
	if p.open {
		return nil, fmt.Errorf("%s: the last case has no end", file)
	}
	return p.cases, nil
}

type parser struct {
	file  string
	cases []Case
	open  bool
	with  []Setting // arguments that wait for accept or respond
}

func (p *parser) directive(line int, word, rest string) error {
	if word == "case" {
		if p.open {
			return fmt.Errorf("the case before has no end")
		}
		if rest == "" || strings.ContainsAny(rest, " \t") {
			return fmt.Errorf("a name is one word")
		}
		p.cases = append(p.cases, Case{Name: rest, File: p.file, Line: line, Keys: defaultKey, EOF: -1, Error: -1})
		p.open, p.with = true, nil
		return nil
	}
	if !p.open {
		return fmt.Errorf("outside of a case")
	}
	c := &p.cases[len(p.cases)-1]
	switch word {
	case "end":
		p.open = false
		return c.check()
	case "rules":
		for _, s := range strings.Fields(rest) {
			n, err := strconv.Atoi(s)
			if err != nil {
				return err
			}
			c.Rules = append(c.Rules, n)
		}
		return nil
	case "frames", "send":
		c.Kind, c.Role = word, rest
		return nil
	case "request", "response":
		c.Kind, c.Role = word, map[string]string{"request": "server", "response": "client"}[word]
		return nil
	case "level":
		c.Level = rest
		return nil
	case "option":
		name, value := nextWord(rest)
		c.Options = append(c.Options, Setting{Name: name, Data: []byte(value)})
		return nil
	case "eof":
		return number(rest, &c.EOF)
	case "keys":
		return data(rest, &c.Keys, false)
	case "with":
		s, err := setting(rest)
		p.with = append(p.with, s)
		if c.Kind == "response" {
			c.With = p.with
		}
		return err
	case "in":
		if c.Kind == "send" {
			c.Steps = append(c.Steps, Step{Verb: "in", Error: -1})
			return data(rest, &c.Steps[len(c.Steps)-1].Data, false)
		}
		return data(rest, &c.In, true)
	case "do":
		s, err := step(rest)
		c.Steps = append(c.Steps, s)
		return err
	case "event":
		e, err := event(rest)
		if len(c.Heads) > 0 {
			h := &c.Heads[len(c.Heads)-1]
			h.Events = append(h.Events, e)
		} else {
			c.Events = append(c.Events, e)
		}
		return err
	case "out":
		return data(rest, p.out(c), true)
	case "error":
		return number(rest, p.refusal(c))
	case "fail":
		f, err := c.failure(rest)
		if c.Kind == "frames" {
			c.Fail = f
		} else {
			c.Heads = append(c.Heads, Head{Outcome: "fail", Fail: f})
		}
		return err
	case "outcome":
		c.Heads = append(c.Heads, Head{Outcome: rest})
		p.with = nil
		return nil
	}
	if len(c.Heads) == 0 {
		return fmt.Errorf("unknown, or before an outcome")
	}
	return p.ofHead(&c.Heads[len(c.Heads)-1], word, rest)
}

// ofHead takes a directive that belongs to an outcome.
func (p *parser) ofHead(h *Head, word, rest string) error {
	switch word {
	case "value":
		s, err := setting(rest)
		h.Values = append(h.Values, s)
		return err
	case "absent":
		h.Absent = append(h.Absent, rest)
		return nil
	case "has":
		h.Has = append(h.Has, nil)
		return data(rest, &h.Has[len(h.Has)-1], false)
	case "rest":
		return data(rest, &h.Rest, true)
	case "accept", "respond":
		h.Answers = append(h.Answers, Answer{Verb: word, With: p.with, Error: -1})
		p.with = nil
		return nil
	}
	return fmt.Errorf("unknown directive")
}

// out returns where the bytes of an out line belong.
func (p *parser) out(c *Case) *[]byte {
	switch {
	case c.Kind == "send" && len(c.Steps) > 0:
		return &c.Steps[len(c.Steps)-1].Out
	case c.Kind == "request" && len(c.Heads) > 0:
		if h := &c.Heads[len(c.Heads)-1]; len(h.Answers) > 0 {
			return &h.Answers[len(h.Answers)-1].Out
		}
	}
	return &c.Out
}

// refusal returns where the rule of an error line belongs.
func (p *parser) refusal(c *Case) *int {
	switch {
	case c.Kind == "send" && len(c.Steps) > 0:
		return &c.Steps[len(c.Steps)-1].Error
	case c.Kind == "request" && len(c.Heads) > 0:
		if h := &c.Heads[len(c.Heads)-1]; len(h.Answers) > 0 {
			return &h.Answers[len(h.Answers)-1].Error
		}
	}
	return &c.Error
}

// check finds what a case must have.
func (c *Case) check() error {
	switch {
	case c.Role != "server" && c.Role != "client":
		return fmt.Errorf("%s: no kind and role", c.Name)
	case len(c.Rules) == 0:
		return fmt.Errorf("%s: no rules", c.Name)
	case c.Level != "" && c.Level != "codec" && c.Level != "session":
		return fmt.Errorf("%s: unknown level", c.Name)
	case c.Kind == "send" && len(c.Steps) == 0, c.Kind == "request" && len(c.Heads) == 0:
		return fmt.Errorf("%s: nothing is expected", c.Name)
	case c.Kind == "request" && len(c.Out) > 0:
		return fmt.Errorf("%s: out without an answer", c.Name)
	}
	return nil
}

// failure reads RULE OFFSET CODE. The offset here is that of the next in line.
func (c *Case) failure(rest string) (*Failure, error) {
	var f Failure
	w := strings.Fields(rest)
	if len(w) != 3 {
		return &f, fmt.Errorf("wants a rule, an offset and a code")
	}
	if w[1] == "here" {
		w[1] = strconv.Itoa(len(c.In))
	}
	for i, to := range []*int{&f.Rule, &f.Offset, &f.Code} {
		if err := number(w[i], to); err != nil {
			return &f, err
		}
	}
	return &f, nil
}

// setting reads NAME DATA or field NAME DATA.
func setting(rest string) (s Setting, err error) {
	s.Name, rest = nextWord(rest)
	if s.Name == "field" {
		s.Key, rest = nextWord(rest)
		if key, ok := strings.CutPrefix(s.Key, `"`); ok { // a name that cannot be written as a word
			name, err := quoted(strings.TrimSuffix(key, `"`))
			if err != nil {
				return s, err
			}
			s.Key = string(name)
		}
	}
	return s, data(rest, &s.Data, false)
}

// event reads KIND EDGES DATA, close CODE DATA, or KIND DATA of another control frame.
func event(rest string) (e Event, err error) {
	e.Kind, rest = nextWord(rest)
	e.Edges = "MFfm"
	word, after := nextWord(rest)
	switch e.Kind {
	case "text", "binary":
		e.Edges, rest = word, after
		if len(word) != 4 {
			return e, fmt.Errorf("bad edges")
		}
	case "close":
		rest = after
		if err := number(word, &e.Code); err != nil {
			return e, err
		}
	case "ping", "pong":
	default:
		return e, fmt.Errorf("unknown kind %s", e.Kind)
	}
	return e, data(rest, &e.Data, false)
}

// step reads what a sender does.
func step(rest string) (s Step, err error) {
	s.Error = -1
	s.Verb, rest = nextWord(rest)
	part := ""
	switch s.Verb {
	case "header":
		s.Kind, rest = nextWord(rest)
		part, rest = nextWord(rest)
		s.Fin = part == "fin"
		s.Size, err = strconv.ParseUint(rest, 10, 64)
		return s, err
	case "text", "binary", "continuation":
		part, rest = nextWord(rest)
		if part != "fin" && part != "part" {
			return s, fmt.Errorf("fin or part?")
		}
		s.Fin = part == "fin"
	case "close":
		part, rest = nextWord(rest)
		err = number(part, &s.Code)
	case "ping", "pong", "payload":
		s.Fin = true
	default:
		return s, fmt.Errorf("cannot do %s", s.Verb)
	}
	if err != nil {
		return s, err
	}
	return s, data(rest, &s.Data, false)
}

func number(s string, to *int) (err error) {
	*to, err = strconv.Atoi(s)
	return err
}

// nextWord splits off the first word.
func nextWord(s string) (word, rest string) {
	s = strings.TrimSpace(s)
	if i := strings.IndexAny(s, " \t"); i >= 0 {
		return s[:i], strings.TrimSpace(s[i:])
	}
	return s, ""
}

// data reads DATA to *to, or appends it.
func data(s string, to *[]byte, add bool) error {
	b := []byte{}
	if add && *to != nil {
		b = *to
	}
	from, key := -1, []byte(nil)
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		if s[0] == '"' {
			end := 1
			for end < len(s) && s[end] != '"' {
				if s[end] == '\\' {
					end++
				}
				end++
			}
			if end >= len(s) {
				return fmt.Errorf("no closing quote")
			}
			text, err := quoted(s[1:end])
			if err != nil {
				return err
			}
			b, s = append(b, text...), s[end+1:]
			continue
		}
		var word string
		word, s = nextWord(s)
		if word[0] == '^' {
			k, err := hex.DecodeString(word[1:])
			if err != nil || len(k) != 4 || key != nil {
				return fmt.Errorf("bad key %s", word)
			}
			b, key = append(b, k...), k
			from = len(b)
			continue
		}
		times := 1
		if count, what, ok := strings.Cut(word, "*"); ok {
			if err := number(count, &times); err != nil {
				return err
			}
			word = what
		}
		piece, err := hex.DecodeString(word)
		if err != nil {
			return err
		}
		for ; times > 0; times-- {
			b = append(b, piece...)
		}
	}
	if key != nil {
		for i := range b[from:] {
			b[from+i] ^= key[i&3]
		}
	}
	*to = b
	return nil
}

// quoted undoes the escapes of a text.
func quoted(s string) ([]byte, error) {
	var b []byte
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b = append(b, s[i])
			continue
		}
		i++
		if i == len(s) {
			return nil, fmt.Errorf("escape at the end")
		}
		switch s[i] {
		case 'r':
			b = append(b, '\r')
		case 'n':
			b = append(b, '\n')
		case 't':
			b = append(b, '\t')
		case '"', '\\':
			b = append(b, s[i])
		case 'x':
			v, err := strconv.ParseUint(s[i+1:min(i+3, len(s))], 16, 8)
			if err != nil {
				return nil, err
			}
			b = append(b, byte(v))
			i += 2
		default:
			return nil, fmt.Errorf("unknown escape \\%c", s[i])
		}
	}
	return b, nil
}
